"""Writes recordings as rosbag2 (MCAP), without ROS, with their ground truth as JSON.

Topics are those of a RealSense driver: JPEG colour, depth aligned to it (16UC1 millimetres, as
`compressedDepth` PNG or raw), both camera infos, and `/tf` from `world` to the optical frame.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.simulation.moving.sequence import SequenceFrame
from robot_vision.simulation.picture.viewpoint import FRAME_ID, quaternion_wxyz
from robot_vision.simulation.writing.coco_writer import depth_png

COLOR_TOPIC = "/camera/color/image_raw/compressed"
COLOR_INFO_TOPIC = "/camera/color/camera_info"
DEPTH_TOPIC = "/camera/aligned_depth_to_color/image_raw"
DEPTH_INFO_TOPIC = "/camera/aligned_depth_to_color/camera_info"
TRUE_DEPTH_TOPIC = "/ground_truth/depth/image_raw/compressedDepth"
WORLD = "world"
# compressed_depth_image_transport's header: format, two quantisation numbers (not for 16UC1)
_DEPTH_HEADER = struct.pack("<iff", 0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class BagOptions:
    """Contents of the bag. `true_depth` adds the exact depth on a separate topic."""

    raw_depth: bool = False
    true_depth: bool = False


class BagWriter:
    """Writes frames into a new bag; a context manager. Raises `ConfigError` if `folder` exists."""

    def __init__(self, folder: Path, options: BagOptions) -> None:
        if folder.exists():
            raise ConfigError(f"{folder} already exists; expected a new folder for the recording")
        try:
            folder.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(f"cannot write a recording to {folder}: {error}") from error
        self._options = options
        self._store = get_typestore(Stores.ROS2_JAZZY)
        self._types = self._store.types
        self._bag = Writer(folder, version=9, storage_plugin=StoragePlugin.MCAP)
        self._bag.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> "BagWriter":
        self._bag.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bag.close()

    def write(self, frame: SequenceFrame) -> None:
        """Write all messages of one frame."""
        header = self._header(frame.stamp_ns, FRAME_ID)
        seen = frame.frame
        info = self._camera_info(frame, header)
        self._put(COLOR_INFO_TOPIC, info, frame.stamp_ns)
        self._put(DEPTH_INFO_TOPIC, info, frame.stamp_ns)
        quality = [cv2.IMWRITE_JPEG_QUALITY, seen.jpeg_quality]
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(seen.rgb, cv2.COLOR_RGB2BGR), quality)
        self._put(
            COLOR_TOPIC,
            self._compressed(header, "rgb8; jpeg compressed bgr8", jpeg.tobytes()),
            frame.stamp_ns,
        )
        self._write_depth(frame, header)
        self._put("/tf", self._transform(frame), frame.stamp_ns)

    def _write_depth(self, frame: SequenceFrame, header: Any) -> None:
        encoding = "16UC1; compressedDepth png"
        seen = frame.frame
        if self._options.raw_depth:
            depth_mm = np.rint(seen.depth_m * 1000).astype(np.uint16)
            message = self._types["sensor_msgs/msg/Image"](
                header=header,
                height=depth_mm.shape[0],
                width=depth_mm.shape[1],
                encoding="16UC1",
                is_bigendian=0,
                step=depth_mm.shape[1] * 2,
                data=depth_mm.view(np.uint8).ravel(),
            )
            self._put(DEPTH_TOPIC, message, frame.stamp_ns)
        else:
            data = _DEPTH_HEADER + depth_png(seen.depth_m)
            message = self._compressed(header, encoding, data)
            self._put(f"{DEPTH_TOPIC}/compressedDepth", message, frame.stamp_ns)
        if self._options.true_depth:
            data = _DEPTH_HEADER + depth_png(seen.depth_true_m)
            message = self._compressed(header, encoding, data)
            self._put(TRUE_DEPTH_TOPIC, message, frame.stamp_ns)

    def _put(self, topic: str, message: Any, stamp_ns: int) -> None:
        kind = message.__msgtype__
        if topic not in self._connections:
            self._connections[topic] = self._bag.add_connection(topic, kind, typestore=self._store)
        data = self._store.serialize_cdr(message, kind)
        self._bag.write(self._connections[topic], stamp_ns, data)

    def _header(self, stamp_ns: int, frame_id: str) -> Any:
        stamp = self._types["builtin_interfaces/msg/Time"](
            sec=stamp_ns // NS_PER_S, nanosec=stamp_ns % NS_PER_S
        )
        return self._types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)

    def _compressed(self, header: Any, encoding: str, data: bytes) -> Any:
        return self._types["sensor_msgs/msg/CompressedImage"](
            header=header, format=encoding, data=np.frombuffer(data, np.uint8)
        )

    def _camera_info(self, frame: SequenceFrame, header: Any) -> Any:
        camera = frame.frame.viewpoint.camera
        return self._types["sensor_msgs/msg/CameraInfo"](
            header=header,
            height=camera.height_px,
            width=camera.width_px,
            distortion_model="plumb_bob",
            d=np.zeros(5),
            k=camera.intrinsics_px.ravel(),
            r=np.eye(3).ravel(),
            p=np.c_[camera.intrinsics_px, np.zeros(3)].ravel(),
            binning_x=0,
            binning_y=0,
            roi=self._types["sensor_msgs/msg/RegionOfInterest"](
                x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
            ),
        )

    def _transform(self, frame: SequenceFrame) -> Any:
        world_from_camera = frame.frame.viewpoint.world_from_camera
        w, x, y, z = quaternion_wxyz(world_from_camera[:3, :3])
        place = world_from_camera[:3, 3].tolist()
        transform = self._types["geometry_msgs/msg/Transform"](
            translation=self._types["geometry_msgs/msg/Vector3"](*place),
            rotation=self._types["geometry_msgs/msg/Quaternion"](x=x, y=y, z=z, w=w),
        )
        stamped = self._types["geometry_msgs/msg/TransformStamped"](
            header=self._header(frame.stamp_ns, WORLD),
            child_frame_id=FRAME_ID,
            transform=transform,
        )
        return self._types["tf2_msgs/msg/TFMessage"](transforms=[stamped])
