"""The thread that decides: takes the newest perception, runs the policy, passes on decisions."""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Condition, Thread

import numpy as np

from robot_vision.core.cameras.geometry import invert_transform
from robot_vision.core.clock import seconds_between
from robot_vision.core.interfaces import Policy
from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.results.frame_map import FrameMap
from robot_vision.core.timing import timed
from robot_vision.core.types import (
    Decision,
    Instruction,
    Observation,
    Perception,
    RobotState,
)
from robot_vision.policies.guards.check import foreign_perception
from robot_vision.policies.guards.watchdog import words_problem
from robot_vision.policies.observing.grounded_pointing import pointed_by
from robot_vision.ros.common.camera_pose import CameraPoseSource, base_from_view
from robot_vision.ros.common.health import Health
from robot_vision.ros.policy.cameras.policy_cameras import PolicyCameras
from robot_vision.ros.policy.commander import Commander
from robot_vision.ros.policy.inputs.frozen_camera import FrozenCamera
from robot_vision.ros.policy.inputs.measured_depth import MeasuredDepth
from robot_vision.ros.policy.outputs import PolicyOutputs


@dataclass(frozen=True, kw_only=True, eq=False)
class PolicyParts:
    """The parts that the worker connects; all of them outlive it.

    `cameras` are those of a policy from pixels, None for one that takes perception alone.
    Without perception there is no `camera_pose`.
    """

    policy: Policy
    commander: Commander
    camera_pose: CameraPoseSource | None
    frames: FrameMap
    frozen: FrozenCamera
    depth: MeasuredDepth
    outputs: PolicyOutputs
    pointing: PointingConfig
    cameras: PolicyCameras | None = None
    health: Health
    now_ns: Callable[[], int]
    log: Callable[[str], object]


class PolicyWorker:
    """Runs from construction to `stop`. A failure is a reason to hold until the next decision.

    `policy_ms` is the duration of the latest decision, `decision` the decision itself.
    """

    def __init__(self, parts: PolicyParts) -> None:
        self._parts = parts
        self._ready = Condition()
        self._stopping = False
        self._newest: Perception | None = None
        self.policy_ms: float | None = None
        self.decision: Decision | None = None
        self._thread = Thread(target=self._run, name="policy", daemon=True)
        self._thread.start()

    def offer(self, perception: Perception, stage_s: Mapping[str, float]) -> None:  # noqa: ARG002
        """Decide on this as soon as possible, unless a newer one comes before: never blocks."""
        with self._ready:
            if self._newest is not None:
                self._parts.health.dropped("superseded", "a newer frame came before the decision")
            self._newest = perception
            self._ready.notify()
        self._parts.health.arrived("perception")

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, limit_s: float | None = None) -> bool:
        """End after the current decision; returns whether it ended within `limit_s`."""
        with self._ready:
            self._stopping = True
            self._ready.notify()
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (perception := self._next()) is not None:
            try:
                self._serve(perception)
            except Exception as error:  # whatever fails, the arm holds
                what = f"{type(error).__name__}: {error}"
                if self._parts.health.dropped("policy failed", what):
                    self._parts.log(traceback.format_exc())
                self._pass_on(_hold(perception, f"the policy failed: {what}"))

    def _next(self) -> Perception | None:
        with self._ready:
            while self._newest is None and not self._stopping:
                self._ready.wait()
            perception, self._newest = self._newest, None
            return None if self._stopping else perception

    def _serve(self, perception: Perception) -> None:
        parts = self._parts
        # Policies from pixels mask missing depth; others would follow a guess.
        unmeasured = None if parts.cameras is not None else parts.depth.problem(perception)
        if unmeasured is not None:
            parts.health.dropped("without measured depth", unmeasured)
            if unmeasured:
                self._pass_on(_hold(perception, unmeasured))
            return
        instruction = parts.commander.instruction
        seen = self._observe(perception, instruction)
        decision = seen if isinstance(seen, Decision) else self._decide(seen, instruction)
        if parts.commander.instruction is not instruction:
            parts.health.dropped("for other words", "the instruction changed meanwhile")
            return
        self._pass_on(decision)
        if decision.attention is not None and parts.outputs.attention_wanted:
            parts.outputs.attention(
                decision.attention,
                stamp_ns=decision.stamp_ns,
                frame_id=perception.frame.frame_id,
            )

    def _observe(
        self, perception: Perception, instruction: Instruction | None
    ) -> Observation | Decision:
        """The policy's observation, or a decision to hold without running the policy."""
        parts = self._parts
        if frozen := parts.frozen.problem(perception.frame):
            return _hold(perception, frozen)
        cameras, stamp_ns = parts.cameras, perception.stamp_ns
        if cameras is not None and (problem := _look(cameras, perception)):
            return _hold(perception, problem)
        if foreign := self._foreign(perception):
            return _hold(perception, foreign)
        pose = self._base_from_camera(perception)
        if isinstance(pose, str):
            return _hold(perception, f"the camera's pose is unknown: {pose}")
        robot = parts.commander.robot_at(stamp_ns)
        if robot is None:
            return _hold(perception, "no state of the robot at the frame's stamp")
        if problem := words_problem(instruction):
            return _hold(perception, problem)
        assert instruction is not None
        return Observation(
            perception=perception,
            base_from_camera=pose,
            robot=robot,
            history=self._history(stamp_ns),
            pictures={} if cameras is None else cameras.pictures(stamp_ns),
            pointed=pointed_by(perception, instruction.text, parts.pointing),
        )

    def _foreign(self, perception: Perception) -> str:
        """Why the policy cannot use this perception; empty if it can."""
        cameras = self._parts.cameras
        if cameras is not None and not cameras.needs_perception:
            return ""
        return foreign_perception(self._parts.policy.spec, perception.model_id)

    def _base_from_camera(self, perception: Perception) -> np.ndarray | str:
        """The camera's pose, or why it is unknown. Policies without tracks do not need it."""
        parts, problems = self._parts, list[str]()
        cameras, camera_pose = parts.cameras, parts.camera_pose
        takes_tracks = cameras is None or "tracks" in cameras.observation.perception
        if camera_pose is None or not takes_tracks:
            return np.eye(4)
        robot_from_camera = base_from_view(camera_pose, perception.frame, report=problems.append)
        if robot_from_camera is None:
            return "; ".join(problems)
        return invert_transform(parts.frames.robot_from_base) @ robot_from_camera

    def _history(self, stamp_ns: int) -> tuple[RobotState, ...]:
        """States of the arm at the steps of the policy's observation, or of its actions."""
        commander, cameras = self._parts.commander, self._parts.cameras
        if cameras is None:
            return commander.history(stamp_ns)
        states = [commander.robot_at(moment_ns) for moment_ns in cameras.moments_ns(stamp_ns)]
        return tuple(state for state in states if state is not None)

    def _decide(self, observation: Observation, instruction: Instruction | None) -> Decision:
        assert instruction is not None
        parts = self._parts
        stage_s = {"perceived": seconds_between(observation.stamp_ns, parts.now_ns())}
        with timed(stage_s, "policy"):
            decision = parts.policy.decide(observation, instruction)
        self.policy_ms = round(stage_s["policy"] * 1e3, 3)
        self.decision = decision
        parts.health.finished({**stage_s, **decision.stage_s})
        return decision

    def _pass_on(self, decision: Decision) -> None:
        robot = self._parts.commander.robot_at(decision.stamp_ns)
        if robot is None:
            # Without the arm's pose nothing is commanded anyway.
            self._parts.health.dropped("before the robot", decision.hold_reason)
            return
        self._parts.commander.decided(decision, robot)


def _look(cameras: PolicyCameras, perception: Perception) -> str:
    """Take a perceived frame as the first camera's; returns why the cameras are unusable."""
    if cameras.needs_perception and cameras.observation.cameras:
        cameras.add(cameras.observation.cameras[0].name, perception.frame)
    return cameras.problem(perception.stamp_ns)


def _hold(perception: Perception, reason: str) -> Decision:
    return Decision(stamp_ns=perception.stamp_ns, action=None, hold_reason=reason)
