"""When the arm must hold: its inputs are missing, old or contradictory."""

from dataclasses import dataclass

from robot_vision.core.clock import seconds_between
from robot_vision.core.parameters.groups.policy_config import WatchdogConfig
from robot_vision.core.types import Instruction

# Stamps may be ahead of the clock by this much: clocks of two machines differ slightly.
FUTURE_SLACK_S = 0.1


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A reason to hold: its name, by which it is counted, and a description.

    `urgent`: something is wrong, so the arm brakes as hard as allowed. Other reasons are part of
    normal operation, and it brakes gently.
    """

    cause: str
    reason: str
    urgent: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class Situation:
    """Inputs of the watchdog; stamps are None before the first message.

    `arm` holds faults of the arm's reported state. `refused` says why the newest decision cannot
    be followed. `away` is set while the arm does not follow: distance (m) and angle (rad) between
    the measured and the commanded tool. `clock_back_s` is how far the clock went back since the
    last chunk.
    """

    now_ns: int
    perception_stamp_ns: int | None
    robot_stamp_ns: int | None
    heartbeat_ns: int | None
    instruction: Instruction | None
    arm: tuple[Hold, ...]
    refused: Hold | None
    has_chunk: bool
    away: tuple[float, float] | None
    clock_back_s: float


def words_problem(instruction: Instruction | None) -> str:
    """Why an instruction cannot be followed; empty if it can."""
    return "no instruction" if instruction is None else instruction.problem


def holds(seen: Situation, config: WatchdogConfig) -> tuple[Hold, ...]:
    """Every reason to hold, the most important first; none if the arm may move."""
    found = [
        _clock(seen),
        *seen.arm,
        _robot(seen, config),
        _heartbeat(seen, config),
        _instruction(seen),
        _perception(seen, config),
        _refused(seen),
        _tracking(seen, config),
        _chunk(seen),
    ]
    return tuple(hold for hold in found if hold is not None)


def _clock(seen: Situation) -> Hold | None:
    if seen.clock_back_s <= 0:
        return None
    back = f"the clock went back by {seen.clock_back_s:.3g} s; waiting for new perception"
    return Hold(cause="clock", reason=back)


def _robot(seen: Situation, config: WatchdogConfig) -> Hold | None:
    if seen.robot_stamp_ns is None:
        return Hold(cause="robot_state", reason="no state of the robot yet")
    return _age(
        "robot_state", "state of the robot", seen.robot_stamp_ns, seen, config.robot_state_s
    )


def _perception(seen: Situation, config: WatchdogConfig) -> Hold | None:
    if seen.perception_stamp_ns is None:
        yet = "the policy has not decided on any frame yet"
        return Hold(cause="perception", reason=yet, urgent=False)
    return _age("perception", "perception", seen.perception_stamp_ns, seen, config.perception_s)


def _age(cause: str, what: str, stamp_ns: int, seen: Situation, most_s: float) -> Hold | None:
    age_s = seconds_between(stamp_ns, seen.now_ns)
    if age_s < -FUTURE_SLACK_S:
        return Hold(cause=cause, reason=f"the {what} is stamped {-age_s:.3g} s in the future")
    if most_s > 0 and age_s > most_s:
        old = f"the {what} is {age_s:.3g} s old (at most {most_s:g})"
        return Hold(cause=cause, reason=old)
    return None


def _heartbeat(seen: Situation, config: WatchdogConfig) -> Hold | None:
    if config.heartbeat_s <= 0:
        return None
    if seen.heartbeat_ns is None:
        return Hold(cause="heartbeat", reason="no heartbeat yet")
    pause_s = abs(seconds_between(seen.heartbeat_ns, seen.now_ns))
    if pause_s > config.heartbeat_s:
        late = f"no heartbeat for {pause_s:.3g} s (at most {config.heartbeat_s:g})"
        return Hold(cause="heartbeat", reason=late)
    return None


def _instruction(seen: Situation) -> Hold | None:
    problem = words_problem(seen.instruction)
    return Hold(cause="instruction", reason=problem, urgent=False) if problem else None


def _refused(seen: Situation) -> Hold | None:
    """Why the policy gave no actions. A problem of the instruction is already reported."""
    refused = seen.refused
    if refused is None or refused.reason == words_problem(seen.instruction):
        return None
    return refused


def _tracking(seen: Situation, config: WatchdogConfig) -> Hold | None:
    if seen.away is None:
        return None
    far = (
        f"the arm is {seen.away[0]:.3g} m and {seen.away[1]:.3g} rad from its commanded pose (at "
        f"most {config.tracking_m:g} m and {config.tracking_rad:g} rad)"
    )
    return Hold(cause="tracking", reason=far)


def _chunk(seen: Situation) -> Hold | None:
    if seen.has_chunk or seen.refused is not None or seen.perception_stamp_ns is None:
        return None
    return Hold(cause="chunk", reason="no valid actions left", urgent=False)
