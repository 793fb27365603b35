"""Connects the policy's controller to the node's topics and keeps figures of its commands."""

from collections.abc import Callable
from threading import Lock
from time import monotonic

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.interfaces import Policy
from robot_vision.core.results.frame_map import FrameMap
from robot_vision.core.results.policy_status import PolicyStatus, pose_of, rounded
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Command, Decision, Instruction, RobotState
from robot_vision.policies.control.controller import Controller
from robot_vision.ros.policy.outputs import PolicyOutputs

# Simulated time may advance in steps of this length on a slow machine.
_STILL_S = 2.0


class Commander:
    """Called from the threads of the stream, the worker and the executor.

    Its inputs are in the policy's frames; commands and status are in the robot's.
    """

    def __init__(
        self,
        policy: Policy,
        controller: Controller,
        outputs: PolicyOutputs,
        *,
        frames: FrameMap,
        now_ns: Callable[[], int],
    ) -> None:
        self._policy = policy
        self._controller = controller
        self._outputs = outputs
        self._frames = frames
        self._now_ns = now_ns
        self._lock = Lock()
        self._instruction: Instruction | None = None
        self._command: Command | None = None
        self._tick_ns = 0
        self._moved_s: float | None = None  # when the clock last moved
        self._observation_ns = 0
        self._ages = Percentiles()
        self._source_fault = self._output_fault = ""

    @property
    def instruction(self) -> Instruction | None:
        return self._instruction

    def instruct(self, text: str) -> None:
        """Follow a new instruction from now on; an empty text withdraws the old one."""
        instruction = self._policy.instruct(text) if text.strip() else None
        with self._lock:
            self._instruction = instruction
            self._controller.instruct(instruction, self._now_ns())

    def enable(self, enabled: bool) -> None:
        if enabled:
            self._outputs.clear_problem()
        self._controller.enable(enabled, self._now_ns())

    def reset(self) -> None:
        """Forget instruction and chunks, and disable."""
        with self._lock:
            self._instruction = None
            self._controller.reset(self._now_ns())

    def heartbeat(self) -> None:
        self._controller.heartbeat(self._now_ns())

    def robot(self, state: RobotState) -> str:
        """Take a state of the arm; returns why it was refused, or an empty text.

        A state that is not newer is not a fault: tool poses often come faster than joints.
        """
        refusal = self._controller.robot(state, self._now_ns())
        return "" if refusal is None or refusal.kind == "late" else refusal.reason

    def robot_unusable(self, reason: str) -> None:
        self._controller.robot_unusable(reason, self._now_ns())

    def arm_fault(self, reason: str) -> None:
        """Take why the arm's states are unreliable; empty when they are reliable again."""
        self._source_fault = reason
        self._pass_faults()

    def _pass_faults(self) -> None:
        faults = (self._source_fault, self._output_fault)
        self._controller.arm_fault("; ".join(fault for fault in faults if fault))

    def describe_arm(self, kinematics: Kinematics | None) -> tuple[str, ...]:
        """Take the arm's description; returns warnings about what cannot be checked."""
        self._controller.describe_arm(kinematics)
        self._outputs.describe_joints(self._controller.joint_spec)
        return self._controller.joint_warnings

    def robot_at(self, stamp_ns: int) -> RobotState | None:
        return self._controller.robot_at(stamp_ns)

    def history(self, stamp_ns: int) -> tuple[RobotState, ...]:
        return self._controller.history(stamp_ns)

    def decided(self, decision: Decision, robot: RobotState) -> None:
        """Take a decision on a frame for which the arm was at `robot`."""
        now_ns = self._now_ns()
        admission = self._controller.decided(decision, robot, now_ns)
        if admission.chunk is not None and not self._controller.status(now_ns).holding:
            self._outputs.chunk(self._frames.chunk(admission.chunk))

    def tick(self) -> None:
        """Send one command if the arm may be commanded; none while the clock stands still."""
        now_ns = self._now_ns()
        if self._moved_s is None or now_ns != self._tick_ns:
            self._moved_s = monotonic()
        if now_ns == self._tick_ns:
            return
        self._tick_ns = now_ns
        if (fault := self._outputs.problem) != self._output_fault:
            self._output_fault = fault
            self._pass_faults()
        before, command = self._command, self._controller.command(now_ns)
        self._command = command = None if command is None else self._frames.command(command)
        if command is None:
            if before is not None:
                self._outputs.end_commands()
            return
        self._outputs.command(command)
        if not command.holding and command.observation_stamp_ns != self._observation_ns:
            self._observation_ns = command.observation_stamp_ns
            self._ages.add(seconds_between(command.observation_stamp_ns, self._now_ns()))

    def age_s(self) -> dict[str, float]:
        """Percentiles of the time from a camera's stamp to the first command made from it."""
        return self._ages.summary()

    def status(self) -> PolicyStatus:
        """The status as far as the commander knows it: all but timing, cameras and server."""
        status = self._controller.status(self._now_ns())
        instruction, command = self._instruction, self._command
        still = self._clock_problem()
        return PolicyStatus(
            stamp_ns=status.stamp_ns,
            identity=self._policy.spec.identity,
            masked=status.masked,
            enabled=status.enabled,
            holding=status.holding or bool(still),
            needs_enable=status.needs_enable,
            reasons=(*still, *status.reasons),
            instruction=status.instruction,
            instruction_problem=instruction.problem if instruction else "",
            target_id=status.target_track_id,
            destination_id=status.destination_track_id,
            action=None if status.action is None else rounded(status.action.tolist()),
            pose=None if command is None else pose_of(command.base_from_tool),
            gripper_open=None if command is None else round(command.gripper_open, 4),
            interventions=dict(status.interventions),
            joints=None if command is None else _joints(command),
            joint_warnings=self._controller.joint_warnings,
            chunk_age_s=status.chunk_age_s,
            perception_age_s=status.perception_age_s,
        )

    def _clock_problem(self) -> tuple[str, ...]:
        """Ages do not grow while the clock stands still, so no watchdog notices that."""
        still_s = 0.0 if self._moved_s is None else monotonic() - self._moved_s
        if still_s < _STILL_S:
            return ()
        return (
            f"the clock has stood still for {still_s:.0f} s, and no command was sent: with "
            "use_sim_time, is /clock published?",
        )


def _joints(command: Command) -> dict[str, float] | None:
    """The commanded positions by name; None outside joint space."""
    joints = command.joints
    if joints is None:
        return None
    return dict(zip(joints.names, rounded(joints.position.tolist()), strict=True))
