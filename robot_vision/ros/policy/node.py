"""The policy as a ROS 2 lifecycle node: from words and perceptions to an even command stream."""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from rcl_interfaces.msg import SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.camera_mount import CameraMount
from robot_vision.core.clock import seconds_between
from robot_vision.core.config import flatten
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.interfaces import Policy
from robot_vision.core.observation_spec import ObservationSpec
from robot_vision.core.robot_config import PolicyNodeConfig
from robot_vision.core.types import Decision, Frame
from robot_vision.core.unperceived import unperceived
from robot_vision.model_store.policies import POLICY_FILE, open_policy
from robot_vision.model_store.store import locate
from robot_vision.policies.check import check_observation, check_points, check_spec
from robot_vision.policies.controller import Controller
from robot_vision.policies.registry import load_policy
from robot_vision.ros.common.camera_pose import CameraPose, camera_pose
from robot_vision.ros.common.executor import UrgentGroup
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.params import declare, with_parameters
from robot_vision.ros.common.service_node import SUCCESS, ServiceNode
from robot_vision.ros.common.stream import Stream
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.middleware.silence import qos_problem, why_quiet
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.cameras.mounts import CameraMounts
from robot_vision.ros.policy.cameras.named_cameras import NamedCameras
from robot_vision.ros.policy.cameras.topics import CameraCallbacks, CameraTopics, declared_topics
from robot_vision.ros.policy.commander import Commander
from robot_vision.ros.policy.diagnostics import PolicyState, policy_diagnostics
from robot_vision.ros.policy.frozen_camera import FrozenCamera
from robot_vision.ros.policy.measured_depth import MeasuredDepth
from robot_vision.ros.policy.outputs import PolicyOutputs
from robot_vision.ros.policy.perception_topics import PerceptionTopics
from robot_vision.ros.policy.policy_server import log_server_news, server_status, server_words
from robot_vision.ros.policy.robot_inputs import RobotCallbacks, RobotInputs
from robot_vision.ros.policy.worker import PolicyParts, PolicyWorker

_STATUS_PERIOD_S = 0.1
_SILENT_AFTER_S = 2.0
# Topics that are quiet while nobody has anything to say.
_MAY_BE_QUIET = ("instruction", "heartbeat", "robot_description")


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedPolicy:
    """A policy with what it was trained on: classes by number, parameters by dotted name.

    `observation` is what one from pixels is shown; None decides by perception alone.
    `camera_mounts` say where it learnt that cameras are.
    """

    policy: Policy
    class_names: tuple[str, ...]
    perception: Mapping[str, Any] = field(default_factory=dict)
    observation: ObservationSpec | None = None
    camera_mounts: Mapping[str, CameraMount] = field(default_factory=dict)


LoadPolicy = Callable[[PolicyNodeConfig], LoadedPolicy]


def load(config: PolicyNodeConfig) -> LoadedPolicy:
    """The bundle that the parameters name, loaded and warm."""
    policy = load_policy(config.policy, threads=config.threads)
    manifest = policy.manifest
    return LoadedPolicy(
        policy=policy,
        class_names=manifest.class_names,
        perception=manifest.perception,
        observation=manifest.observation,
        camera_mounts=manifest.camera_mounts,
    )


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
        self._told: dict[str, str] = {}
        self._loaded: LoadedPolicy | None = None
        self._commander: Commander | None = None
        self._outputs: PolicyOutputs | None = None
        self._camera_pose: CameraPose | None = None
        self._robot: RobotInputs | None = None
        self._topics: PerceptionTopics | None = None
        self._cameras: CameraTopics | None = None
        self._shown: NamedCameras | None = None
        self._mounts: CameraMounts | None = None
        self._elsewhere: tuple[str, ...] = ()
        self._worker: PolicyWorker | None = None
        self._stream: Stream | None = None
        # What must not wait behind a model that is being loaded.
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
        return bool(self._doing) or (self._worker is not None and self._worker.is_alive)

    @property
    def spec(self) -> ActionSpec | None:
        """What the actions of the loaded policy mean."""
        return None if self._loaded is None else self._loaded.policy.spec

    @property
    def decision(self) -> Decision | None:
        """The latest one, for the console in this process."""
        return None if self._worker is None else self._worker.decision

    @property
    def decision_age_s(self) -> float:
        """Since the stamp of the frame that it is of."""
        decision = self.decision
        return 0.0 if decision is None else seconds_between(decision.stamp_ns, self._now_ns())

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribe and work, disabled; tell what the actions mean."""
        result = super().on_activate(state)
        if result == SUCCESS and self._outputs is not None:
            self._outputs.action_spec()
        return result

    def prepare_perception(self) -> None:
        """Give perception the bundle's parameters; called before either node is served.

        Later is too late for some: a tracker takes its thresholds when perception is configured.
        A bundle that cannot be read changes nothing here, and the node's start says why.
        """
        with suppress(BundleError):
            folder = locate(self.config.policy, POLICY_FILE)
            self._see_as_in_training(open_policy(folder).manifest.perception)

    def _may_start(self) -> bool:
        """Perception first: what the policy was made for is compared with what it runs."""
        perception = self._perception
        return perception is None or perception.state == "active" or bool(perception.problem)

    def _configure(self) -> None:
        config = self.config
        self._doing = f"loading {config.policy!r}"
        loaded = self._loaded = self._load(config)
        policy = loaded.policy
        running = self._perception.model_id if self._perception is not None else ""
        seen = loaded.observation
        is_needed = seen is None or bool(seen.perception)
        check_spec(
            policy.spec,
            perception_model_id=running if is_needed and running else None,
            **config.expected.action_values(),
        )
        check_observation(
            policy.spec,
            seen,
            cameras=tuple(config.expected.cameras) or None,
            rate_hz=config.expected.rate_hz or None,
        )
        check_points(policy, config.pointing)
        self._see_as_in_training(loaded.perception)
        frames = config.frame_map()
        if is_needed:
            self._camera_pose = camera_pose(
                self,
                config.camera_pose,
                base_frame=frames.base_frame,
                transforms=config.transforms,
                group=self._fast,
            )
        if seen is not None and loaded.camera_mounts:
            self._mounts = CameraMounts(
                self,
                loaded.camera_mounts,
                first=seen.cameras[0].name,
                config=config,
                pose=self._camera_pose,
                group=self._fast,
            )
        spoken = policy.spec.model_copy(
            update={"frame_id": frames.base_frame, "tool_frame_id": frames.tool_frame}
        )
        self._outputs = PolicyOutputs(self, spoken, config, self._fast)
        controller = Controller(policy.spec, config)
        self._commander = Commander(
            policy, controller, self._outputs, frames=frames, now_ns=self._now_ns
        )
        self.get_logger().info(f"{policy.spec.model_id} runs on {policy.provider}")

    def _see_as_in_training(self, wanted: Mapping[str, Any]) -> None:
        """Other thresholds would show the policy other objects than it knows."""
        if self._perception is None:
            return
        present = flatten(self._perception.config)
        for name, value in wanted.items():
            if present[name] == value:
                continue
            (result,) = self._perception.set_parameters([Parameter(name, value=value)])
            if result.successful:
                self.get_logger().info(f"perception takes {name} = {value!r}, as in training")
            else:
                self.get_logger().warning(
                    f"the policy was trained with {name} = {value!r}; perception runs with "
                    f"{present[name]!r}: {result.reason}"
                )

    def _activate(self) -> None:
        assert self._loaded is not None
        assert self._commander is not None
        assert self._outputs is not None
        commander, seen = self._commander, self._loaded.observation
        frozen_s = self.config.watchdog.perception_s
        cameras = None if seen is None else NamedCameras(seen, frozen_s=frozen_s)
        self._shown = cameras
        self._worker = PolicyWorker(
            PolicyParts(
                policy=self._loaded.policy,
                commander=commander,
                camera_pose=self._camera_pose,
                frames=self.config.frame_map(),
                frozen=FrozenCamera(frozen_s),
                cameras=cameras,
                depth=MeasuredDepth(self.config.watchdog.depth_s),
                pointing=self.config.pointing,
                outputs=self._outputs,
                health=self._health,
                now_ns=self._now_ns,
                log=self._log_error,
            )
        )
        self._robot = RobotInputs(
            self,
            self.config,
            RobotCallbacks(
                on_state=commander.robot,
                on_unusable=commander.robot_unusable,
                on_arm_fault=commander.arm_fault,
                on_description=commander.describe_arm,
                on_instruction=commander.instruct,
                on_heartbeat=commander.heartbeat,
            ),
            self._health,
        )
        self._health.start(("perception", *(topic.role for topic in self._robot.topics)))
        if self._camera_pose is not None:
            self._listen(self._worker, self._camera_pose, self._loaded.class_names)
        if cameras is not None:
            self._watch(self._worker, cameras)
        self._stream = Stream(self._tick, 1.0 / self.config.command_hz, log=self._log_error)

    def _tick(self) -> None:
        if self._commander is not None and is_up(self.context):
            self._commander.tick()

    def _listen(
        self, worker: PolicyWorker, pose: CameraPose, class_names: tuple[str, ...]
    ) -> None:
        """Begin to take perceptions."""
        if self._perception is not None:
            self._perception.add_listener(worker.offer)
            return

        def base_from_camera(frame_id: str, stamp_ns: int) -> Any:
            return pose.from_camera(frame_id, stamp_ns, report=lambda _: None)

        self._topics = PerceptionTopics(
            self,
            perception=self.config.perception,
            class_names=class_names,
            base_frame=self.config.frame_map().base_frame,
            base_from_camera=base_from_camera,
            with_grounded=self.config.pointing.grounded != "off",
            on_perception=worker.offer,
            health=self._health,
        )

    def _watch(self, worker: PolicyWorker, cameras: NamedCameras) -> None:
        """Begin to take pictures of named cameras; the first leads where perception does not."""
        all_cameras = cameras.observation.cameras
        names = declared_topics(self, all_cameras)

        def on_frame(name: str, frame: Frame) -> None:
            cameras.add(name, frame)
            if name == all_cameras[0].name:
                worker.offer(unperceived(frame), {})

        callbacks = CameraCallbacks(on_frame=on_frame, on_refused=cameras.refuse)
        watched = all_cameras[1:] if cameras.needs_perception else all_cameras
        self._cameras = CameraTopics(self, watched, names, callbacks, self._health)

    def _stop_work(self, limit_s: float | None = None) -> None:
        if self._commander is not None:
            self._commander.enable(False)
        if self._stream is not None:
            self._stream.stop()
            self._stream = None
            if self._outputs is not None and self.context.ok():
                self._outputs.end_commands()
        for source in (self._topics, self._cameras, self._robot):
            if source is not None:
                source.close()
        self._topics = self._cameras = self._robot = self._shown = None
        if self._worker is not None:
            if self._perception is not None:
                self._perception.remove_listener(self._worker.offer)
            if self._worker.stop(limit_s):
                self._worker = None

    def _release(self, limit_s: float | None = None) -> None:
        self._stop_work(limit_s)
        self._commander = None
        if self._outputs is not None:
            self._outputs.close()
            self._outputs = None
        for source in (self._mounts, self._camera_pose):
            if source is not None:
                source.close()
        self._mounts = self._camera_pose = None
        if self._loaded is not None:
            self._loaded.policy.close()
            self._loaded = None

    def _now_ns(self) -> int:
        return self.get_clock().now().nanoseconds

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        """The arm may move, or may not; refused while the node is not active."""
        if self._commander is None or self.state != "active":
            response.success = not request.data
            response.message = f"the node is {self.state}: nothing moves"
            return response
        self._commander.enable(request.data)
        response.success = True
        response.message = "enabled" if request.data else "disabled"
        self.get_logger().info(f"{response.message} by ~/enable")
        return response

    def _on_reset(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        """Forget instruction and chunks, and be disabled."""
        response.success = self._commander is not None
        if self._commander is not None:
            self._commander.reset()
        response.message = "reset" if response.success else f"the node is {self.state}"
        return response

    def _on_parameters(self, changed: list[Parameter]) -> SetParametersResult:
        """New values are taken up by the next configuration; a running policy keeps its own."""
        known = flatten(self.config)
        ours = [p for p in changed if p.name in known]
        try:
            config = with_parameters(self.config, ours)
            if config != self.config and self._loaded is not None:
                raise ConfigError(
                    f"{', '.join(p.name for p in ours)}: taken up when the node is configured; "
                    f"it is {self.state} now: clean it up first"
                )
        except ConfigError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self.config = config
        return SetParametersResult(successful=True)

    def _publish_status(self) -> None:
        policy = self._loaded.policy if self._loaded is not None else None
        log_server_news(policy, self.get_logger().warning)
        outputs, commander, stream = self._outputs, self._commander, self._stream
        if outputs is None or commander is None or stream is None or not is_up(self.context):
            return
        if not outputs.status_wanted:
            return
        evenness, worker = stream.evenness(), self._worker
        outputs.status(
            json.dumps(
                commander.status()
                | server_status(policy)
                | {
                    "camera_warnings": list(self._elsewhere),
                    "policy_ms": worker.policy_ms if worker is not None else None,
                    "command_hz": round(evenness.hz, 2),
                    "late": evenness.late,
                }
            )
        )

    def _look_at_cameras(self) -> tuple[str, ...]:
        """Which cameras are elsewhere than the policy learnt; in the log when it begins."""
        mounts, shown, commander = self._mounts, self._shown, self._commander
        if mounts is None or shown is None or commander is None:
            return ()
        found = mounts.elsewhere(shown.views(), commander.robot_at)
        if found and not self._elsewhere:
            self.get_logger().warning(
                f"{'; '.join(found)}: put it back, or train the policy where it is now"
            )
        return found

    def _report(self) -> None:
        report = self._health.report()
        self._elsewhere = self._look_at_cameras()
        policy = self._loaded.policy if self._loaded is not None else None
        commander, stream = self._commander, self._stream
        words = commander.status() if commander is not None else {}
        state = PolicyState(
            name=self.get_fully_qualified_name(),
            state=self.state,
            config=self.config,
            problem=self.problem,
            doing=self._doing,
            policy_id=policy.spec.model_id if policy is not None else "",
            provider=policy.provider if policy is not None else "",
            server=server_words(policy),
            silence=self._silence(report.quiet_s),
            enabled=words.get("enabled", False),
            holding=words.get("holding", True),
            reasons=tuple(words.get("reasons", ())),
            joint_warnings=tuple(words.get("joint_warnings", ())),
            masked=tuple(words.get("masked", ())),
            elsewhere=self._elsewhere,
            interventions=words.get("interventions", {}),
            age_s=commander.age_s() if commander is not None else {},
            evenness=stream.evenness() if stream is not None else None,
        )
        now_ns = self._now_ns()
        self._diagnostics.publish(policy_diagnostics(report, state, now_ns=now_ns))

    def _silence(self, quiet_s: Mapping[str, float]) -> dict[str, str]:
        """Why topics are quiet; told in the log as well when it changes."""
        topics = [*(self._robot.topics if self._robot else ())]
        topics += self._topics.topics if self._topics else ()
        topics += self._cameras.topics if self._cameras else ()
        silence = {
            topic.role: why_quiet(self, topic, quiet_s=quiet_s[topic.role])
            for topic in topics
            if topic.role not in _MAY_BE_QUIET and quiet_s.get(topic.role, 0.0) > _SILENT_AFTER_S
        }
        for topic in topics:
            if topic.role in _MAY_BE_QUIET and (problem := qos_problem(self, topic)):
                silence[topic.role] = problem
        if self._perception is not None and quiet_s.get("perception", 0.0) > _SILENT_AFTER_S:
            silence["perception"] = "no frame from the perception node; see its diagnostics"
        if silence.keys() != self._told.keys():
            for role in silence.keys() - self._told.keys():
                self.get_logger().warning(f"{role} is silent: {silence[role]}")
            self._told = silence
        return silence
