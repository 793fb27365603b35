"""Keeps an arm from following depth that no sensor measured, unless a parameter allows it."""

from robot_vision.core.clock import seconds_between
from robot_vision.core.types import Perception
from robot_vision.policies.observing.visual_tokens import measured_depth


class MeasuredDepth:
    """Detects frames without measured depth, and when they have lasted for `limit_s`."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._measured_ns: int | None = None

    def problem(self, perception: Perception) -> str | None:
        """Why to hold; None if depth was measured or `limit_s` is 0.

        Empty within `limit_s`: the frame is only skipped.
        """
        stamp_ns = perception.stamp_ns
        if not self._limit_s or measured_depth(perception) is not None:
            self._measured_ns = stamp_ns
            return None
        if self._measured_ns is not None:
            gone_s = seconds_between(self._measured_ns, stamp_ns)
            if 0 <= gone_s <= self._limit_s:
                return ""
        return (
            "no depth sensor measures anything: depth from colour alone is too rough to move by "
            "(watchdog.depth_s 0 allows it)"
        )
