"""The camera's pose in a target frame, from tf2 where it is installed."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from time import monotonic, sleep
from typing import Any

import numpy as np
from jaxtyping import Float64
from rclpy.node import Node
from rclpy.time import Time

from robot_vision.core.cameras.geometry import transform_from_quaternion
from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.parameters.config import TransformConfig
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.bounded import MOST_FRAME_ID_CHARACTERS
from robot_vision.sync.transforms import MOST_FRAMES

_LOOK_EVERY_S = 0.002


class TargetFrame:
    """Looks up `target_from_camera`; listens to /tf and /tf_static while it lives."""

    def __init__(self, node: Node, name: str, config: TransformConfig) -> None:
        try:
            import tf2_ros
        except ImportError as error:
            raise MissingDependencyError(
                f"target_frame is {name!r}, but tf2_ros is not installed; install it "
                "(apt install ros-$ROS_DISTRO-tf2-ros-py) or leave target_frame empty"
            ) from error
        self.name = name
        self._config = config
        self._buffer = tf2_ros.Buffer(node=node)
        self._error = tf2_ros.TransformException
        warn = partial(node.get_logger().warning, throttle_duration_sec=1.0)
        bounded = BoundedBuffer(self._buffer, warn)
        self._listener = tf2_ros.TransformListener(bounded, node)

    def from_camera(
        self, frame_id: str, stamp_ns: int, *, report: Callable[[str], object]
    ) -> Float64[np.ndarray, "4 4"] | None:
        """Transform from `frame_id` at `stamp_ns`, or None after `report` got the reason.

        /tf usually arrives later than the frame that it belongs to: the frame waits up to `wait_s`
        for it, and then takes the newest one if that is at most `stale_s` old. Nothing is
        extrapolated; a stamp from before all transforms has none.
        """
        until_s = monotonic() + self._config.wait_s
        while True:
            found = self._at(frame_id, stamp_ns)
            if found is not None:
                return _matrix(found)
            newest = self._newest(frame_id, report)
            if newest is None:
                return None
            late_s = seconds_between(ns_from_stamp(newest.header.stamp), stamp_ns)
            if late_s < 0:  # older than the buffer, unless it came just now
                found = self._at(frame_id, stamp_ns)
                break
            is_hopeless = late_s > self._config.stale_s + self._config.wait_s
            if is_hopeless or monotonic() >= until_s:
                found = newest if late_s <= self._config.stale_s else None
                break
            sleep(_LOOK_EVERY_S)
        if found is None:
            report(f"{self.name} from {frame_id}: {self._unfit(late_s)}")
            return None
        return _matrix(found)

    def _at(self, frame_id: str, stamp_ns: int) -> Any:
        with suppress(self._error):
            return self._buffer.lookup_transform(self.name, frame_id, Time(nanoseconds=stamp_ns))
        return None

    def _newest(self, frame_id: str, report: Callable[[str], object]) -> Any:
        try:
            return self._buffer.lookup_transform(self.name, frame_id, Time())
        except self._error as error:
            report(f"no transform from {frame_id} to {self.name}: {error}")
            return None

    def _unfit(self, late_s: float) -> str:
        if late_s < 0:
            return f"the frame is {-late_s:.3f} s older than what /tf remembers"
        return (
            f"the newest transform is {late_s:.3f} s older than the frame; at most "
            f"transforms.stale_s = {self._config.stale_s:g} s is taken"
        )

    def close(self) -> None:
        self._listener.unregister()


def _matrix(found: Any) -> Float64[np.ndarray, "4 4"]:
    move, turn = found.transform.translation, found.transform.rotation
    return transform_from_quaternion(
        np.array([move.x, move.y, move.z]), np.array([turn.x, turn.y, turn.z, turn.w])
    )


class BoundedBuffer:
    """Bounds tf2's buffer, which would keep every frame that was ever published."""

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
