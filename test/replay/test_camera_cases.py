"""Cameras as people have them: right or refused, and live the same as in a replay."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from replay_scenes import (
    COLOR,
    DEPTH,
    FX,
    HEIGHT,
    INFO,
    WIDTH,
    Message,
    Scene,
    jpeg_image,
    picture,
    raw_image,
    write_mcap,
)

from robot_vision.core.cameras.geometry import deproject
from robot_vision.core.parameters.config import NodeConfig, ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.frames import decode
from robot_vision.replay.reading.recording import Recording

RECT = "/cam/color/image_rect_color"
DEPTH_INFO = "/cam/depth/camera_info"
K = [FX, 0, WIDTH / 2, 0, FX, HEIGHT / 2, 0, 0, 1]
P = [FX, 0, WIDTH / 2, 0, 0, FX, HEIGHT / 2, 0, 0, 0, 1, 0]
RAW_K = [330.0, 0, 150, 0, 330, 110, 0, 0, 1]
BARREL = [-0.35, 0.12, 0, 0, 0]
FRAMES = 4


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is unlike a sound recording, and what comes of it.

    `problems` are all that are reported; `right` says that 3-D is as if nothing were unlike.
    """

    info: dict[str, Any] = field(default_factory=dict)
    rgb: Callable[[np.ndarray], Any] = field(default=lambda rgb: raw_image(rgb, "rgb8"))
    depth: Callable[[np.ndarray], Any] = field(default=lambda mm: raw_image(mm, "16UC1"))
    topic: str = COLOR
    depth_frame: str = "cam_optical"
    depth_info: dict[str, Any] | None = None
    transform: bool = False
    values: dict[str, Any] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    has_camera: bool = True
    has_depth: bool = True
    right: bool = True


def nv12(rgb: np.ndarray) -> Any:
    """By OpenCV's planes, which are moved together."""
    planes = cv2.cvtColor(rgb, cv2.COLOR_RGB2YUV_I420)
    u, v = planes[HEIGHT:].reshape(2, -1)
    packed = np.stack([u, v], axis=1).reshape(-1, WIDTH)
    kind, values = raw_image(np.concatenate([planes[:HEIGHT], packed]), "nv12")
    return kind, values | {"height": HEIGHT}


def plain_png(depth_mm: np.ndarray) -> Any:
    png = cv2.imencode(".png", depth_mm)[1].reshape(-1)
    return "sensor_msgs/msg/CompressedImage", {"format": "16UC1; png compressed ", "data": png}


def other(rgb: np.ndarray, encoding: str) -> Any:
    wide = rgb.astype(np.uint16) * 257
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    channel = np.where(rows % 2 == 0, columns % 2, 1 + columns % 2)
    made = {
        "rgb16": lambda: wide,
        "bgr16": lambda: wide[..., ::-1].copy(),
        "8UC4": lambda: np.dstack([rgb[..., ::-1], rgb[..., :1]]),
        "bayer_rggb16": lambda: np.take_along_axis(wide, channel[..., None], 2)[..., 0].copy(),
    }
    return raw_image(made[encoding](), encoding)


CASES = {
    "sound": Case(),
    "B09 rectified": Case(
        topic=RECT, info={"k": RAW_K, "p": P, "d": BARREL}, problems=("intrinsics read",)
    ),
    "B11 region": Case(
        info={
            "k": [FX, 0, WIDTH / 2 + 320, 0, FX, HEIGHT / 2 + 200, 0, 0, 1],
            "roi": {"x_offset": 320, "y_offset": 200, "width": WIDTH, "height": HEIGHT},
        },
        problems=("intrinsics read",),
    ),
    "region within the image": Case(
        info={
            "width": 1280,
            "height": 960,
            "k": [FX, 0, WIDTH / 2 + 320, 0, FX, HEIGHT / 2 + 200, 0, 0, 1],
            "roi": {"x_offset": 320, "y_offset": 200, "width": WIDTH, "height": HEIGHT},
        },
    ),
    "binning": Case(
        info={
            "width": 2 * WIDTH,
            "height": 2 * HEIGHT,
            "binning_x": 2,
            "binning_y": 2,
            "k": [2 * FX, 0, WIDTH, 0, 2 * FX, HEIGHT, 0, 0, 1],
        }
    ),
    "binning of an image that is not binned": Case(
        info={"binning_x": 2, "binning_y": 2},
        has_camera=False,
        problems=("intrinsics of another size",),
    ),
    "R04 K zero": Case(info={"k": np.zeros(9), "p": P}, problems=("intrinsics read",)),
    "no size": Case(info={"width": 0, "height": 0}, problems=("intrinsics read",)),
    "unknown model": Case(
        info={"distortion_model": "double_sphere", "d": [0.1, 0.2]},
        has_camera=False,
        problems=("intrinsics invalid",),
    ),
    "fisheye": Case(info={"distortion_model": "equidistant", "d": [0.01, 0, 0, 0]}, right=False),
    "B06 plain png": Case(rgb=jpeg_image, depth=plain_png),
    "B24 nv12": Case(rgb=nv12),
    "B24 rgb16": Case(rgb=partial(other, encoding="rgb16")),
    "B24 bgr16": Case(rgb=partial(other, encoding="bgr16")),
    "B24 8UC4": Case(rgb=partial(other, encoding="8UC4")),
    "B24 bayer16": Case(rgb=partial(other, encoding="bayer_rggb16")),
    "millimetres in 32 bits": Case(
        depth=lambda mm: raw_image(mm.astype(np.float32), "32FC1"),
        has_depth=False,
        problems=("depth not in metres",),
    ),
    "millimetres in 32 bits, as set": Case(
        depth=lambda mm: raw_image(mm.astype(np.float32), "32FC1"),
        values={"depth.float_unit_m": 0.001},
    ),
    "depth in another frame": Case(
        depth_frame="cam_depth", has_depth=False, problems=("depth in another frame",)
    ),
    "depth in another frame, as set": Case(
        depth_frame="cam_depth", values={"camera.depth_aligned": "yes"}
    ),
    "depth in another frame, registered": Case(
        depth_frame="cam_depth",
        depth_info={},
        transform=True,
        problems=("depth registered to colour",),
    ),
    "depth of other intrinsics, registered": Case(
        depth_info={"k": [FX, 0, WIDTH / 2 + 8, 0, FX, HEIGHT / 2, 0, 0, 1]},
        problems=("depth registered to colour",),
        right=False,
    ),
    "depth of half the size": Case(depth=lambda mm: raw_image(mm[::2, ::2].copy(), "16UC1")),
    "depth of another aspect": Case(
        depth=lambda mm: raw_image(mm[:180].copy(), "16UC1"),
        has_depth=False,
        problems=("depth not aligned",),
    ),
    "turned": Case(values={"camera.rotate": 90}, right=False),
}


def messages_of(case: Case) -> list[Message]:
    scene = Scene(frames=FRAMES, encode=case.rgb, encode_depth=case.depth, transforms=False)
    made = []
    for message in scene.messages():
        topic, values = message.topic, dict(message.values)
        at_depth = {**values["header"], "frame_id": case.depth_frame}
        if topic == INFO:
            values |= case.info
        elif topic == DEPTH:
            values["header"] = at_depth
        made.append(replace(message, topic=case.topic if topic == COLOR else topic, values=values))
        if topic == INFO and case.depth_info is not None:
            values = {**message.values, **case.depth_info, "header": at_depth}
            made.append(replace(message, topic=DEPTH_INFO, values=values))
        if topic == INFO and case.transform:
            made.append(_static(message.log_ns, message.values["header"]))
    return made


def _static(log_ns: int, header: dict[str, Any]) -> Message:
    """The depth camera stands 4 cm to the right of colour."""
    transform = {
        "header": header,
        "child_frame_id": "cam_depth",
        "transform": {"translation": {"x": 0.04}, "rotation": {"w": 1.0}},
    }
    return Message(
        topic="/tf_static",
        type_name="tf2_msgs/msg/TFMessage",
        log_ns=log_ns,
        values={"transforms": [transform]},
    )


def replayed(path: Path, case: Case) -> tuple[list[Frame], set[str]]:
    topics = Topics(depth_info=DEPTH_INFO if case.depth_info is not None else "")
    config = with_values(ServiceConfig(), case.values)
    source = BagSource(path, config=config, options=BagOptions(topics=topics))
    frames = [decode(raw, source.health.problems) for raw in source.raw_frames()]
    return [f for f in frames if f is not None], set(source.health.problems.as_dict())


@pytest.mark.parametrize("name", CASES)
def test_it_is_right_or_refused_in_words(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    frames, problems = replayed(write_mcap(tmp_path / "a.mcap", messages_of(case)), case)
    assert len(frames) == FRAMES
    assert problems == set(case.problems)
    for index, frame in enumerate(frames):
        assert (frame.camera is not None) is case.has_camera
        assert (frame.depth_m is not None) is case.has_depth
        if case.right:
            check_picture(frame, index)
        if case.right and case.has_camera and case.has_depth:
            check_space(frame, index, shift_m=0.04 if case.transform else 0.0)


def check_picture(frame: Frame, index: int) -> None:
    rgb, _ = picture(index)
    inner = frame.rgb[50:80, 105 + index : 135 + index].astype(int)
    assert np.abs(inner - rgb[50:80, 105 + index : 135 + index]).max() < 12


def check_space(frame: Frame, index: int, *, shift_m: float) -> None:
    """A point of the first square is where a sound recording has it, moved with the camera."""
    assert frame.camera is not None
    assert frame.depth_m is not None
    centre_px = np.array([[96.0 + index + 24, 40.0 + 24]])
    expected_m = [(centre_px[0, 0] - WIDTH / 2) / FX, (centre_px[0, 1] - HEIGHT / 2) / FX, 1.0]
    seen_px = np.add(centre_px, [shift_m * FX, 0])
    scale = frame.depth_m.shape[1] / WIDTH
    column, row = np.rint(seen_px[0] * scale).astype(int)
    point_m = deproject(
        seen_px, np.array([float(frame.depth_m[row, column])]), camera=frame.camera
    )
    np.testing.assert_allclose(point_m[0], np.add(expected_m, [shift_m, 0, 0]), atol=1e-3)


def test_other_intrinsics_of_depth_move_it_under_colour(tmp_path: Path) -> None:
    case = CASES["depth of other intrinsics, registered"]
    frames, _ = replayed(write_mcap(tmp_path / "a.mcap", messages_of(case)), case)
    assert frames[0].depth_m is not None
    _, depth_mm = picture(0)
    np.testing.assert_allclose(frames[0].depth_m[:, :-8], depth_mm[:, 8:] / 1000)
    assert np.isnan(frames[0].depth_m[:, -8:]).all()


def test_a_turned_camera_gives_the_turned_view_in_a_frame_of_its_own(tmp_path: Path) -> None:
    case = CASES["turned"]
    frames, _ = replayed(write_mcap(tmp_path / "a.mcap", messages_of(case)), case)
    frame, (rgb, depth_mm) = frames[0], picture(0)
    assert frame.frame_id == "cam_optical_rotated_90"
    np.testing.assert_array_equal(frame.rgb, np.rot90(rgb, -1))
    np.testing.assert_allclose(frame.depth_m, np.rot90(depth_mm, -1) / 1000)
    assert frame.camera is not None
    assert (frame.camera.width_px, frame.camera.height_px) == (HEIGHT, WIDTH)
    assert frame.camera.frame_id == frame.frame_id


def test_images_of_a_second_camera_on_the_topic_are_left_out(tmp_path: Path) -> None:
    messages = []
    for message in messages_of(CASES["sound"]):
        messages.append(message)
        if message.topic == COLOR:
            stamp = dict(message.values["header"]["stamp"])
            stamp["nanosec"] += 5_000_000
            values = message.values | {"header": {"stamp": stamp, "frame_id": "other"}}
            messages.append(replace(message, log_ns=message.log_ns + 1, values=values))
    frames, problems = replayed(write_mcap(tmp_path / "a.mcap", messages), CASES["sound"])
    assert problems == {"two cameras on one topic", "depth in another frame"}
    # That there are two is known when the first one comes again.
    assert [f.frame_id for f in frames] == ["cam_optical", "other"] + ["cam_optical"] * 3


@pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning")  # of ROS's wheels
@pytest.mark.parametrize("name", CASES)
def test_live_it_is_the_same(name: str, tmp_path: Path) -> None:
    pytest.importorskip("rclpy", reason="ROS 2 is not installed: pip install 'robot_vision[ros]'")
    case = CASES[name]
    path = write_mcap(tmp_path / "a.mcap", messages_of(case))
    frames, problems = replayed(path, case)
    live_frames, notes = live(path, case)
    assert notes == problems
    assert len(frames) == len(live_frames)
    for a, b in zip(frames, live_frames, strict=True):
        assert (a.stamp_ns, a.frame_id, a.depth_stamp_ns) == (
            b.stamp_ns,
            b.frame_id,
            b.depth_stamp_ns,
        )
        np.testing.assert_array_equal(a.rgb, b.rgb)
        np.testing.assert_array_equal(_or_empty(a.depth_m), _or_empty(b.depth_m))
        assert (a.camera is None) == (b.camera is None)
        assert a.camera is None or a.camera.same_as(b.camera)


def _or_empty(depth_m: np.ndarray | None) -> np.ndarray:
    return np.zeros(0) if depth_m is None else depth_m


def live(path: Path, case: Case) -> tuple[list[Frame], set[str]]:
    """What the node's own path makes of the same bytes."""
    from rclpy.serialization import deserialize_message
    from sensor_msgs.msg import CameraInfo, CompressedImage, Image

    from robot_vision.core.cameras.camera_info import calibration_of
    from robot_vision.replay.reading.messages import Problems
    from robot_vision.ros.common.health import Health
    from robot_vision.ros.perception.inputs.frames import FrameBuilder
    from robot_vision.ros.perception.inputs.topics import Capture
    from robot_vision.sync.transforms import TransformBuffer

    kinds = {k.__name__: k for k in (CameraInfo, CompressedImage, Image)}
    health, transforms = Health(), TransformBuffer()
    if case.transform:
        transforms.add(
            parent="cam_optical",
            child="cam_depth",
            stamp_ns=0,
            translation_m=np.array([0.04, 0, 0]),
            quaternion_xyzw=np.array([0, 0, 0, 1.0]),
            is_static=True,
        )
    config = with_values(NodeConfig(), case.values)
    builder = FrameBuilder(
        config, health, rgb_topic=case.topic, depth_topic=DEPTH, lookup=transforms.lookup
    )
    heard: dict[int, dict[str, Any]] = {}
    for raw in Recording(path, config.limits).messages(Problems()):
        kind = kinds.get(raw.msgtype.rpartition("/")[2])
        if kind is not None:
            heard.setdefault(raw.log_ns, {})[raw.topic] = deserialize_message(
                bytes(raw.data), kind
            )
    frames = []
    for stamp_ns, parts in heard.items():
        calibrations = {
            topic: calibration_of(parts[topic]) for topic in (INFO, DEPTH_INFO) if topic in parts
        }
        capture = Capture(
            stamp_ns=stamp_ns,
            rgb=parts[case.topic],
            depth=parts[DEPTH],
            depth_stamp_ns=stamp_ns,
            why_no_depth="",
            calibration=calibrations.get(INFO),
            depth_calibration=calibrations.get(DEPTH_INFO),
            transport_s=0.0,
            arrived_s=0.0,
        )
        frames.append(builder.build(capture))
    return frames, set(health.report().notes)
