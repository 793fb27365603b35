"""Checks whether the arm did what the actions say: kind, axes, units, order in time, gripper."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from robot_vision.datasets.meaning.canonical import (
    gripper_open,
    observed_in,
    poses_in,
)
from robot_vision.datasets.meaning.checking.evidence import (
    LAGS,
    Fit,
    centred_correlation,
)
from robot_vision.datasets.meaning.checking.finding import Finding, SampledEpisode
from robot_vision.datasets.meaning.checking.motion_fits import MotionFits, motion_fits
from robot_vision.datasets.meaning.columns import pick
from robot_vision.datasets.meaning.meaning import GripperColumn, Meaning, PoseColumns
from robot_vision.datasets.meaning.rotations import vectors_of

_GOOD, _POOR = 0.6, 0.3
_CLEARLY = 0.15
_MOST_OFF_M, _MOST_OFF_RAD = 0.1, 0.5
_Quantity = Literal["position", "rotation", "joints"]
_UNIT: dict[_Quantity, str] = {
    "position": "tool.position_unit",
    "rotation": "tool.angle_unit",
    "joints": "joints.angle_unit",
}


def check_motion(sample: Sequence[SampledEpisode], meaning: Meaning) -> Iterator[Finding]:
    """Findings from comparing the actions with the state, except where another agent led."""
    sample = [each for each in sample if each.actions.taught is None]
    if not sample:
        return
    fits = motion_fits(sample, meaning)
    said = fits.absolute if meaning.action.kind == "absolute" else fits.delta
    if said is None:
        yield Finding(
            level="remark",
            code="not_compared",
            what="the actions cannot be compared with the state: it is not of the same kind, not "
            "in the set, or hardly moves",
            advice="replay an episode on the arm, slowly, before training on the set",
        )
    else:
        yield from _kind(fits, meaning)
        yield from _axes(fits, meaning)
        yield from _turning(fits, meaning)
        of: _Quantity = "position" if meaning.action.tool else "joints"
        yield from _gain(said, meaning, of)
        yield from _mirrored(said, meaning, of)
        yield from _swapped(said, meaning, of)
        yield from _lag(said, meaning)
        yield from _away(sample, meaning)
    yield from _gripper(sample, meaning)


def _kind(fits: MotionFits, meaning: Meaning) -> Iterator[Finding]:
    delta = 0.0 if fits.delta is None else fits.delta.correlation
    absolute = 0.0 if fits.absolute is None else fits.absolute.correlation
    kind = meaning.action.kind
    said, other = (delta, absolute) if kind == "delta" else (absolute, delta)
    contrary = "absolute" if kind == "delta" else "delta"
    if other > _GOOD and other > said + _CLEARLY:
        yield Finding(
            level="error",
            code="kind",
            what=f"actions declared as {kind} explain the motion with a correlation of "
            f"{said:.2f}, read as {contrary} with {other:.2f}",
            advice=f"set action.kind to {contrary}",
        )
    elif said < _POOR:
        yield Finding(
            level="error",
            code="no_motion_explained",
            what=f"the actions do not integrate to the state: correlation {said:.2f} as {kind}, "
            f"{other:.2f} as {contrary}",
            advice="check the columns of action and state, the rotation and the axes",
        )
    elif said < _GOOD:
        yield Finding(
            level="remark",
            code="motion_partly_explained",
            what=f"the actions explain only a part of the motion: correlation {said:.2f}",
            advice="check the order and the signs of the columns of action and state",
        )


def _axes(fits: MotionFits, meaning: Meaning) -> Iterator[Finding]:
    if meaning.action.kind != "delta" or meaning.action.tool is None:
        return
    pairs = {"positions": (fits.base, fits.tool), "rotations": (fits.turn_base, fits.turn_tool)}
    for what, (base, tool) in pairs.items():
        if base is None or tool is None:
            continue
        said, other, contrary = base.correlation, tool.correlation, "tool"
        if meaning.action.axes == "tool":
            said, other, contrary = other, said, "base"
        numbers = f"{what}: correlation {base.correlation:.2f} in the axes of the base, "
        numbers += f"{tool.correlation:.2f} in those of the tool"
        if other > _GOOD and other > said + _CLEARLY:
            yield Finding(
                level="error",
                code="axes",
                what=numbers,
                advice=f"set action.axes to {contrary}. If positions and rotations disagree, "
                "convert the set: both must be in the same axes",
            )
        elif abs(said - other) < 0.05:
            yield Finding(
                level="remark",
                code="axes_open",
                what=f"{numbers}: the data do not decide between them",
                advice="ask who recorded the set, or replay an episode slowly",
            )


def _turning(fits: MotionFits, meaning: Meaning) -> Iterator[Finding]:
    """Rotations; `_axes` finds those in the wrong axes."""
    is_in_tool = meaning.action.axes == "tool"
    fit, other = (fits.turn_tool, fits.turn_base)[:: 1 if is_in_tool else -1]
    if meaning.action.kind == "absolute":
        fit = other = fits.turn_absolute
    if fit is None or other is None:
        return
    if max(fit.correlation, other.correlation) < _POOR:
        yield Finding(
            level="error",
            code="no_turn_explained",
            what="the rotations of the actions do not integrate to those of the state: "
            f"correlation {fit.correlation:.2f}",
            advice="check tool.rotation, rotation_columns (their order and signs) and the unit, "
            "of both action and state",
        )
    yield from _gain(fit, meaning, "rotation")
    yield from _mirrored(fit, meaning, "rotation")
    if fit.correlation >= other.correlation:
        yield from _swapped(fit, meaning, "rotation")


def _gain(fit: Fit, meaning: Meaning, of: _Quantity) -> Iterator[Finding]:
    if fit.correlation < _GOOD or 0.5 < fit.gain < 2:
        return
    part = meaning.action.tool or meaning.action.joints
    assert part is not None  # guaranteed by `ActionMeaning`
    now, unit = part.radians, "rad"
    if of == "position" and isinstance(part, PoseColumns):
        now, unit = part.metres, "m"
    yield Finding(
        level="error",
        code="gain",
        what=f"the arm {'turns' if of == 'rotation' else 'goes'} {fit.gain:.3g} times as far as "
        "the actions say",
        advice=f"set action.{_UNIT[of]}: 1 stands for about {now * fit.gain:.3g} {unit}, if the "
        "state's unit is right",
    )


def _mirrored(fit: Fit, meaning: Meaning, of: _Quantity) -> Iterator[Finding]:
    if not fit.mirrored or fit.correlation < _POOR:  # else it is reported as a whole
        return
    names = _dimensions(meaning)
    which = ", ".join(names[axis] for axis in fit.mirrored)
    yield Finding(
        level="error",
        code="mirrored",
        what=f"{of} {which}: the state moves opposite to the actions",
        advice="check the order of the columns of action and state; if one of them has another "
        "sign, convert the set",
    )


def _swapped(fit: Fit, meaning: Meaning, of: _Quantity) -> Iterator[Finding]:
    if not fit.swapped:
        return
    names = _dimensions(meaning)
    which = ", ".join(f"{names[other]} follows {names[one]}" for one, other in fit.swapped)
    yield Finding(
        level="error",
        code="swapped",
        what=f"{of}: the state's dimensions follow others of the actions ({which})",
        advice="columns of action and state are in different orders, or of different frames: give "
        "those of the state in the action's order",
    )


def _dimensions(meaning: Meaning) -> list[str]:
    joints = meaning.action.joints
    return ["x", "y", "z"] if joints is None else [str(column) for column in joints.columns]


def _lag(fit: Fit, meaning: Meaning) -> Iterator[Finding]:
    steps = fit.lag_steps + meaning.action.shift_steps
    if fit.correlation < _GOOD or steps == 0:
        return
    after_s = steps / meaning.rate_hz
    if steps > 0:
        yield Finding(
            level="remark",
            code="lag",
            what=f"the state follows the actions {steps} steps ({after_s:.2g} s) later",
            advice="nothing to do: an arm takes time, and a policy learns to command ahead",
        )
        return
    yield Finding(
        level="error",
        code="lead",
        what=f"the state moves {-steps} steps ({-after_s:.2g} s) before the actions",
        advice="actions were recorded after they were executed: set action.shift_steps to "
        f"{-fit.lag_steps}",
    )


def _away(sample: Sequence[SampledEpisode], meaning: Meaning) -> Iterator[Finding]:
    """Absolute targets with a constant offset are of another frame or tool point."""
    pose = meaning.action.tool
    if meaning.action.kind != "absolute" or pose is None:
        return
    off, turned = list[np.ndarray](), list[np.ndarray]()
    for each in sample:
        seen = observed_in(meaning.state, each.state).base_from_tool
        assert seen is not None
        said = poses_in(pose, each.actions)
        off.append(said[:, :3, 3] - seen[:, :3, 3])
        turned.append(vectors_of(said[:, :3, :3] @ seen[:, :3, :3].transpose(0, 2, 1)))
    mean = np.nanmedian(np.concatenate(off), axis=0)
    turn_rad = float(np.nanmedian(np.linalg.norm(np.concatenate(turned), axis=1)))
    if np.linalg.norm(mean) > _MOST_OFF_M or turn_rad > _MOST_OFF_RAD:
        shown = ", ".join(f"{value:.3f}" for value in mean)
        yield Finding(
            level="error",
            code="frame",
            what=f"targets are ({shown}) m and {turn_rad:.2g} rad from the tool at the median",
            advice="targets and state are of different frames or tool points: convert the set; a "
            "rotation may also be of another kind or order",
        )


def _gripper(sample: Sequence[SampledEpisode], meaning: Meaning) -> Iterator[Finding]:
    found = gripper_correlation(sample, meaning)
    if found is not None and found < -0.4:
        yield Finding(
            level="error",
            code="gripper_inverted",
            what=f"the commanded gripper opposes the observed one (correlation {found:.2f})",
            advice="swap closed and open of action.gripper, or of state.gripper",
        )
    elif found is None and isinstance(meaning.action.gripper, GripperColumn):
        yield Finding(
            level="remark",
            code="gripper_not_compared",
            what="the gripper's polarity cannot be checked: it is not observed, or hardly moves",
            advice="look at a picture of a step at which the action says closed",
        )


def gripper_correlation(sample: Sequence[SampledEpisode], meaning: Meaning) -> float | None:
    """Correlation of commanded and observed gripper at the lag at which they agree or disagree
    most; None if one of them is missing or hardly moves."""
    said = meaning.action.gripper
    seen = None if meaning.state is None else meaning.state.gripper
    if not isinstance(said, GripperColumn) or seen is None:
        return None
    commanded, observed = list[np.ndarray](), list[np.ndarray]()
    for each in sample:
        if each.state is not None:
            values = pick(
                each.actions.values, [said.column], names=each.actions.names, what="the actions"
            )
            commanded.append(gripper_open(said, values[:, 0]))
            values = pick(
                each.state.values, [seen.column], names=each.state.names, what="the state"
            )
            observed.append(gripper_open(seen, values[:, 0]))
    found = [centred_correlation(commanded, observed, lag) for lag in LAGS if lag >= 0]
    return max((each for each in found if each is not None), key=abs, default=None)
