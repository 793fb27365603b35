"""The camera's pose in a target frame, from tf2 where it is installed."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64
from rclpy.node import Node
from rclpy.time import Time

from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.geometry import transform_from_quaternion
from robot_vision.ros.middleware.bounded import MOST_FRAME_ID_CHARACTERS
from robot_vision.sync.transforms import MOST_FRAMES


class TargetFrame:
    """Looks up `target_from_camera`; listens to /tf and /tf_static while it lives."""

    def __init__(self, node: Node, name: str) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise MissingDependencyError(
                f"target_frame is {name!r}, but tf2_ros is not installed; install it "
                "(apt install ros-$ROS_DISTRO-tf2-ros) or leave target_frame empty"
            ) from error
        self.name = name
        self._buffer = tf2_ros.Buffer(node=node)
        self._error = tf2_ros.TransformException
        warn = partial(node.get_logger().warning, throttle_duration_sec=1.0)
        bounded = BoundedBuffer(self._buffer, warn)
        self._listener = tf2_ros.TransformListener(bounded, node)

    def from_camera(
        self, frame_id: str, stamp_ns: int, *, report: Callable[[str], object]
    ) -> Float64[np.ndarray, "4 4"] | None:
        """Transform from `frame_id` at `stamp_ns`, else the latest one, else None.

        /tf comes later than the frame it belongs to as a rule, so that the latest transform is
        what a frame that must not wait can have. `report` is told what was missing.
        """
        try:
            found = self._buffer.lookup_transform(self.name, frame_id, Time(nanoseconds=stamp_ns))
        except self._error:
            try:
                found = self._buffer.lookup_transform(self.name, frame_id, Time())
            except self._error as error:
                report(f"no transform from {frame_id} to {self.name}: {error}")
                return None
        move, turn = found.transform.translation, found.transform.rotation
        return transform_from_quaternion(
            np.array([move.x, move.y, move.z]), np.array([turn.x, turn.y, turn.z, turn.w])
        )

    def close(self) -> None:
        self._listener.unregister()


class BoundedBuffer:
    """What the listener fills: tf2's buffer, which keeps every frame that it ever heard of."""

    def __init__(self, buffer: Any, warn: Callable[[str], object]) -> None:
        self._buffer = buffer
        self._warn = warn
        self._known: set[str] = set()
        self._refused = 0

    def set_transform(self, transform: Any, authority: str) -> None:
        if self._takes(transform):
            self._buffer.set_transform(transform, authority)

    def set_transform_static(self, transform: Any, authority: str) -> None:
        if self._takes(transform):
            self._buffer.set_transform_static(transform, authority)

    def _takes(self, transform: Any) -> bool:
        names = {transform.child_frame_id, transform.header.frame_id}
        if names <= self._known:
            return True
        fits = len(self._known) + len(names) <= MOST_FRAMES
        if fits and max(map(len, names)) <= MOST_FRAME_ID_CHARACTERS:
            self._known |= names
            return True
        self._refused += 1
        self._warn(
            f"/tf: {self._refused} transforms refused so far: more than {MOST_FRAMES} frames, or "
            f"a name of more than {MOST_FRAME_ID_CHARACTERS} characters"
        )
        return False
