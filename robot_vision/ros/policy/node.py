"""The policy as a ROS 2 lifecycle node: from instruction and perceptions to a command stream."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.types import Decision
from robot_vision.model_store.policies import POLICY_FILE, open_policy
from robot_vision.model_store.store import find_bundle, locate
from robot_vision.ros.common.executor import UrgentGroup
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.params import configure_first, declare, with_known_parameters
from robot_vision.ros.common.service_node import SUCCESS, ServiceNode
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.middleware.silence import ListenedTopic, SilenceLog, qos_problem, why_quiet
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.active import Active
from robot_vision.ros.policy.configured import Configured
from robot_vision.ros.policy.diagnostics import PolicyState, policy_diagnostics
from robot_vision.ros.policy.loading import LoadPolicy, load, perceive_as_in_training
from robot_vision.ros.policy.server_words import log_server_news, server_status

_STATUS_PERIOD_S = 0.1
_SILENT_AFTER_S = 2.0
# Topics that are quiet while nobody has anything to say.
_MAY_BE_QUIET = ("instruction", "heartbeat", "robot_description")


class PolicyNode(ServiceNode):
    """Takes perceptions from `perception` in this process, or from topics where it is None."""

    def __init__(
        self,
        *,
        perception: PerceptionNode | None = None,
        load: LoadPolicy = load,
        required: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__("policy", required=required, **kwargs)
        self.config = declare(self, PolicyNodeConfig())
        self._perception = perception
        self._load = load
        self._health = Health()
        self._silence_log = SilenceLog(self)
        self._configured: Configured | None = None
        self._active: Active | None = None
        # Callbacks that must not wait behind a model that is being loaded.
        self._fast = UrgentGroup()
        self.add_on_set_parameters_callback(self._on_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self.create_service(SetBool, "~/enable", self._on_enable, callback_group=self._fast)
        self.create_service(Trigger, "~/reset", self._on_reset, callback_group=self._fast)
        for period_s, report in (
            (self.config.report_period_s, self._report),
            (_STATUS_PERIOD_S, self._publish_status),
        ):
            group = MutuallyExclusiveCallbackGroup()
            self.create_timer(period_s, report, callback_group=group, clock=self._steady)
        if self.config.autostart:
            self.autostart()

    @property
    def busy(self) -> bool:
        """Whether the policy is being loaded or decides at this moment."""
        return bool(self._doing) or (self._active is not None and self._active.is_working)

    @property
    def topics(self) -> tuple[ListenedTopic, ...]:
        """The topics that the active node listens to."""
        return self._active.topics if self._active is not None else ()

    @property
    def spec(self) -> ActionSpec | None:
        """What the actions of the loaded policy mean."""
        return None if self._configured is None else self._configured.policy.spec

    @property
    def decision(self) -> Decision | None:
        """The latest decision, for the console in this process."""
        return None if self._active is None else self._active.decision

    @property
    def decision_age_s(self) -> float:
        """The age of the frame that it was made on."""
        decision = self.decision
        return 0.0 if decision is None else seconds_between(decision.stamp_ns, self._now_ns())

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and work, disabled; publish what the actions mean."""
        result = super().on_activate(state)
        if result == SUCCESS and self._configured is not None:
            self._configured.outputs.action_spec()
        return result

    def prepare_perception(self) -> None:
        """Set perception's parameters to those of the bundle, before either node is served.

        Later is too late for some: a tracker takes its thresholds when perception is configured.
        A bundle that cannot be read, or that was trained on another perception model, changes
        nothing here; the node's start reports it.
        """
        with suppress(BundleError):
            manifest = open_policy(locate(self.config.policy, POLICY_FILE)).manifest
            if self._perceives_with(manifest.action_spec.perception_model_id):
                self._perceive_as_in_training(manifest.perception)

    def _perceives_with(self, model_id: str) -> bool:
        """Whether perception's parameters name this model; a policy without one takes any."""
        if self._perception is None or not model_id:
            return True
        return find_bundle(self._perception.config.model).manifest.model_id == model_id

    def _may_start(self) -> bool:
        """Perception starts first: the policy's requirements are compared with what it runs."""
        perception = self._perception
        return perception is None or perception.state == "active" or bool(perception.problem)

    def _configure(self) -> None:
        self._doing = f"loading {self.config.policy!r}"
        configured = self._configured = Configured(
            self,
            self._load(self.config),
            self.config,
            perception_model_id=self._perception.model_id if self._perception is not None else "",
            group=self._fast,
            now_ns=self._now_ns,
        )
        self._perceive_as_in_training(configured.loaded.perception)
        policy = configured.policy
        self.get_logger().info(f"{policy.spec.model_id} runs on {policy.provider}")

    def _perceive_as_in_training(self, wanted: Mapping[str, Any]) -> None:
        if self._perception is not None:
            perceive_as_in_training(self._perception, wanted, self.get_logger())

    def _activate(self) -> None:
        assert self._configured is not None
        self._active = Active(
            self,
            self._configured,
            self.config,
            perception=self._perception,
            health=self._health,
            now_ns=self._now_ns,
            log=self._log_error,
        )

    def _stop_work(self, limit_s: float | None = None) -> None:
        if self._active is not None and self._active.stop(limit_s):
            self._active = None

    def _release(self, limit_s: float | None = None) -> None:
        self._stop_work(limit_s)
        if self._configured is not None:
            self._configured.close()
            self._configured = None

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """Let the arm move, or not; refused while the node is not active."""
        if self._configured is None or self.state != "active":
            response.success = not request.data
            response.message = f"the node is {self.state}: nothing moves"
            return response
        self._configured.commander.enable(request.data)
        response.success = True
        response.message = "enabled" if request.data else "disabled"
        self.get_logger().info(f"{response.message} by ~/enable")
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget instruction and chunks, and disable."""
        response.success = self._configured is not None
        if self._configured is not None:
            self._configured.commander.reset()
        response.message = "reset" if response.success else f"the node is {self.state}"
        return response

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """Check new values. The next configuration applies them; a loaded policy keeps its own."""
        try:
            names, config = with_known_parameters(self.config, changed)
            if config != self.config and self._configured is not None:
                raise ConfigError(configure_first(names, self.state))
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        return SetParametersResult(successful=True)

    def _publish_status(self) -> None:
        configured, active = self._configured, self._active
        if configured is None:
            return
        log_server_news(configured.policy, self.get_logger().warning)
        if active is not None and is_up(self.context) and configured.outputs.status_wanted:
            configured.outputs.status(active.status())

    def _report(self) -> None:
        report = self._health.report()
        configured, active = self._configured, self._active
        if active is not None:
            active.check_cameras()
        policy = configured.policy if configured is not None else None
        state = PolicyState(
            name=self.get_fully_qualified_name(),
            state=self.state,
            config=self.config,
            problem=self.problem,
            doing=self._doing,
            policy_id=policy.spec.model_id if policy is not None else "",
            provider=policy.provider if policy is not None else "",
            server=server_status(policy) if policy is not None else None,
            silence=self._silence(report.quiet_s),
            status=active.status() if active is not None else None,
            age_s=configured.commander.age_s() if configured is not None else {},
            evenness=active.evenness() if active is not None else None,
        )
        self._diagnostics.publish(policy_diagnostics(report, state, now_ns=self._now_ns()))

    def _silence(self, quiet_s: Mapping[str, float]) -> dict[str, str]:
        """Why topics are silent; changes are logged."""
        silence: dict[str, str] = {}
        for topic in self.topics:
            if topic.role in _MAY_BE_QUIET:
                if problem := qos_problem(self, topic):
                    silence[topic.role] = problem
            elif quiet_s.get(topic.role, 0.0) > _SILENT_AFTER_S:
                silence[topic.role] = why_quiet(self, topic, quiet_s=quiet_s[topic.role])
        if self._perception is not None and quiet_s.get("perception", 0.0) > _SILENT_AFTER_S:
            silence["perception"] = "no frame from the perception node; see its diagnostics"
        self._silence_log.update(silence)
        return silence
