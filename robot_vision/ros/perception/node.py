"""The perception service as a ROS 2 lifecycle node; see README for its topics."""

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from robot_vision.core.config import NodeConfig, flatten
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.core.segment_config import SegmentConfig
from robot_vision.memory import give_memory_back
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.params import declare, with_parameters
from robot_vision.ros.common.service_node import ServiceNode
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.middleware.silence import why_quiet
from robot_vision.ros.perception.diagnostics import NodeState, diagnostics
from robot_vision.ros.perception.frames import FrameBuilder
from robot_vision.ros.perception.inputs import Inputs
from robot_vision.ros.perception.listeners import Listener, Listeners
from robot_vision.ros.perception.outputs import Outputs, Traces
from robot_vision.ros.perception.prompts import PromptTopic
from robot_vision.ros.perception.robot import RobotInView
from robot_vision.ros.perception.segments import Segments
from robot_vision.ros.perception.worker import Parts, Worker
from robot_vision.tracking import build_tracker

# Parameters that wait for the next configuration; a running service takes up all others.
_FIXED_PARAMETERS = (
    "autostart",
    "target_frame",
    "compute_every",
    "camera.",
    "camera_pose.",
    "self_filter.",
    "tracker.",
    "input.",
    "points.",
    "segment.",
    "diagnostics.period_s",
)
# Parameters that the loaded models can be used with; for all others models are loaded anew.
_LIGHT_PARAMETERS = (
    "sync.",
    "diagnostics.",
    "detector.",
    "depth.",
    "prompt",
    "grounding_threshold",
)
# Models that tracks do not depend on: under others of these, they live on.
_BESIDE_TRACKS = ("classifier_model", "segmentation_model", "grounding_model")


class PerceptionNode(ServiceNode):
    """Loads models when configured; subscribes and works on frames while it is active."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("perception", **kwargs)
        self.config = declare(self, NodeConfig())
        self._told: dict[str, str] = {}
        self._health = Health()
        self._listeners = Listeners(self._health, self._log_error)
        self._pipeline: Pipeline | None = None
        self._outputs: Outputs | None = None
        self._traces: Traces | None = None
        self._target: TargetFrame | None = None
        self._inputs: Inputs | None = None
        self._robot: RobotInView | None = None
        self._worker: Worker | None = None
        self._segments: Segments | None = None
        self.add_on_set_parameters_callback(self._on_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(
            Trigger,
            "~/reset",
            self._on_reset,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )
        self._prompts = PromptTopic(self, self._log_error)
        self.create_timer(
            self.config.diagnostics.period_s,
            self._report,
            callback_group=MutuallyExclusiveCallbackGroup(),
            clock=self._steady,
        )
        if self.config.autostart:
            self.autostart()

    @property
    def busy(self) -> bool:
        """Whether a model is being loaded or run at this moment."""
        threads = (self._worker, self._segments)
        return bool(self._doing) or any(t is not None and t.is_alive for t in threads)

    @property
    def model_id(self) -> str:
        """Name and version of the model in use; empty while none is loaded."""
        return self._pipeline.perceiver.model_id if self._pipeline is not None else ""

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(perception, stage_s)` after each frame is published.

        It is called in the thread that works on frames: it must only store. A failure of it is
        counted and logged, and costs no frame. It stays over transitions until it is removed.
        """
        self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Undo `add_listener`."""
        self._listeners.remove(listener)

    def _configure(self) -> None:
        self._doing = f"loading {self.config.model!r}"
        if self.config.target_frame:
            self._target = TargetFrame(self, self.config.target_frame, self.config.transforms)
        self._pipeline = Pipeline(
            self.config,
            perceiver=build_perceiver(self.config, announce=self._announce),
            tracker=build_tracker(self.config.tracker),
        )
        self._outputs = Outputs(self, points=self.config.points)
        self._traces = Traces(self)
        if self.config.segment.model:
            self._make_segments(self.config.segment)
        perceiver = self._pipeline.perceiver
        self.get_logger().info(f"{perceiver.model_id} runs on {perceiver.provider}")
        if perceiver.fallback_reason:
            self.get_logger().warning(perceiver.fallback_reason)

    def _make_segments(self, config: SegmentConfig) -> None:
        self._doing = f"loading {config.model!r}"
        self._segments = Segments(self, config, health=self._health, log=self._log_error)
        self.add_listener(self._segments.on_perception)
        text = f"{self._segments.model_id} runs on {self._segments.provider}"
        self.get_logger().info(f"{text}, for what is asked on ~/segment/request")

    def _activate(self) -> None:
        assert self._pipeline is not None
        assert self._outputs is not None
        assert self._traces is not None
        self._inputs = Inputs(self, self.config, self._health)
        if self.config.self_filter.enabled:
            self._robot = RobotInView(self, self.config, self._health)
        self._worker = Worker(
            Parts(
                inputs=self._inputs,
                frames=FrameBuilder(
                    self.config,
                    self._health,
                    rgb_topic=self.resolve_topic_name("rgb"),
                    depth_topic=self.resolve_topic_name("depth"),
                    lookup=self._inputs.calibrations.lookup,
                ),
                pipeline=self._pipeline,
                outputs=self._outputs,
                traces=self._traces,
                health=self._health,
                target=self._target,
                robot=self._robot,
                listeners=self._listeners,
                log=self._log_error,
            )
        )

    def _stop_work(self, limit_s: float | None = None) -> None:
        if self._inputs is not None:
            self._inputs.close()
            self._inputs = None
        if self._worker is not None and self._worker.stop(limit_s):
            self._worker = None
        if self._robot is not None and self._worker is None:
            self._robot.close()
            self._robot = None

    def _release(self, limit_s: float | None = None) -> None:
        self._stop_work(limit_s)
        if self._segments is not None:
            self.remove_listener(self._segments.on_perception)
            if self._segments.close(limit_s):
                self._segments = None
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        if self._traces is not None:
            self._traces.close()
            self._traces = None
        if self._target is not None:
            self._target.close()
            self._target = None
        if self._pipeline is not None:
            self._pipeline.perceiver.close()
            self._pipeline = None

    def _announce(self, text: str) -> None:
        self._doing = text
        self.get_logger().warning(text)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget what is tracked: another scene lies before the camera."""
        if self._worker is None:
            response.message = f"perception is {self.state}: nothing is tracked"
        else:
            self._worker.forget()
            response.message = "tracking begins anew with the next frame"
        response.success = self._worker is not None
        return response

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Check new values; a running service takes them up, or says why it does not."""
        known = flatten(self.config)
        ours = [p for p in changed if p.name in known]
        try:
            config = with_parameters(self.config, ours)
            if config != self.config:
                self._take_up(config, [p.name for p in ours])
        except Exception as error:
            self.get_logger().error(f"parameters stay as they were: {error}")
            return SetParametersResult(successful=False, reason=str(error))
        finally:
            self._doing = ""
        return SetParametersResult(successful=True)

    def _take_up(self, config: NodeConfig, names: list[str]) -> None:
        if self._pipeline is not None:
            fixed = [name for name in names if name.startswith(_FIXED_PARAMETERS)]
            if fixed:
                raise ConfigError(
                    f"{', '.join(fixed)}: taken up when the node is configured; "
                    f"it is {self.state} now: clean it up first"
                )
            if not all(name.startswith(_LIGHT_PARAMETERS) for name in names):
                same = all(
                    name.startswith((*_LIGHT_PARAMETERS, *_BESIDE_TRACKS)) for name in names
                )
                self._swap_models(config, self._pipeline, same_detector=same)
            if self._inputs is not None and self._worker is not None:
                self._worker.use(config)
                self._inputs.use(config)
            else:
                self._pipeline.adjust(config)
        self.config = config
        if "prompt" in names:
            self._say_prompt(config)

    def _say_prompt(self, config: NodeConfig) -> None:
        log = self.get_logger()
        if config.grounding_model:
            log.info(f"looked for by words: {quoted(config.prompt)}")
        else:
            log.warning(f"nothing looks for {quoted(config.prompt)}: there is no grounding_model")

    def _swap_models(self, config: NodeConfig, pipeline: Pipeline, *, same_detector: bool) -> None:
        """Load beside the old models, in this thread; the worker goes on meanwhile."""
        self._doing = f"loading {config.model!r}"
        perceiver = build_perceiver(config, announce=self._announce)
        if self._worker is not None:
            self._worker.swap_perceiver(perceiver, same_detector=same_detector)
        else:
            pipeline.swap_perceiver(perceiver, same_detector=same_detector).close()
        give_memory_back()
        self.get_logger().info(f"{perceiver.model_id} runs on {perceiver.provider} from now on")

    def _report(self) -> None:
        report = self._health.report()
        perceiver = self._pipeline.perceiver if self._pipeline is not None else None
        inputs = self._inputs
        state = NodeState(
            name=self.get_fully_qualified_name(),
            state=self.state,
            config=self.config,
            problem=self.problem,
            doing=self._doing,
            model_id=perceiver.model_id if perceiver else "",
            provider=perceiver.provider if perceiver else "",
            fallback_reason=perceiver.fallback_reason if perceiver else "",
            silence=self._silence(inputs, report.quiet_s) if inputs else {},
            worst_offset_s=inputs.worst_offset_s if inputs else 0.0,
        )
        now_ns = self.get_clock().now().nanoseconds
        self._diagnostics.publish(diagnostics(report, state, now_ns=now_ns))

    def _silence(self, inputs: Inputs, quiet_s: Mapping[str, float]) -> dict[str, str]:
        """Why topics are quiet; told in the log as well when it changes."""
        limit_s = self.config.diagnostics.silent_after_s
        silence = {
            topic.role: why_quiet(self, topic, quiet_s=quiet_s[topic.role])
            for topic in inputs.topics
            if quiet_s[topic.role] > limit_s and topic.role not in inputs.said_once
        }
        if silence.keys() != self._told.keys():
            for role in silence.keys() - self._told.keys():
                self.get_logger().warning(f"{role} is silent: {silence[role]}")
            self._told = silence
        return silence
