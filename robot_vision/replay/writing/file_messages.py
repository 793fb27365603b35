"""Messages without ROS for `robot_vision.topics`: as live, but smaller on disk."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Shaped, UInt8

from robot_vision.replay.writing.ros_types import make
from robot_vision.topics.messages import new_header

DEPTH_STEPS_PER_M = 1024.0


class FileMessages:
    """Messages to serialize into a file. Depth is rounded to 1/1024 m to compress well."""

    def new(self, type_name: str) -> Any:
        return make(type_name, {})

    def floats(self, values: Sequence[float]) -> Float64[np.ndarray, " n"]:
        return np.asarray(values, np.float64)

    def memory(self, size: int) -> UInt8[np.ndarray, " {size}"]:
        return np.zeros(size, np.uint8)

    def image(
        self,
        name: str,
        pixels: Shaped[np.ndarray, "h w *c"],
        *,
        encoding: str,
        stamp_ns: int,
        frame_id: str,
    ) -> Any:
        if name == "depth":
            # The last bits of a float are sub-millimetre noise, which does not compress.
            pixels = np.round(pixels * DEPTH_STEPS_PER_M) / np.float32(DEPTH_STEPS_PER_M)
        pixels = np.ascontiguousarray(pixels)
        message = self.new("sensor_msgs/msg/Image")
        message.header = new_header(self, stamp_ns, frame_id)
        message.height, message.width = pixels.shape[:2]
        message.encoding, message.step = encoding, pixels.nbytes // pixels.shape[0]
        message.data = pixels.reshape(-1).view(np.uint8)
        return message
