"""From decisions to commands: chunks in at the policy's rate, one pose out per command.

Callers supply the time. A worker may deliver decisions while a timer requests commands.
"""

from threading import RLock

from robot_vision.arm.kinematics import Kinematics
from robot_vision.core.clock import seconds_between
from robot_vision.core.manifests.action_spec import ActionSpec, JointSpec
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.types import Command, Decision, Instruction, RobotState
from robot_vision.policies.control.controller_status import ControllerStatus
from robot_vision.policies.control.motion import Motion, Moved
from robot_vision.policies.control.plan import Plan
from robot_vision.policies.guards.arm_gate import Refusal
from robot_vision.policies.guards.arm_watch import ArmWatch, about_arm
from robot_vision.policies.guards.check import check_spec
from robot_vision.policies.guards.interventions import InterventionLog
from robot_vision.policies.guards.safety import Admission, admit
from robot_vision.policies.guards.watchdog import Hold, Situation, holds
from robot_vision.policies.observing.history import History

# A timer's clock may step back by this little without counting as a jump.
_BACK_SLACK_S = 0.005
# How long arm states are kept beyond what an observation needs.
_REMEMBERED_S = 2.0


class Controller:
    """Combines safety filter, plan, motion and watchdog. Disabled at first."""

    def __init__(self, spec: ActionSpec, config: PolicyConfig) -> None:
        """Raises `ConfigError` if the spec's statistics are unusable."""
        check_spec(spec)
        self._spec, self._config = spec, config
        self._lock = RLock()
        self._history = History(keep_s=spec.history * spec.step_s + _REMEMBERED_S)
        self._arm = ArmWatch(config)
        self._kinematics: Kinematics | None = None
        self._log = InterventionLog()
        self._plan = Plan(step_s=spec.step_s, blend_s=config.blend_s, log=self._log)
        self._motion = Motion(config)
        self._clear()

    def _clear(self) -> None:
        self._enabled = False
        self._heartbeat_ns: int | None = None
        self._command_ns: int | None = None
        self._motion.clear()
        self._stop()

    def _stop(self) -> None:
        """Nothing is sent until the motion starts at the measured tool."""
        self._motion.stop()
        self._starts_anew = False
        self._log.end_all()
        self._arm.stop()

    # Inputs -------------------------------------------------------------------

    def instruct(self, instruction: Instruction | None, now_ns: int) -> None:
        """Follow this instruction from now on; a new one flushes all chunks.

        Decisions about frames from before the new instruction are no longer followed.
        """
        with self._lock:
            self._plan.instruct(instruction, now_ns)

    def enable(self, enabled: bool, now_ns: int) -> None:  # noqa: ARG002 (one shape for all)
        """Allow or forbid motion. Commands start at the measured tool, once it is steady.

        If the arm's state was lost and came back elsewhere, enabling again restarts there.
        """
        with self._lock:
            anew = enabled and self._enabled and bool(self._arm.needs_enable)
            if anew and self._motion.is_moving:
                self._starts_anew = True  # once it is at rest
            elif anew or enabled != self._enabled:
                self._stop()
            self._enabled = enabled

    def reset(self, now_ns: int) -> None:
        """Forget the instruction, chunks and arm states, and disable."""
        with self._lock:
            self._clear()
            self._forget_arm()
            self._plan.clear(now_ns)

    def heartbeat(self, now_ns: int) -> None:
        """The operator is holding the dead-man switch."""
        with self._lock:
            self._heartbeat_ns = now_ns

    def robot(self, state: RobotState, now_ns: int) -> Refusal | None:
        """Take an arm state if it is plausible; otherwise return why not, and the arm holds."""
        with self._lock:
            moves = self._arm.moves
            refusal = self._arm.take(state, now_ns)
            if refusal is not None:
                if refusal.kind != "late":
                    self._log.note_if_new("arm_state", refusal.reason, now_ns)
                return refusal
            if self._arm.moves != moves:
                self._history.clear()
            self._history.add(state)
            return None

    def robot_unusable(self, reason: str, now_ns: int) -> None:
        """A message arrived that is not a valid state: the arm holds, as for a rejected one."""
        with self._lock:
            self._arm.unusable(reason)
            self._log.note_if_new("arm_state", reason, now_ns)

    def arm_fault(self, reason: str) -> None:
        """Set what makes all of the arm's states unreliable; an empty text clears it."""
        with self._lock:
            self._arm.fault = reason

    def describe_arm(self, kinematics: Kinematics | None) -> None:
        """Compare joints with tool poses from now on; in joint space, command these joints."""
        with self._lock:
            self._kinematics = kinematics
            self._arm.describe(kinematics)
            if self._config.joint_space.enabled:
                self._motion.describe(kinematics)
                self._stop()

    @property
    def joint_spec(self) -> JointSpec | None:
        """The commanded joints, with their limits; None outside joint space."""
        return self._motion.joint_spec

    @property
    def joint_warnings(self) -> tuple[str, ...]:
        """Parts of the arm's description that joint space cannot use, as text."""
        return self._motion.joint_warnings

    def decided(
        self, decision: Decision, robot_at_observation: RobotState, now_ns: int
    ) -> Admission:
        """Take a policy's decision; returns the chunk made from it, or why it was rejected."""
        admission = admit(
            decision,
            robot=robot_at_observation,
            spec=self._spec,
            safety=self._config.safety,
            kinematics=self._kinematics,
        )
        with self._lock:
            taken = self._plan.take(
                decision, admission, robot_at_observation.base_from_tool, now_ns
            )
            if taken.chunk is not None:
                self._motion.resume()
            return taken

    # State ------------------------------------------------------------------------

    def history(self, stamp_ns: int | None = None) -> tuple[RobotState, ...]:
        """The states needed for an observation at a stamp (default: that of the newest state)."""
        with self._lock:
            newest = self._history.newest
            if stamp_ns is None and newest is None:
                return ()
            stamp_ns = newest.stamp_ns if stamp_ns is None and newest else stamp_ns
            return self._history.before(
                stamp_ns or 0, count=self._spec.history, step_s=self._spec.step_s
            )

    def robot_at(self, stamp_ns: int) -> RobotState | None:
        """The arm at a stamp, interpolated; None before the oldest kept state."""
        with self._lock:
            return self._history.at(stamp_ns)

    def status(self, now_ns: int) -> ControllerStatus:
        """The current state of the controller."""
        with self._lock:
            found = self._holds(now_ns)
            reasons = tuple(hold.reason for hold in found)
            plan, decision = self._plan, self._plan.decision
            robot = self._history.newest
            return ControllerStatus(
                stamp_ns=now_ns,
                enabled=self._enabled,
                holding=not self._enabled or bool(found),
                needs_enable=bool(self._arm.needs_enable),
                reasons=reasons if self._enabled else ("disabled", *reasons),
                instruction=plan.instruction.text if plan.instruction else "",
                interventions=self._log.counts,
                chunk_age_s=_age_s(plan.chunk_stamp_ns, now_ns),
                perception_age_s=_age_s(decision.stamp_ns if decision else None, now_ns),
                robot_age_s=_age_s(robot.stamp_ns if robot else None, now_ns),
                action=plan.action,
                target_track_id=decision.target_track_id if decision else -1,
                destination_track_id=decision.destination_track_id if decision else -1,
                masked=decision.masked if decision else (),
            )

    # Commands -------------------------------------------------------------------------

    def command(self, now_ns: int) -> Command | None:
        """The command to send now; None while disabled or before the arm is known to be at
        rest."""
        with self._lock:
            passed_s = self._passed_s(now_ns)
            if not self._enabled:
                return None
            robot = self._history.newest
            found = self._look_at_arm(now_ns)
            may_start = not about_arm(found) and not self._motion.holds(robot)
            if self._motion.lead_s is None and robot is not None and may_start:
                self._motion.start(robot)
                found, passed_s = self._holds(now_ns), 0.0
            lead_s = self._motion.lead_s
            if lead_s is None:
                return None
            target = None if found else self._plan.target(now_ns, lead_s=lead_s)
            moved = self._motion.advance(passed_s, target, halt=any(hold.urgent for hold in found))
            if not found and (found := self._motion.holds(robot)):
                self._plan.forget_decisions()
            sent = self._command(moved, found, now_ns)
            self._arm.commanded(sent.base_from_tool)
            if self._starts_anew and not self._motion.is_moving:
                self._stop()
            return sent

    def _passed_s(self, now_ns: int) -> float:
        """Seconds since the last command; if the clock went back, flush everything it stamped."""
        before_ns, self._command_ns = self._command_ns, now_ns
        passed_s = (
            self._motion.period_s if before_ns is None else seconds_between(before_ns, now_ns)
        )
        if passed_s >= -_BACK_SLACK_S:
            return passed_s
        self._plan.rewind(now_ns, back_s=-passed_s)
        self._forget_arm()
        self._heartbeat_ns = None
        return self._motion.period_s

    def _forget_arm(self) -> None:
        self._history.clear()
        self._arm.forget()

    def _look_at_arm(self, now_ns: int) -> tuple[Hold, ...]:
        """Every reason to hold, after comparing the arm with its command."""
        self._arm.look(now_ns, lost=about_arm(self._holds(now_ns)))
        if self._arm.needs_enable:
            self._plan.forget_decisions()
        return self._holds(now_ns)

    def _holds(self, now_ns: int) -> tuple[Hold, ...]:
        plan, robot = self._plan, self._history.newest
        situation = Situation(
            now_ns=now_ns,
            perception_stamp_ns=plan.decision.stamp_ns if plan.decision else None,
            robot_stamp_ns=robot.stamp_ns if robot else None,
            heartbeat_ns=self._heartbeat_ns,
            instruction=plan.instruction,
            arm=(*self._arm.holds(), *self._motion.holds(robot)) if self._enabled else (),
            refused=plan.refused,
            has_chunk=plan.has_chunk(now_ns),
            away=self._arm.away if self._arm.is_lagging else None,
            clock_back_s=plan.clock_back_s,
        )
        return holds(situation, self._config.watchdog)

    def _command(self, moved: Moved, found: tuple[Hold, ...], now_ns: int) -> Command:
        for limit, words in moved.met:
            self._log.note_if_new(limit, words, now_ns)
        for hold in found:
            self._log.note_if_new(hold.cause, hold.reason, now_ns)
        return Command(
            stamp_ns=now_ns,
            observation_stamp_ns=self._plan.chunk_stamp_ns or 0,
            base_from_tool=moved.base_from_tool,
            twist=moved.twist,
            gripper_open=moved.gripper_open,
            action=moved.action,
            holding=bool(found),
            reasons=tuple(hold.reason for hold in found),
            interventions=self._log.take(),
            joints=moved.joints,
        )


def _age_s(stamp_ns: int | None, now_ns: int) -> float | None:
    return None if stamp_ns is None else seconds_between(stamp_ns, now_ns)
