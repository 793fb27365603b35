"""When a policy would close and open the gripper, compared with when it was taught to."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from robot_vision.training.metrics.decisions import GRIPPER, Decisions, per_episode

# A gripper counts as open above, closed below; between them it keeps its state.
_OPENED, _CLOSED = 0.6, 0.4
WINDOW_S = 1.0


@dataclass(frozen=True, kw_only=True)
class GripperTiming:
    """Counts of an episode's gripper changes: taught, found, and added.

    `late_s` holds how late each found change came, earlier ones negative.
    """

    taught: int
    late_s: tuple[float, ...]
    added: int


def gripper_timing(
    predicted: Float[np.ndarray, " n"],
    taught: Float[np.ndarray, " n"],
    stamp_s: Float64[np.ndarray, " n"],
) -> GripperTiming:
    """For a gripper (0 closed to 1 open) at increasing stamps.

    A change is found where the prediction changes in the same direction within `WINDOW_S` of it;
    each predicted change counts once.
    """
    free = _changes(predicted, stamp_s)
    expected, late_s = _changes(taught, stamp_s), list[float]()
    for opens, at_s in expected:
        near = [(abs(s - at_s), s, o) for o, s in free if o == opens]
        if near and min(near)[0] <= WINDOW_S:
            _, found_s, _ = min(near)
            free.remove((opens, found_s))
            late_s.append(found_s - at_s)
    return GripperTiming(taught=len(expected), late_s=tuple(late_s), added=len(free))


def gripper_timing_figures(decisions: Decisions) -> dict[str, float]:
    """Over all episodes, by the first step of each chunk; empty if the gripper never changes."""
    found = per_episode(decisions, _timing_of_episode)
    taught = sum(each.taught for each in found)
    if not taught:
        return {}
    late_s = np.array([late for each in found for late in each.late_s])
    figures = {
        "gripper_changes": float(taught),
        "gripper_changes_found": len(late_s) / taught,
        "gripper_changes_added": sum(each.added for each in found) / taught,
    }
    if not len(late_s):
        return figures
    return figures | {
        "gripper_timing_s": float(np.abs(late_s).mean()),
        "gripper_late_s": float(late_s.mean()),
    }


def _timing_of_episode(decisions: Decisions) -> GripperTiming:
    return gripper_timing(
        decisions.predicted[:, 0, GRIPPER], decisions.taught[:, 0, GRIPPER], decisions.stamp_s
    )


def _changes(
    gripper: Float[np.ndarray, " n"], stamp_s: Float64[np.ndarray, " n"]
) -> list[tuple[bool, float]]:
    """Whether it opens, and when; the first entry is the initial state."""
    changes, is_open = list[tuple[bool, float]](), None
    for value, at_s in zip(gripper, stamp_s, strict=True):
        now = True if value >= _OPENED else False if value <= _CLOSED else is_open
        if is_open is not None and now != is_open:
            changes.append((bool(now), float(at_s)))
        is_open = now
    return changes
