"""How well each reading of the actions explains the arm's observed motion."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_vision.datasets.meaning.canonical import (
    Observed,
    joints_in,
    observed_in,
    poses_in,
    step_from_to,
)
from robot_vision.datasets.meaning.checking.evidence import Fit, Motion, best_fit, steps_of
from robot_vision.datasets.meaning.checking.finding import SampledEpisode
from robot_vision.datasets.meaning.meaning import Meaning, PoseColumns
from robot_vision.datasets.meaning.rotations import vectors_of

_LEAST_TURN_RAD = 2e-3  # in a step


@dataclass(frozen=True, kw_only=True)
class MotionFits:
    """How well each reading of the actions explains the observation; None if unknown.

    `turn_base`, `turn_tool` and `turn_absolute` are for rotations, None also if the arm hardly
    turns; the others are for positions (or joints).
    """

    base: Fit | None = None
    tool: Fit | None = None
    absolute: Fit | None = None
    turn_base: Fit | None = None
    turn_tool: Fit | None = None
    turn_absolute: Fit | None = None

    @property
    def delta(self) -> Fit | None:
        """The better of the two axes."""
        known = [fit for fit in (self.base, self.tool) if fit is not None]
        return max(known, key=lambda fit: fit.correlation, default=None)


def motion_fits(sample: Sequence[SampledEpisode], meaning: Meaning) -> MotionFits:
    """Fits of all readings, whichever one the meaning declares."""
    seen = [observed_in(meaning.state, each.state) for each in sample]
    action = meaning.action
    if action.joints is not None:
        if any(each.joints is None for each in seen):
            return MotionFits()
        said = [joints_in(action.joints, each.actions) for each in sample]
        joints = [each.joints for each in seen if each.joints is not None]
        if any(a.shape != b.shape for a, b in zip(said, joints, strict=True)):
            return MotionFits()  # the state is of more joints, or of fewer
        moved = steps_of(joints)
        return MotionFits(base=best_fit(said, moved), absolute=best_fit(steps_of(said), moved))
    assert action.tool is not None
    if any(each.base_from_tool is None for each in seen):
        return MotionFits()
    return _tool_fits(sample, seen, action.tool)


def _tool_fits(
    sample: Sequence[SampledEpisode], seen: Sequence[Observed], pose: PoseColumns
) -> MotionFits:
    poses = [each.base_from_tool for each in seen if each.base_from_tool is not None]
    moved = [step_from_to(each[:-1], each[1:]) for each in poses]
    said = [poses_in(pose, each.actions) for each in sample]
    move = [each[:, :3, 3] for each in said]
    turn = [vectors_of(each[:, :3, :3]) for each in said]
    targets_turn = [step_from_to(each[:-1], each[1:])[:, 3:] for each in said]
    axes = [each[:, :3, :3] for each in poses]
    seen_move, seen_turn = [each[:, :3] for each in moved], [each[:, 3:] for each in moved]
    return MotionFits(
        base=best_fit(move, seen_move),
        tool=best_fit(_turned(axes, move), seen_move),
        absolute=best_fit(steps_of(move), seen_move),
        turn_base=_turn_fit(turn, seen_turn),
        turn_tool=_turn_fit(_turned(axes, turn), seen_turn),
        turn_absolute=_turn_fit(targets_turn, seen_turn),
    )


def _turn_fit(said: Sequence[Motion], seen: Sequence[Motion]) -> Fit | None:
    return None if _is_still(said) or _is_still(seen) else best_fit(said, seen)


def _is_still(turns: Sequence[Motion]) -> bool:
    """Whether turns are not larger than a sensor's noise."""
    angles = np.linalg.norm(np.concatenate(turns), axis=1)
    return float(np.nansum(angles)) <= _LEAST_TURN_RAD * len(angles)


def _turned(axes: Sequence[np.ndarray], vectors: Sequence[Motion]) -> list[Motion]:
    return [np.einsum("nij,nj->ni", r, v) for r, v in zip(axes, vectors, strict=True)]
