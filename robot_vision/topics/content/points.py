"""Point clouds as `sensor_msgs/msg/PointCloud2`."""

from typing import Any

import numpy as np
from jaxtyping import Float32

from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.types import Perception
from robot_vision.topics.content.cloud import (
    OBJECT_POINT,
    POINT,
    Rays,
    cloud_shape,
    fill_cloud,
    object_points,
)
from robot_vision.topics.messages import Messages, new_header

_CLOUD = "sensor_msgs/msg/PointCloud2"
# Constants of `sensor_msgs/msg/PointField`.
_DATATYPES = {"<f4": 7, "<u4": 6}


class CloudWriter:
    """Clouds of a frame, in the camera's optical frame; the dense one is filled again each time.

    Both topics share one computation of a frame.
    """

    def __init__(self, messages: Messages, config: PointsConfig) -> None:
        self._messages = messages
        self._stride = config.stride
        self._rays = Rays()
        self._message: Any = None
        self._points = np.zeros((0, 0, 4), np.float32)
        self._filled_for: Perception | None = None

    def scene(self, perception: Perception) -> Any | None:
        """All measured points, organised as the depth is; valid until the next frame.

        None without depth or without intrinsics.
        """
        if not self._fill(perception):
            return None
        frame = perception.frame
        self._message.header = new_header(self._messages, perception.stamp_ns, frame.frame_id)
        return self._message

    def objects(self, perception: Perception) -> Any | None:
        """Points of the visible objects, one after the other, each with its track's id."""
        if not self._fill(perception):
            return None
        points = object_points(self._points, perception, stride=self._stride)
        message = self._new(OBJECT_POINT, (1, len(points)), is_dense=True)
        np.frombuffer(message.data, OBJECT_POINT)[:] = points
        frame = perception.frame
        message.header = new_header(self._messages, perception.stamp_ns, frame.frame_id)
        return message

    def _fill(self, perception: Perception) -> bool:
        """Compute the cloud of a frame once; returns whether there is one."""
        frame, depth = perception.frame, perception.depth
        if depth is None or frame.camera is None:
            return False
        if self._filled_for is not perception:
            points = self._memory(cloud_shape(depth, self._stride))
            fill_cloud(points, frame=frame, depth=depth, rays=self._rays, stride=self._stride)
            self._filled_for = perception
        return True

    def _memory(self, shape: tuple[int, int]) -> Float32[np.ndarray, "h w 4"]:
        """The bytes of the message for a cloud of `shape`, seen as numbers."""
        if self._message is None or self._points.shape[:2] != shape:
            self._message = self._new(POINT, shape, is_dense=False)
            self._points = np.frombuffer(self._message.data, "<f4").reshape(*shape, 4)
        return self._points

    def _new(self, kind: np.dtype, shape: tuple[int, int], *, is_dense: bool) -> Any:
        message = self._messages.new(_CLOUD)
        message.height, message.width = shape
        message.fields = [self._field(name, kind) for name in kind.names or ()]
        message.point_step, message.row_step = kind.itemsize, kind.itemsize * shape[1]
        message.is_dense = is_dense
        message.data = self._messages.memory(kind.itemsize * shape[0] * shape[1])
        return message

    def _field(self, name: str, kind: np.dtype) -> Any:
        dtype, offset = (kind.fields or {})[name][:2]
        field = self._messages.new("sensor_msgs/msg/PointField")
        field.name, field.offset, field.count = name, offset, 1
        field.datatype = _DATATYPES[dtype.str]
        return field
