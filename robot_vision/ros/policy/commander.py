"""Joins the policy's controller with the node's topics: words in, commands out, figures kept."""

from collections.abc import Callable
from threading import Lock
from typing import Any

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.frame_map import FrameMap
from robot_vision.core.interfaces import Policy
from robot_vision.core.objects import quaternion_xyzw
from robot_vision.core.timing import Percentiles
from robot_vision.core.types import Command, Decision, Instruction, RobotState
from robot_vision.policies.controller import Controller
from robot_vision.ros.policy.outputs import PolicyOutputs


class Commander:
    """Called from the stream's, the worker's and the executor's threads.

    Behind it all is in the policy's frames; what goes out and is reported is in the robot's.
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
        self._observation_ns = 0
        self._ages = Percentiles()
        self._source_fault = self._output_fault = ""

    @property
    def instruction(self) -> Instruction | None:
        return self._instruction

    def instruct(self, text: str) -> None:
        """Follow other words from now on; no words at all withdraw the instruction."""
        instruction = self._policy.instruct(text) if text.strip() else None
        with self._lock:
            self._instruction = instruction
            self._controller.instruct(instruction, self._now_ns())

    def enable(self, enabled: bool) -> None:
        if enabled:
            self._outputs.clear_problem()
        self._controller.enable(enabled, self._now_ns())

    def reset(self) -> None:
        """Forget instruction and chunks, and be disabled."""
        with self._lock:
            self._instruction = None
            self._controller.reset(self._now_ns())

    def heartbeat(self) -> None:
        self._controller.heartbeat(self._now_ns())

    def robot(self, state: RobotState) -> str:
        """Take where the arm is; returns why that is not believed, or nothing.

        A state that is not newer is no fault: the tool's pose often comes oftener than joints.
        """
        refusal = self._controller.robot(state, self._now_ns())
        return "" if refusal is None or refusal.kind == "late" else refusal.reason

    def robot_unusable(self, reason: str) -> None:
        self._controller.robot_unusable(reason, self._now_ns())

    def arm_fault(self, reason: str) -> None:
        """What makes the arm's states unreliable, or nothing any more."""
        self._source_fault = reason
        self._say_faults()

    def _say_faults(self) -> None:
        faults = (self._source_fault, self._output_fault)
        self._controller.arm_fault("; ".join(fault for fault in faults if fault))

    def describe_arm(self, kinematics: Kinematics | None) -> tuple[str, ...]:
        """Take the arm's description; returns what of it cannot be looked at."""
        self._controller.describe_arm(kinematics)
        self._outputs.describe_joints(self._controller.joint_spec)
        return self._controller.joint_warnings

    def robot_at(self, stamp_ns: int) -> RobotState | None:
        return self._controller.robot_at(stamp_ns)

    def history(self, stamp_ns: int) -> tuple[RobotState, ...]:
        return self._controller.history(stamp_ns)

    def decided(self, decision: Decision, robot: RobotState) -> None:
        """Take a decision, made of what was seen when the arm was at `robot`."""
        now_ns = self._now_ns()
        admission = self._controller.decided(decision, robot, now_ns)
        if admission.chunk is not None and not self._controller.status(now_ns).holding:
            self._outputs.chunk(self._frames.chunk(admission.chunk))

    def tick(self) -> None:
        """One command, if the arm may be told anything. While the clock stands still, none."""
        now_ns = self._now_ns()
        if now_ns == self._tick_ns:
            return
        self._tick_ns = now_ns
        if (fault := self._outputs.problem) != self._output_fault:
            self._output_fault = fault
            self._say_faults()
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
        """From a camera's stamp to the first command that followed from it: percentiles."""
        return self._ages.summary()

    def status(self) -> dict[str, Any]:
        """What `~/status/json` says of instruction, commands and safety."""
        status = self._controller.status(self._now_ns())
        instruction, command = self._instruction, self._command
        return {
            "stamp_ns": status.stamp_ns,
            "identity": self._policy.spec.identity,
            "masked": list(status.masked),
            "enabled": status.enabled,
            "holding": status.holding,
            "needs_enable": status.needs_enable,
            "reasons": list(status.reasons),
            "instruction": status.instruction,
            "instruction_problem": instruction.problem if instruction else "",
            "target_id": status.target_track_id,
            "destination_id": status.destination_track_id,
            "action": None if status.action is None else _rounded(status.action.tolist()),
            "pose": None if command is None else _pose(command),
            "gripper_open": None if command is None else round(command.gripper_open, 4),
            "interventions": dict(status.interventions),
            "joints": None if command is None else _joints(command),
            "joint_warnings": list(self._controller.joint_warnings),
            "chunk_age_s": status.chunk_age_s,
            "perception_age_s": status.perception_age_s,
        }


def _pose(command: Command) -> dict[str, list[float]]:
    pose = command.base_from_tool
    return {
        "position_m": _rounded(pose[:3, 3].tolist()),
        "quaternion_xyzw": _rounded(list(quaternion_xyzw(pose[:3, :3]))),
    }


def _joints(command: Command) -> dict[str, float] | None:
    """The commanded positions by name; None outside joint space."""
    joints = command.joints
    if joints is None:
        return None
    return dict(zip(joints.names, _rounded(joints.position.tolist()), strict=True))


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 6) for value in values]
