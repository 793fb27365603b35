"""What the perception node runs while it is active."""

from collections.abc import Callable
from contextlib import ExitStack

from rclpy.lifecycle import LifecycleNode

from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.ros.common.health import Health
from robot_vision.ros.perception.configured import Configured
from robot_vision.ros.perception.inputs.frames import FrameBuilder
from robot_vision.ros.perception.inputs.robot import RobotInView
from robot_vision.ros.perception.inputs.topics import Inputs
from robot_vision.ros.perception.listeners import Listeners
from robot_vision.ros.perception.worker import Parts, Worker


class Active:
    """Inputs and the worker, from construction to `stop`."""

    def __init__(
        self,
        node: LifecycleNode,
        configured: Configured,
        config: NodeConfig,
        *,
        health: Health,
        listeners: Listeners,
        log: Callable[[str], None],
    ) -> None:
        with ExitStack() as closing:
            self.inputs = Inputs(node, config, health)
            closing.callback(self.inputs.close)
            self._robot: RobotInView | None = None
            if config.self_filter.enabled:
                self._robot = RobotInView(node, config, health)
                closing.callback(self._robot.close)
            frames = FrameBuilder(
                config,
                health,
                rgb_topic=node.resolve_topic_name("rgb"),
                depth_topic=node.resolve_topic_name("depth"),
                lookup=self.inputs.calibrations.lookup,
            )
            self._worker = Worker(
                Parts(
                    inputs=self.inputs,
                    frames=frames,
                    pipeline=configured.pipeline,
                    outputs=configured.outputs,
                    traces=configured.traces,
                    health=health,
                    target=configured.target,
                    robot=self._robot,
                    listeners=listeners,
                    log=log,
                )
            )
            closing.pop_all()
        self._listens = True

    def stop(self, limit_s: float | None = None) -> bool:
        """End inputs and the frame in hand; returns whether that ended within `limit_s`."""
        if self._listens:
            self._listens = False
            self.inputs.close()
        if not self._worker.stop(limit_s):
            return False
        if self._robot is not None:  # the worker uses it until it ends
            self._robot.close()
            self._robot = None
        return True

    @property
    def is_working(self) -> bool:
        """Whether the worker runs; a model's run cannot be interrupted."""
        return self._worker.is_alive

    def use(self, config: NodeConfig) -> None:
        """Apply parameters that need no other models, from the next frame on."""
        self._worker.use(config)
        self.inputs.use(config)

    def forget(self) -> None:
        """Start a new tracking epoch with the next frame."""
        self._worker.forget()

    def swap_perceiver(self, perceiver: Perceiver, *, same_detector: bool) -> None:
        """Use other models from the next frame on."""
        self._worker.swap_perceiver(perceiver, same_detector=same_detector)
