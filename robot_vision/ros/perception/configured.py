"""What the perception node holds from its configuration to its cleanup."""

from collections.abc import Callable
from contextlib import ExitStack

from rclpy.lifecycle import LifecycleNode

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.perception.listeners import Listeners
from robot_vision.ros.perception.outputs import Outputs, Traces
from robot_vision.ros.perception.segments import Segments
from robot_vision.tracking import build_tracker


class Configured:
    """Loaded models and publishers, until `close`. Where this raises, nothing is left open.

    `announce` logs what takes long.
    """

    def __init__(
        self,
        node: LifecycleNode,
        config: NodeConfig,
        *,
        listeners: Listeners,
        announce: Callable[[str], None],
    ) -> None:
        self._listeners = listeners
        self._segments: Segments | None = None
        with ExitStack() as closing:
            self.target: TargetFrame | None = None
            if config.target_frame:
                self.target = TargetFrame(node, config.target_frame, config.transforms)
                closing.callback(self.target.close)
            self.pipeline = Pipeline(
                config,
                perceiver=build_perceiver(config, announce=announce),
                tracker=build_tracker(config.tracker),
            )
            closing.callback(lambda: self.pipeline.perceiver.close())
            self.outputs = Outputs(node, points=config.points)
            closing.callback(self.outputs.close)
            self.traces = Traces(node)
            closing.callback(self.traces.close)
            self._closing = closing.pop_all()

    def add_segments(self, segments: Segments) -> None:
        """Answer `~/segment` with these from now on."""
        self._segments = segments
        self._listeners.add(segments.on_perception)

    @property
    def is_working(self) -> bool:
        """Whether a picture is being segmented; that cannot be interrupted."""
        return self._segments is not None and self._segments.is_alive

    def close(self, limit_s: float | None = None) -> bool:
        """Let everything go; returns whether the work in hand ended within `limit_s`."""
        if self._segments is not None:
            self._listeners.remove(self._segments.on_perception)
            if self._segments.close(limit_s):
                self._segments = None
        self._closing.close()
        return self._segments is None
