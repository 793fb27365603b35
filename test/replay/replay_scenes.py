"""Small recordings of red squares that move before a wall, and a real detector that finds them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from mcap.writer import CompressionType
from mcap.writer import Writer as McapWriter
from onnx import TensorProto, helper, numpy_helper
from rosbags.interfaces import Nodetype
from rosbags.rosbag1 import Writer as Ros1Writer
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Ros2Writer
from rosbags.typesys import Stores, get_typestore

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle
from robot_vision.replay.reading.messages import typestore
from robot_vision.replay.writing.ros_types import make

WIDTH, HEIGHT, SIDE, FX = 320, 240, 48, 300.0
WALL_M, SQUARE_M = 2.0, 1.0
START_NS, STEP_NS = 1_700_000_000_000_000_000, 33_333_333
COLOR, DEPTH, INFO = (
    "/cam/color/image_raw",
    "/cam/depth_to_color/image_raw",
    "/cam/color/camera_info",
)
IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


_WALL = np.random.default_rng(0).integers(40, 80, (HEIGHT, WIDTH, 3), np.uint8)


@dataclass(frozen=True, kw_only=True)
class Message:
    """A message as `make` takes it, with the time at which it was recorded."""

    topic: str
    type_name: str
    log_ns: int
    values: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What is recorded: `frames` at 30 Hz, the first `empty` of them without squares.

    `cx` is what camera_info claims.
    """

    frames: int = 30
    empty: int = 0
    cx: float = WIDTH / 2
    start_ns: int = START_NS
    depth: bool = True
    info: bool = True
    transforms: bool = True
    encode: Callable[[np.ndarray], tuple[str, dict[str, Any]]] = field(
        default=lambda rgb: raw_image(rgb, "rgb8")
    )
    encode_depth: Callable[[np.ndarray], tuple[str, dict[str, Any]]] = field(
        default=lambda depth_mm: raw_image(depth_mm, "16UC1")
    )

    def stamps_ns(self) -> list[int]:
        return [self.start_ns + i * STEP_NS for i in range(self.frames)]

    def messages(self) -> Iterator[Message]:
        for index, stamp_ns in enumerate(self.stamps_ns()):
            rgb, depth_mm = picture(index) if index >= self.empty else picture(None)
            header = header_of(stamp_ns)
            yield from self._around(stamp_ns, index, header)
            kind, values = self.encode(rgb)
            yield Message(
                topic=COLOR, type_name=kind, log_ns=stamp_ns, values={"header": header, **values}
            )
            if self.depth:
                kind, values = self.encode_depth(depth_mm)
                values = {"header": header, **values}
                yield Message(topic=DEPTH, type_name=kind, log_ns=stamp_ns, values=values)

    def _around(self, stamp_ns: int, index: int, header: dict[str, Any]) -> Iterator[Message]:
        if self.info:
            values = info_values(header, self.cx)
            kind = "sensor_msgs/msg/CameraInfo"
            yield Message(topic=INFO, type_name=kind, log_ns=stamp_ns, values=values)
        if self.transforms:
            transform = {
                "header": {**header, "frame_id": "odom"},
                "child_frame_id": "cam_optical",
                "transform": {"translation": {"x": 0.01 * index}, "rotation": {"w": 1.0}},
            }
            values = {"transforms": [transform]}
            yield Message(
                topic="/tf", type_name="tf2_msgs/msg/TFMessage", log_ns=stamp_ns, values=values
            )


def picture(index: int | None) -> tuple[np.ndarray, np.ndarray]:
    """RGB and depth in millimetres of frame `index`: two squares that move apart (None: none)."""
    rgb = _WALL.copy()
    depth_mm = np.full((HEIGHT, WIDTH), round(1e3 * WALL_M), np.uint16)
    squares = () if index is None else ((96 + index, 40), (176 + 2 * index, 140))
    for x, y in squares:
        rgb[y : y + SIDE, x : x + SIDE] = (230, 20, 20)
        depth_mm[y : y + SIDE, x : x + SIDE] = round(1e3 * SQUARE_M)
    return rgb, depth_mm


def header_of(stamp_ns: int, frame_id: str = "cam_optical") -> dict[str, Any]:
    seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
    return {"stamp": {"sec": seconds, "nanosec": nanoseconds}, "frame_id": frame_id}


def info_values(header: dict[str, Any], cx: float) -> dict[str, Any]:
    k = [FX, 0, cx, 0, FX, HEIGHT / 2, 0, 0, 1]
    return {"header": header, "width": WIDTH, "height": HEIGHT, "k": k, "d": np.zeros(5)}


def raw_image(pixels: np.ndarray, encoding: str) -> tuple[str, dict[str, Any]]:
    values = {
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "encoding": encoding,
        "step": pixels.strides[0],
        "data": pixels.reshape(-1).view(np.uint8),
    }
    return IMAGE, values


def jpeg_image(rgb: np.ndarray) -> tuple[str, dict[str, Any]]:
    _, jpeg = cv2.imencode(".jpg", rgb[..., ::-1])
    return COMPRESSED, {"format": "rgb8; jpeg compressed bgr8", "data": jpeg.reshape(-1)}


def png_depth(depth_mm: np.ndarray) -> tuple[str, dict[str, Any]]:
    _, png = cv2.imencode(".png", depth_mm)
    data = np.concatenate([np.zeros(12, np.uint8), png.reshape(-1)])
    return COMPRESSED, {"format": "16UC1; compressedDepth png", "data": data}


def write_rosbag2(
    folder: Path,
    messages: Iterator[Message] | list[Message],
    *,
    storage: StoragePlugin = StoragePlugin.MCAP,
    compression: CompressionMode = CompressionMode.NONE,
) -> Path:
    """A rosbag2 directory."""
    writer = Ros2Writer(folder, version=9, storage_plugin=storage)
    writer.set_compression(compression, CompressionFormat.ZSTD)
    store = get_typestore(Stores.ROS2_JAZZY)
    with writer:
        connections: dict[str, Any] = {}
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(
                    message.topic, message.type_name, typestore=store
                )
            content = make(message.type_name, message.values)
            data = store.serialize_cdr(content, message.type_name)
            writer.write(connections[message.topic], message.log_ns, data)
    return folder


def write_mcap(
    path: Path,
    messages: Iterator[Message] | list[Message],
    *,
    compression: CompressionType = CompressionType.ZSTD,
    chunk_bytes: int = 1 << 19,
) -> Path:
    """One MCAP file as rosbag2's own plug-in writes it."""
    store = get_typestore(Stores.ROS2_JAZZY)
    with path.open("wb") as file:
        writer = McapWriter(file, compression=compression, chunk_size=chunk_bytes)
        writer.start(profile="ros2", library="test")
        channels: dict[str, int] = {}
        for message in messages:
            if message.topic not in channels:
                definition, _ = store.generate_msgdef(message.type_name, ros_version=2)
                schema = writer.register_schema(message.type_name, "ros2msg", definition.encode())
                channels[message.topic] = writer.register_channel(message.topic, "cdr", schema)
            content = make(message.type_name, message.values)
            writer.add_message(
                channels[message.topic],
                log_time=message.log_ns,
                publish_time=message.log_ns,
                data=bytes(store.serialize_cdr(content, message.type_name)),
            )
        writer.finish()
    return path


def write_ros1(
    path: Path,
    messages: Iterator[Message] | list[Message],
    *,
    compression: Ros1Writer.CompressionFormat | None = None,
) -> Path:
    """A ROS 1 bag."""
    writer = Ros1Writer(path)
    if compression is not None:
        writer.set_compression(compression)
    noetic = typestore(is_ros1=True)
    with writer:
        connections: dict[str, Any] = {}
        for message in messages:
            if message.topic not in connections:
                connections[message.topic] = writer.add_connection(
                    message.topic, message.type_name, typestore=noetic
                )
            content = _as_ros1(make(message.type_name, message.values), message.type_name)
            data = noetic.serialize_ros1(content, message.type_name)
            writer.write(connections[message.topic], message.log_ns, data)
    return path


def _as_ros1(content: Any, type_name: str) -> Any:
    """A ROS 2 message as the ROS 1 message of that name: headers count, matrices are capitals."""
    store, fields = typestore(is_ros1=True), {}
    for name, (kind, detail) in store.fielddefs[type_name][1]:
        value = 0 if name == "seq" else getattr(content, name, None)
        if value is None:
            value = getattr(content, name.lower())
        if kind == Nodetype.NAME and detail != "builtin_interfaces/msg/Time":
            value = _as_ros1(value, detail)
        elif kind == Nodetype.SEQUENCE and detail[0][0] == Nodetype.NAME:
            value = [_as_ros1(item, detail[0][1]) for item in value]
        fields[name] = value
    return store.types[type_name](**fields)


_EXTRAS = {
    "yolov8": (),
    "yolo_pose": ("cx", "cy", "sure", "green_x", "green_y", "sure"),
    "yolo_obb": ("angle",),
}
_POINTING = (
    helper.make_node("Conv", ["images", "greenness"], ["green"]),
    helper.make_node("Reshape", ["green", "flat"], ["green_row"]),
    helper.make_node("ArgMax", ["green_row"], ["greenest"], axis=1),
    helper.make_node("Mod", ["greenest", "width"], ["column"]),
    helper.make_node("Div", ["greenest", "width"], ["line"]),
    helper.make_node("Cast", ["column"], ["x"], to=TensorProto.FLOAT),
    helper.make_node("Cast", ["line"], ["y"], to=TensorProto.FLOAT),
    helper.make_node("Sub", ["x", "cx"], ["right"]),
    helper.make_node("Sub", ["y", "cy"], ["down"]),
    helper.make_node("Div", ["down", "right"], ["slope"]),
    helper.make_node("Atan", ["slope"], ["angle"]),
    helper.make_node("Add", ["right", "cx"], ["green_x"]),
    helper.make_node("Add", ["down", "cy"], ["green_y"]),
)


def red_square_bundle(folder: Path, *, gain: float = 1.0, format: str = "yolov8") -> Path:
    """A detector that scores how red the middle of each cell of 8 pixels is, times `gain`.

    The graph really looks at the image: red minus green, averaged over `SIDE` pixels. As
    `yolo_pose` it has the keypoints `left_middle`, the middle of the square, and `greenest`, the
    first of the greenest pixels; as `yolo_obb` its boxes are turned towards that.
    """
    stride, size = 8, (HEIGHT, WIDTH)
    rows, columns = size[0] // stride, size[1] // stride
    y, x = np.mgrid[:rows, :columns].reshape(2, -1) * stride + stride / 2 - 0.5
    boxes = np.stack([x, y, np.full_like(x, SIDE), np.full_like(x, SIDE)])[None].astype(np.float32)
    pad = (SIDE - stride) // 2
    weights = np.zeros((1, 3, 1, 1), np.float32)
    weights[0, 0], weights[0, 1] = gain, -gain
    nodes = [
        helper.make_node("Conv", ["images", "weights"], ["redness"]),
        helper.make_node(
            "AveragePool",
            ["redness"],
            ["pooled"],
            kernel_shape=[SIDE, SIDE],
            strides=[stride, stride],
            pads=[pad] * 4,
        ),
        helper.make_node("Reshape", ["pooled", "shape"], ["scores"]),
        helper.make_node("Clip", ["scores", "zero", "one"], ["clipped"]),
        *_POINTING,
        helper.make_node("Concat", ["boxes", "clipped", *_EXTRAS[format]], ["output"], axis=1),
    ]
    constants = {
        "weights": weights,
        "shape": np.array([1, 1, rows * columns], np.int64),
        "zero": np.float32(0),
        "one": np.float32(1),
        "boxes": boxes,
        "cx": boxes[:, :1],
        "cy": boxes[:, 1:2],
        "sure": np.full_like(boxes[:, :1], 0.9),
        "greenness": np.array([-1, 1, -1], np.float32).reshape(1, 3, 1, 1),
        "flat": np.array([1, -1], np.int64),
        "width": np.array(size[1], np.int64),
    }
    values = 5 + len(_EXTRAS[format])
    graph = helper.make_graph(
        nodes,
        "red_squares",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *size])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [1, values, rows * columns])],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    manifest = ModelManifest.model_validate(
        {
            "name": folder.name,
            "task": "detection",
            "format": format,
            "keypoints": ["left_middle", "greenest"] if format == "yolo_pose" else [],
            "input": {"name": "images", "width_px": WIDTH, "height_px": HEIGHT},
            "classes": ["red square"],
            "score_threshold": 0.6,
        }
    )
    write_bundle(folder, manifest, folder / "model.onnx")
    return folder
