"""The perception service as a ROS 2 lifecycle node; see README for its topics."""

from collections.abc import Mapping
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.parameter import Parameter
from std_srvs.srv import Trigger

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.params import Uptake
from robot_vision.core.parameters.values import uptakes
from robot_vision.memory import give_memory_back
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.params import configure_first, declare, with_known_parameters
from robot_vision.ros.common.service_node import ServiceNode
from robot_vision.ros.middleware.silence import SilenceLog, why_quiet
from robot_vision.ros.perception.active import Active
from robot_vision.ros.perception.configured import Configured
from robot_vision.ros.perception.diagnostics import NodeState, diagnostics
from robot_vision.ros.perception.inputs.topics import Inputs
from robot_vision.ros.perception.listeners import Listener, Listeners
from robot_vision.ros.perception.prompts import PromptTopic
from robot_vision.ros.perception.segments import Segments


class PerceptionNode(ServiceNode):
    """Loads models when configured; subscribes and works on frames while it is active."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("perception", **kwargs)
        self.config = declare(self, NodeConfig())
        self._health = Health()
        self._silence_log = SilenceLog(self)
        self._listeners = Listeners(self._health, self._log_error)
        self._configured: Configured | None = None
        self._active: Active | None = None
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
        parts = (self._active, self._configured)
        return bool(self._doing) or any(part is not None and part.is_working for part in parts)

    @property
    def model_id(self) -> str:
        """Name and version of the model in use; empty while none is loaded."""
        configured = self._configured
        return configured.pipeline.perceiver.model_id if configured is not None else ""

    def add_listener(self, listener: Listener) -> None:
        """Call `listener(perception, stage_s)` after each frame is published.

        It is called in the thread that works on frames, so it must only store. Its failures are
        counted and logged, and cost no frame. It stays registered over transitions.
        """
        self._listeners.add(listener)

    def remove_listener(self, listener: Listener) -> None:
        """Undo `add_listener`."""
        self._listeners.remove(listener)

    def _configure(self) -> None:
        self._doing = f"loading {self.config.model!r}"
        configured = self._configured = Configured(
            self, self.config, listeners=self._listeners, announce=self._announce
        )
        if self.config.segment.model:
            configured.add_segments(self._load_segments())
        perceiver = configured.pipeline.perceiver
        self.get_logger().info(f"{perceiver.model_id} runs on {perceiver.provider}")
        if perceiver.fallback_reason:
            self.get_logger().warning(perceiver.fallback_reason)

    def _load_segments(self) -> Segments:
        config = self.config.segment
        self._doing = f"loading {config.model!r}"
        segments = Segments(self, config, health=self._health, log=self._log_error)
        text = f"{segments.model_id} runs on {segments.provider}"
        self.get_logger().info(f"{text}, for requests on ~/segment/request")
        return segments

    def _activate(self) -> None:
        assert self._configured is not None
        self._active = Active(
            self,
            self._configured,
            self.config,
            health=self._health,
            listeners=self._listeners,
            log=self._log_error,
        )

    def _stop_work(self, limit_s: float | None = None) -> None:
        if self._active is not None and self._active.stop(limit_s):
            self._active = None

    def _release(self, limit_s: float | None = None) -> None:
        self._stop_work(limit_s)
        if self._configured is not None and self._configured.close(limit_s):
            self._configured = None

    def _announce(self, text: str) -> None:
        self._doing = text
        self.get_logger().warning(text)

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget what is tracked: the camera sees another scene."""
        if self._active is None:
            response.message = f"perception is {self.state}: nothing is tracked"
        else:
            self._active.forget()
            response.message = "tracking begins anew with the next frame"
        response.success = self._active is not None
        return response

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Check new values; a running service applies them, or reports why it does not."""
        try:
            names, config = with_known_parameters(self.config, changed)
            if config != self.config:
                self._take_up(config, names)
        except Exception as error:
            self.get_logger().error(f"parameters stay as they were: {error}")
            return SetParametersResult(successful=False, reason=str(error))
        finally:
            self._doing = ""
        return SetParametersResult(successful=True)

    def _take_up(self, config: NodeConfig, names: tuple[str, ...]) -> None:
        if self._configured is not None:
            self._apply(config, names, self._configured)
        self.config = config
        if "prompt" in names:
            self._log_prompt(config)

    def _apply(self, config: NodeConfig, names: tuple[str, ...], configured: Configured) -> None:
        """Do what the parameters `names` need in a configured node."""
        needed = {name: uptake for name, uptake in uptakes(config).items() if name in names}
        fixed = [name for name in names if needed[name] == Uptake.CONFIGURE]
        if fixed:
            raise ConfigError(configure_first(fixed, self.state))
        most = max(needed.values())
        if most > Uptake.LIVE:
            same_detector = most == Uptake.RELOAD_BESIDE_TRACKS
            self._swap_models(config, configured, same_detector=same_detector)
        if self._active is not None:
            self._active.use(config)
        else:
            configured.pipeline.adjust(config)

    def _log_prompt(self, config: NodeConfig) -> None:
        log = self.get_logger()
        if config.unheard_prompt:
            log.warning(config.unheard_prompt)
        else:
            log.info(f"the prompt is {quoted(config.prompt)}")

    def _swap_models(
        self, config: NodeConfig, configured: Configured, *, same_detector: bool
    ) -> None:
        """Load beside the old models, in this thread; the worker continues meanwhile."""
        self._doing = f"loading {config.model!r}"
        perceiver = build_perceiver(config, announce=self._announce)
        if self._active is not None:
            self._active.swap_perceiver(perceiver, same_detector=same_detector)
        else:
            old = configured.pipeline.swap_perceiver(perceiver, same_detector=same_detector)
            old.close()
        give_memory_back()
        self.get_logger().info(f"{perceiver.model_id} runs on {perceiver.provider} from now on")

    def _report(self) -> None:
        report = self._health.report()
        configured, active = self._configured, self._active
        perceiver = configured.pipeline.perceiver if configured is not None else None
        inputs = active.inputs if active is not None else None
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
        """Why topics are silent; changes are logged."""
        limit_s = self.config.diagnostics.silent_after_s
        silence = {
            topic.role: why_quiet(self, topic, quiet_s=quiet_s[topic.role])
            for topic in inputs.topics
            if quiet_s[topic.role] > limit_s and topic.role not in inputs.said_once
        }
        self._silence_log.update(silence)
        return silence
