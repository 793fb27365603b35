"""Unusable messages and fields from topics: all are counted, some are logged."""

from time import monotonic

from rclpy.node import Node

from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.files.foreign import quoted

_WARN_S = 10.0


class Refusals:
    """Counts in the snapshots, and logs the latest reason once per topic in ten seconds."""

    def __init__(self, node: Node, snapshots: Snapshots) -> None:
        self._node = node
        self._snapshots = snapshots
        self._warned_s: dict[str, float] = {}
        self._since: dict[str, int] = {}

    def add(self, topic: str, words: str, count: int = 1) -> None:
        """Count unusable messages or figures of `topic`; `words` may contain untrusted text."""
        if count == 0:
            return
        self._snapshots.could_not_use(topic, count)
        self._since[topic] = self._since.get(topic, 0) + count
        now_s = monotonic()
        if now_s - self._warned_s.get(topic, -_WARN_S) >= _WARN_S:
            self._warned_s[topic] = now_s
            text = f"{topic}: {self._since.pop(topic)} unusable, shown as unknown: {quoted(words)}"
            self._node.get_logger().warning(text)
