"""From decisions to commands: chunks in at the policy's rate, one pose out per command.

Time is what callers say it is. A worker may hand over decisions while a timer asks for commands.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import RLock

import numpy as np
from jaxtyping import Float64

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.clock import seconds_between
from robot_vision.core.policy_config import PolicyConfig
from robot_vision.core.types import Command, Decision, Instruction, RobotState
from robot_vision.policies import rotations
from robot_vision.policies.arm_gate import Refusal
from robot_vision.policies.arm_watch import ArmWatch, about_arm
from robot_vision.policies.check import check_spec
from robot_vision.policies.chunk import Ensemble
from robot_vision.policies.history import History
from robot_vision.policies.interventions import InterventionLog
from robot_vision.policies.kinematics import Kinematics
from robot_vision.policies.safety import Admission, admit
from robot_vision.policies.stream import Stream, Streamed
from robot_vision.policies.watchdog import FUTURE_SLACK_S, Hold, Situation, holds

# The clock of a timer may be set back by so little without meaning another time.
_BACK_SLACK_S = 0.005
# So long is remembered where the arm was, beyond what an observation wants.
_REMEMBERED_S = 2.0

_MET_WORDS = {
    "workspace": "the target is beyond the workspace, or too fast to stop before its end",
    "speed": "speed cut to {max_speed_mps:g} m/s",
    "acceleration": "acceleration cut to {max_acceleration_mps2:g} m/s²",
    "jerk": "jerk cut to {max_jerk_mps3:g} m/s³",
    "turn_speed": "turning cut to {max_turn_radps:g} rad/s",
    "turn_acceleration": "turning cut to {max_turn_radps2:g} rad/s²",
    "turn_jerk": "turning cut to {max_turn_radps3:g} rad/s³",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class ControllerStatus:
    """What the controller is doing, for reports. Ages are None while there is nothing.

    `interventions` counts by limit or cause of holding since the start. `action` is the last
    decision's first step (Δxyz m, Δrotation vector rad, gripper), None after a hold.
    `needs_enable`: it holds until it is enabled anew, whatever comes.
    """

    stamp_ns: int
    enabled: bool
    holding: bool
    needs_enable: bool
    reasons: tuple[str, ...]
    instruction: str
    interventions: Mapping[str, int]
    chunk_age_s: float | None
    perception_age_s: float | None
    robot_age_s: float | None
    action: Float64[np.ndarray, "7"] | None
    target_track_id: int
    destination_track_id: int


class Controller:
    """Joins safety filter, ensembling, stream and watchdog. Disabled until it is enabled."""

    def __init__(self, spec: ActionSpec, config: PolicyConfig) -> None:
        """Raises `ConfigError` if the spec's statistics are no use."""
        check_spec(spec)
        self._spec, self._config = spec, config
        self._lock = RLock()
        self._period_s = 1 / config.command_hz
        self._history = History(keep_s=spec.history * spec.step_s + _REMEMBERED_S)
        self._arm = ArmWatch(config)
        self._ensemble = Ensemble(step_s=spec.step_s, blend_s=config.blend_s)
        limits = config.safety.model_dump()
        self._words = {name: words.format(**limits) for name, words in _MET_WORDS.items()}
        self._log = InterventionLog()
        self._clear()

    def _clear(self) -> None:
        self._enabled = False
        self._instruction: Instruction | None = None
        self._instructed_ns: int | None = None
        self._heartbeat_ns: int | None = None
        self._gripper: float | None = None
        self._command_ns: int | None = None
        self._clock_back_s = 0.0
        self._stop()
        self._forget_decisions()

    def _stop(self) -> None:
        """No stream: nothing is sent until one starts at the measured tool."""
        self._stream: Stream | None = None
        self._last: Command | None = None
        self._streamed: Streamed | None = None
        self._starts_anew = False
        self._log.end_all()
        self._arm.stop()

    def _forget_decisions(self) -> None:
        self._ensemble.flush()
        self._decision: Decision | None = None
        self._admission: Admission | None = None
        self._chunk_stamp_ns: int | None = None

    # What happens to it -------------------------------------------------------------------

    def instruct(self, instruction: Instruction | None, now_ns: int) -> None:
        """Follow these words from now on; other words than before flush all chunks.

        Decisions about what was seen before other words came are not followed any more.
        """
        with self._lock:
            before = self._instruction.text if self._instruction else None
            if (instruction.text if instruction else None) != before:
                self._forget_decisions()
                self._instructed_ns = now_ns
            self._instruction = instruction

    def enable(self, enabled: bool, now_ns: int) -> None:  # noqa: ARG002 (one shape for all)
        """Allow or forbid to move. What follows starts at the measured tool, once it is steady.

        Where the arm's state was lost and came back elsewhere, being enabled anew begins again.
        """
        with self._lock:
            anew = enabled and self._enabled and bool(self._arm.needs_enable)
            if anew and self._streamed is not None and self._streamed.twist.any():
                self._starts_anew = True  # once it stands
            elif anew or enabled != self._enabled:
                self._stop()
            self._enabled = enabled

    def reset(self, now_ns: int) -> None:
        """Forget instruction, chunks and where the arm was, and be disabled."""
        with self._lock:
            self._clear()
            self._forget_arm()
            self._instructed_ns = now_ns

    def heartbeat(self, now_ns: int) -> None:
        """The operator's dead-man switch is held."""
        with self._lock:
            self._heartbeat_ns = now_ns

    def robot(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Where the arm is, if that can be believed; else why not, and the arm holds."""
        with self._lock:
            moves = self._arm.moves
            refusal = self._arm.take(state, now_ns)
            if refusal is not None:
                if refusal.kind != "late":
                    self._log.tell_if_new("arm_state", refusal.reason, now_ns)
                return refusal
            if self._arm.moves != moves:
                self._history.clear()
            self._history.add(state)
            return None

    def robot_unusable(self, reason: str, now_ns: int) -> None:
        """A report of the arm came that is no state at all: it holds, as for one refused."""
        with self._lock:
            self._arm.unusable(reason)
            self._log.tell_if_new("arm_state", reason, now_ns)

    def arm_fault(self, reason: str) -> None:
        """What makes the arm's states unreliable as a whole; empty words end it."""
        with self._lock:
            self._arm.fault = reason

    def describe_arm(self, kinematics: Kinematics | None) -> None:
        """Compare joints with tool poses from now on."""
        with self._lock:
            self._arm.describe(kinematics)

    def decided(
        self, decision: Decision, robot_at_observation: RobotState, now_ns: int
    ) -> Admission:
        """Take a policy's answer; returns the chunk made of it, or why it was refused."""
        admission = admit(
            decision,
            robot=robot_at_observation,
            spec=self._spec,
            safety=self._config.safety,
        )
        with self._lock:
            late = self._why_not_now(decision, now_ns)
            if late:
                self._log.tell("untimely_decision", late, now_ns)
                return Admission(chunk=None, refused=late)
            self._decision, self._admission = decision, admission
            for told in admission.interventions:
                self._log.add(told)
            self._clock_back_s = 0.0
            if admission.chunk is None:
                self._ensemble.flush()
                self._chunk_stamp_ns = None
                return admission
            self._chunk_stamp_ns = decision.stamp_ns
            self._ensemble.add(admission.chunk, base_from_tool=robot_at_observation.base_from_tool)
            return admission

    def _why_not_now(self, decision: Decision, now_ns: int) -> str:
        newest, instructed_ns = self._decision, self._instructed_ns
        if seconds_between(now_ns, decision.stamp_ns) > FUTURE_SLACK_S:
            return "the decision is stamped in the future"
        if instructed_ns is not None and decision.stamp_ns < instructed_ns:
            return "the decision is about what was seen before the instruction"
        if newest is not None and decision.stamp_ns <= newest.stamp_ns:
            return "the decision is not newer than the one before"
        return ""

    # What it knows ------------------------------------------------------------------------

    def history(self, stamp_ns: int | None = None) -> tuple[RobotState, ...]:
        """The states that an observation at a stamp (default: of the newest state) wants."""
        with self._lock:
            newest = self._history.newest
            if stamp_ns is None and newest is None:
                return ()
            stamp_ns = newest.stamp_ns if stamp_ns is None and newest else stamp_ns
            return self._history.before(
                stamp_ns or 0, count=self._spec.history, step_s=self._spec.step_s
            )

    def robot_at(self, stamp_ns: int) -> RobotState | None:
        """The arm at a stamp, interpolated; None before the first state that is remembered."""
        with self._lock:
            return self._history.at(stamp_ns)

    def status(self, now_ns: int) -> ControllerStatus:
        """What the controller is doing now."""
        with self._lock:
            found = self._holds(now_ns)
            reasons = tuple(hold.reason for hold in found)
            decision, admission = self._decision, self._admission
            chunk = admission.chunk if admission else None
            robot = self._history.newest
            return ControllerStatus(
                stamp_ns=now_ns,
                enabled=self._enabled,
                holding=not self._enabled or bool(found),
                needs_enable=bool(self._arm.needs_enable),
                reasons=reasons if self._enabled else ("disabled", *reasons),
                instruction=self._instruction.text if self._instruction else "",
                interventions=self._log.counts,
                chunk_age_s=_age_s(self._chunk_stamp_ns, now_ns),
                perception_age_s=_age_s(decision.stamp_ns if decision else None, now_ns),
                robot_age_s=_age_s(robot.stamp_ns if robot else None, now_ns),
                action=None if chunk is None else chunk.action[0],
                target_track_id=decision.target_track_id if decision else -1,
                destination_track_id=decision.destination_track_id if decision else -1,
            )

    # What it says -------------------------------------------------------------------------

    def command(self, now_ns: int) -> Command | None:
        """What the arm is sent now; None while disabled or before it is known to stand still."""
        with self._lock:
            passed_s = self._passed_s(now_ns)
            if not self._enabled:
                return None
            robot = self._history.newest
            found = self._look_at_arm(now_ns)
            if self._stream is None and robot is not None and not about_arm(found):
                self._start(robot)
                found, passed_s = self._holds(now_ns), 0.0
            if self._stream is None:
                return None
            target = None if found else self._ensemble.target(now_ns, lead_s=self._stream.lead_s)
            if target is not None:
                self._grip(target.gripper_open)
            halt = any(hold.urgent for hold in found)
            streamed = self._stream.advance(passed_s, target, halt=halt)
            self._last = self._command(streamed, found, now_ns)
            self._streamed = streamed
            self._arm.commanded(self._last.base_from_tool)
            sent = self._last
            if self._starts_anew and not streamed.twist.any():
                self._stop()
            return sent

    def _passed_s(self, now_ns: int) -> float:
        """Seconds since the last command; a clock that went back flushes what it stamped."""
        before_ns, self._command_ns = self._command_ns, now_ns
        passed_s = self._period_s if before_ns is None else seconds_between(before_ns, now_ns)
        if passed_s >= -_BACK_SLACK_S:
            return passed_s
        self._clock_back_s = -passed_s
        self._forget_arm()
        self._forget_decisions()
        self._heartbeat_ns = None
        if self._instructed_ns is not None:
            self._instructed_ns = now_ns
        return self._period_s

    def _forget_arm(self) -> None:
        self._history.clear()
        self._arm.forget()

    def _look_at_arm(self, now_ns: int) -> tuple[Hold, ...]:
        """Every reason to hold, after the arm was compared with what it was sent."""
        self._arm.look(now_ns, lost=about_arm(self._holds(now_ns)))
        if self._arm.needs_enable:
            self._forget_decisions()
        return self._holds(now_ns)

    def _holds(self, now_ns: int) -> tuple[Hold, ...]:
        decision, robot = self._decision, self._history.newest
        situation = Situation(
            now_ns=now_ns,
            perception_stamp_ns=decision.stamp_ns if decision else None,
            robot_stamp_ns=robot.stamp_ns if robot else None,
            heartbeat_ns=self._heartbeat_ns,
            instruction=self._instruction,
            arm=self._arm.holds() if self._enabled else (),
            refused=self._refused(),
            has_chunk=self._ensemble.valid_until_ns > now_ns,
            away=self._arm.away if self._arm.is_lagging else None,
            clock_back_s=self._clock_back_s,
        )
        return holds(situation, self._config.watchdog)

    def _refused(self) -> Hold | None:
        if self._decision is None or self._admission is None or self._admission.chunk:
            return None
        wants_to = self._decision.action is None
        cause = "policy" if wants_to else "refused_action"
        return Hold(cause=cause, reason=self._admission.refused, urgent=not wants_to)

    def _start(self, robot: RobotState) -> None:
        """Begin at the measured tool, at rest."""
        self._stream = Stream(
            position_m=robot.base_from_tool[:3, 3].copy(),
            quaternion=rotations.from_matrix(robot.base_from_tool[:3, :3]),
            safety=self._config.safety,
            period_s=self._period_s,
            follow_s=self._config.follow_s,
        )
        if self._gripper is None:
            self._gripper = min(max(robot.gripper_open, 0.0), 1.0)
        self._last = self._streamed = None

    def _grip(self, wanted: float) -> None:
        """Open or close where the wish is clear, else stay."""
        if wanted > self._config.safety.gripper_open_above:
            self._gripper = 1.0
        elif wanted < self._config.safety.gripper_close_below:
            self._gripper = 0.0

    def _command(self, streamed: Streamed, found: tuple[Hold, ...], now_ns: int) -> Command:
        for name in streamed.met:
            self._log.tell_if_new(name, self._words[name], now_ns)
        for hold in found:
            self._log.tell_if_new(hold.cause, hold.reason, now_ns)
        pose = rotations.pose_matrix(streamed.position_m, streamed.quaternion)
        gripper = 0.0 if self._gripper is None else self._gripper
        return Command(
            stamp_ns=now_ns,
            observation_stamp_ns=self._chunk_stamp_ns or 0,
            base_from_tool=pose,
            twist=streamed.twist,
            gripper_open=gripper,
            action=self._step_to(streamed, gripper),
            holding=bool(found),
            reasons=tuple(hold.reason for hold in found),
            interventions=self._log.take(),
        )

    def _step_to(self, streamed: Streamed, gripper: float) -> Float64[np.ndarray, "7"]:
        """Δ from the command before."""
        step = np.zeros(7)
        before = self._streamed
        if before is not None:
            step[:3] = streamed.position_m - before.position_m
            step[3:6] = rotations.between(before.quaternion, streamed.quaternion)
        step[6] = gripper
        return step


def _age_s(stamp_ns: int | None, now_ns: int) -> float | None:
    return None if stamp_ns is None else seconds_between(stamp_ns, now_ns)
