"""Messages of either library: rclpy, or rosbags where there is no ROS."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.clock import NS_PER_S


@runtime_checkable
class Messages(Protocol):
    """Creates messages for makers to fill; the two libraries need different number containers."""

    def new(self, type_name: str) -> Any:
        """A message of `type_name` ("std_msgs/msg/Header"), every field at its default."""
        ...

    def floats(self, values: Sequence[float]) -> Any:
        """Values for a float64 sequence of any length."""
        ...

    def memory(self, size: int) -> Any:
        """`size` bytes for a uint8 sequence, which NumPy can fill."""
        ...

    def image(
        self,
        name: str,
        pixels: Shaped[np.ndarray, "h w *c"],
        *,
        encoding: str,
        stamp_ns: int,
        frame_id: str,
    ) -> Any:
        """An `Image` of `pixels` [H, W] or [H, W, C]; valid until the next call for `name`."""
        ...


def new_header(messages: Messages, stamp_ns: int, frame_id: str) -> Any:
    """A filled `std_msgs/msg/Header`."""
    header = messages.new("std_msgs/msg/Header")
    header.stamp.sec, header.stamp.nanosec = divmod(stamp_ns, NS_PER_S)
    header.frame_id = frame_id
    return header
