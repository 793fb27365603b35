"""What the policy node runs while it is active."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from rclpy.lifecycle import LifecycleNode

from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Decision, Frame
from robot_vision.ros.common.camera_pose import CameraPoseSource
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.stream import Evenness, Stream
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.middleware.silence import ListenedTopic
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.cameras.policy_cameras import PolicyCameras
from robot_vision.ros.policy.cameras.topics import CameraCallbacks, CameraTopics, declared_topics
from robot_vision.ros.policy.configured import Configured
from robot_vision.ros.policy.inputs.frozen_camera import FrozenCamera
from robot_vision.ros.policy.inputs.measured_depth import MeasuredDepth
from robot_vision.ros.policy.inputs.perception_topics import PerceptionTopics
from robot_vision.ros.policy.inputs.perceptions import PerceptionReader
from robot_vision.ros.policy.inputs.robot_inputs import RobotCallbacks, RobotInputs
from robot_vision.ros.policy.server_words import server_status
from robot_vision.ros.policy.worker import PolicyParts, PolicyWorker


class Active:
    """Inputs, the worker that decides and the stream of commands, from construction to `stop`.

    Perceptions come from `perception` in this process, or from topics where it is None.
    `topics` are those that it listens to.
    """

    def __init__(
        self,
        node: LifecycleNode,
        configured: Configured,
        config: PolicyNodeConfig,
        *,
        perception: PerceptionNode | None,
        health: Health,
        now_ns: Callable[[], int],
        log: Callable[[str], object],
    ) -> None:
        self._node, self._configured, self._config = node, configured, config
        self._perception, self._health, self._log = perception, health, log
        self._commander = configured.commander
        self._camera_warnings: tuple[str, ...] = ()
        self.topics: tuple[ListenedTopic, ...] = ()
        self._cameras = self._policy_cameras(configured.loaded.observation)
        self._worker = self._start_worker(now_ns)
        with ExitStack() as failed:
            failed.callback(self._worker.stop)
            self._closing = self._open()
            failed.pop_all()

    def _open(self) -> ExitStack:
        """Begin to listen and to command; closing what is returned ends it, commands first."""
        with ExitStack() as closing:
            self._listen_to_robot(closing)
            if self._configured.camera_pose is not None:
                self._listen_to_perception(self._configured.camera_pose, closing)
            if self._cameras is not None:
                self._listen_to_cameras(self._cameras, closing)
            closing.callback(self._end_commands)
            self._stream = Stream(self._tick, 1.0 / self._config.command_hz, log=self._log)
            closing.callback(self._stream.stop)
            closing.callback(self._commander.enable, False)
            return closing.pop_all()

    def stop(self, limit_s: float | None = None) -> bool:
        """End commands, then inputs, then the worker; returns whether that ended in `limit_s`."""
        self._closing.close()
        return self._worker.stop(limit_s)

    @property
    def is_working(self) -> bool:
        """Whether the worker runs; a decision cannot be interrupted."""
        return self._worker.is_alive

    @property
    def decision(self) -> Decision | None:
        """The latest decision; None before the first."""
        return self._worker.decision

    def evenness(self) -> Evenness:
        return self._stream.evenness()

    def status(self) -> PolicyStatus:
        """What `~/status/json` says now."""
        evenness = self.evenness()
        return replace(
            self._commander.status(),
            policy_server=server_status(self._configured.policy),
            camera_warnings=self._camera_warnings,
            policy_ms=self._worker.policy_ms,
            command_hz=round(evenness.hz, 2),
            late=evenness.late,
        )

    def check_cameras(self) -> None:
        """Find cameras that are not where the policy learnt that they are; log new warnings."""
        mounts, cameras = self._configured.mounts, self._cameras
        if mounts is None or cameras is None:
            return
        found = mounts.elsewhere(cameras.views(), self._commander.robot_at)
        if found and not self._camera_warnings:
            self._node.get_logger().warning(
                f"{'; '.join(found)}: put it back, or train the policy where it is now"
            )
        self._camera_warnings = found

    def _policy_cameras(self, seen: ObservationSpec | None) -> PolicyCameras | None:
        frozen_s = self._config.watchdog.perception_s
        return None if seen is None else PolicyCameras(seen, frozen_s=frozen_s)

    def _start_worker(self, now_ns: Callable[[], int]) -> PolicyWorker:
        configured, watchdog = self._configured, self._config.watchdog
        return PolicyWorker(
            PolicyParts(
                policy=configured.policy,
                commander=self._commander,
                camera_pose=configured.camera_pose,
                frames=configured.frames,
                frozen=FrozenCamera(watchdog.perception_s),
                cameras=self._cameras,
                depth=MeasuredDepth(watchdog.depth_s),
                pointing=self._config.pointing,
                outputs=configured.outputs,
                health=self._health,
                now_ns=now_ns,
                log=self._log,
            )
        )

    def _listen_to_robot(self, closing: ExitStack) -> None:
        commander = self._commander
        robot = RobotInputs(
            self._node,
            self._config,
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
        closing.callback(robot.close)
        self.topics += tuple(robot.topics)
        self._health.start(("perception", *(topic.role for topic in robot.topics)))

    def _listen_to_perception(self, pose: CameraPoseSource, closing: ExitStack) -> None:
        perception, offer = self._perception, self._worker.offer
        if perception is not None:
            perception.add_listener(offer)
            closing.callback(perception.remove_listener, offer)
            return

        def base_from_camera(frame_id: str, stamp_ns: int) -> Any:
            return pose.from_camera(frame_id, stamp_ns, report=lambda _: None)

        reader = PerceptionReader(
            self._node,
            class_names=self._configured.loaded.class_names,
            base_frame=self._configured.frames.base_frame,
            base_from_camera=base_from_camera,
            health=self._health,
        )
        topics = PerceptionTopics(
            self._node,
            perception=self._config.perception,
            reader=reader,
            with_grounded=self._config.pointing.grounded != "off",
            on_perception=offer,
            health=self._health,
        )
        closing.callback(topics.close)
        self.topics += tuple(topics.topics)

    def _listen_to_cameras(self, cameras: PolicyCameras, closing: ExitStack) -> None:
        """Take pictures of named cameras; the first one triggers decisions without perception."""
        seen = cameras.observation.cameras
        names = declared_topics(self._node, seen)

        def on_frame(name: str, frame: Frame) -> None:
            cameras.add(name, frame)
            if name == seen[0].name:
                self._worker.offer(unperceived(frame), {})

        callbacks = CameraCallbacks(on_frame=on_frame, on_refused=cameras.refuse)
        watched = seen[1:] if cameras.needs_perception else seen
        topics = CameraTopics(self._node, watched, names, callbacks, self._health)
        closing.callback(topics.close)
        self.topics += tuple(topics.topics)

    def _tick(self) -> None:
        if is_up(self._node.context):
            self._commander.tick()

    def _end_commands(self) -> None:
        if is_up(self._node.context):
            self._configured.outputs.end_commands()
