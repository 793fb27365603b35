"""Checks columns by themselves: NaN, constants, units, invalid rotations."""

from collections.abc import Iterator, Sequence

import numpy as np

from robot_vision.core.files.foreign import brief
from robot_vision.datasets.episode_set import EpisodeActions, EpisodeState
from robot_vision.datasets.meaning.checking.finding import Finding, SampledEpisode
from robot_vision.datasets.meaning.columns import called, pick, place_of
from robot_vision.datasets.meaning.meaning import (
    ANGLES,
    ActionMeaning,
    Column,
    GripperColumn,
    JointColumns,
    Meaning,
    PoseColumns,
    Rotation,
    columns_of,
)
from robot_vision.datasets.meaning.rotations import matrices_of, vectors_of

_TURN = 2 * np.pi + 0.1
_FARTHEST_M = 5.0
_LONGEST_STEP_M = 0.5
_LARGEST_STEP_RAD = 1.2
Numbers = EpisodeActions | EpisodeState
_PARTS: dict[Rotation, tuple[str, ...]] = {
    "rpy": ("roll", "pitch", "yaw"),
    "quaternion_xyzw": ("x", "y", "z", "w"),
    "quaternion_wxyz": ("w", "x", "y", "z"),
}


def check_numbers(sample: Sequence[SampledEpisode], meaning: Meaning) -> Iterator[Finding]:
    """Findings for the columns that the meaning names, action first."""
    action, is_delta = meaning.action, meaning.action.kind == "delta"
    actions = [each.actions for each in sample]
    yield from _of_part(actions, action.tool, action.joints, action.gripper, is_delta=is_delta)
    yield from _unused(actions[0], action)
    states = [each.state for each in sample if each.state is not None]
    if meaning.state is not None and states:
        state = meaning.state
        yield from _of_part(states, state.tool, state.joints, state.gripper, is_delta=False)


def _of_part(
    numbers: Sequence[Numbers],
    tool: PoseColumns | None,
    joints: JointColumns | None,
    gripper: GripperColumn | str | None,
    *,
    is_delta: bool,
) -> Iterator[Finding]:
    what = "action" if isinstance(numbers[0], EpisodeActions) else "state"
    columns = columns_of(tool, joints, gripper)
    yield from _twice(columns, numbers[0], what)
    values = _rows(numbers, columns)
    names = [called(column, numbers[0].names) for column in columns]
    yield from _not_finite(values, names, what)
    if not np.isfinite(values).any(axis=0).all():
        return  # nothing more is known of a column without a number
    yield from _constant(values, names, what)
    if tool is not None:
        yield from _of_tool(numbers, tool, what, is_delta=is_delta)
    if joints is not None:
        yield from _of_joints(numbers, joints, what)
    if isinstance(gripper, GripperColumn):
        yield from _of_gripper(_rows(numbers, [gripper.column])[:, 0], gripper, what)


def _twice(columns: Sequence[Column], numbers: Numbers, what: str) -> Iterator[Finding]:
    """Columns given by their name and by their number."""
    count, names = numbers.values.shape[1], numbers.names
    of = "the actions" if what == "action" else "the state"
    places = [place_of(column, count=count, names=names, what=of) for column in columns]
    twice = sorted({place for place in places if places.count(place) > 1})
    if twice:
        shown = ", ".join(f"{called(place, names)} ({place})" for place in twice)
        yield _error("column_twice", f"{what}: {shown} is given twice", "name each column once")


def _unused(numbers: EpisodeActions, action: ActionMeaning) -> Iterator[Finding]:
    count, names = numbers.values.shape[1], numbers.names
    used = {place_of(c, count=count, names=names, what="the actions") for c in action.columns}
    unused = [called(column, names) for column in range(count) if column not in used]
    if unused:
        yield Finding(
            level="remark",
            code="unused",
            what=f"action: {brief(', '.join(unused))}: not in the meaning",
            advice="a policy neither learns nor commands them; add those that move the arm",
        )


def _not_finite(values: np.ndarray, names: list[str], what: str) -> Iterator[Finding]:
    bad = (~np.isfinite(values)).sum(axis=0)
    if bad.any():
        shown = ", ".join(f"{n} {int(b)}" for n, b in zip(names, bad, strict=True) if b)
        yield Finding(
            level="error",
            code="not_finite",
            what=f"{what}: numbers that are not finite ({shown} of {len(values)} rows)",
            advice="leave these episodes out of the set, or repair them",
        )


def _constant(values: np.ndarray, names: list[str], what: str) -> Iterator[Finding]:
    with np.errstate(invalid="ignore"):
        still = [n for n, s in zip(names, np.ptp(values, axis=0), strict=True) if s < 1e-9]
    if still:
        yield Finding(
            level="remark",
            code="constant",
            what=f"{what}: {', '.join(still)} never changes",
            advice="nothing can be learnt from it; a policy will hardly leave it",
        )


def _of_tool(
    numbers: Sequence[Numbers], tool: PoseColumns, what: str, *, is_delta: bool
) -> Iterator[Finding]:
    yield from _named_otherwise(tool.position, "xyz", numbers[0], f"{what}.tool.position")
    if tool.rotation in _PARTS:
        parts, where = _PARTS[tool.rotation], f"{what}.tool.rotation_columns"
        yield from _named_otherwise(tool.rotation_columns, parts, numbers[0], where)
    position = np.abs(_rows(numbers, tool.position)) * tool.metres
    largest, most = float(np.nanmax(position)), _LONGEST_STEP_M if is_delta else _FARTHEST_M
    if largest > most:
        advice = (
            f"numbers larger than 1 may be mm: set {what}.tool.position_unit to mm, or to the "
            "metres that 1 stands for"
        )
        yield _error("position_unit", f"{what}: positions reach {largest:.3g} m", advice)
    if not is_delta and largest < 0.01:
        yield _error(
            "position_unit",
            f"{what}: no position is further than {largest * 1000:.2g} mm from the base",
            f"set {what}.tool.position_unit to m, or {what}.kind to delta",
        )
    turned = _rows(numbers, tool.rotation_columns)
    if tool.rotation in ANGLES:
        yield from _of_angles(numbers, tool, what, is_delta=is_delta)
    elif tool.rotation.startswith("quaternion"):
        off = float(np.nanmax(np.abs(np.linalg.norm(turned, axis=1) - 1)))
        if off > 0.05:
            yield _error(
                "quaternion",
                f"{what}: quaternions are up to {off:.2g} off the length of 1",
                f"check {what}.tool.rotation and rotation_columns",
            )
    elif tool.rotation == "two_axes":
        x, y = turned[:, :3], turned[:, 3:]
        lengths = np.linalg.norm(np.stack([x, y]), axis=2)
        off = float(np.nanmax([np.abs(lengths - 1).max(), np.abs((x * y).sum(axis=1)).max()]))
        if off > 0.1:
            yield _error(
                "two_axes",
                f"{what}: the two axes are up to {off:.2g} off being of length 1 and at right "
                "angles",
                "the order may be by rows of the matrix, or y axis before x axis: check "
                f"{what}.tool.rotation_columns",
            )


def _named_otherwise(
    columns: Sequence[Column], parts: Sequence[str], numbers: Numbers, where: str
) -> Iterator[Finding]:
    """An order of columns that their names contradict: the data cannot show it, if action and
    state are in the same wrong order."""
    names = [called(column, numbers.names) for column in columns]
    found = [[part for part in parts if name.lower().endswith(part)] for name in names]
    if sorted(found) != sorted([part] for part in parts) or found == [[part] for part in parts]:
        return
    yield _error(
        "column_order",
        f"{where}: {', '.join(names)}; expected the order {', '.join(parts)}",
        f"put the columns of {where} into this order, or choose the rotation that has theirs",
    )


def _of_angles(
    numbers: Sequence[Numbers], tool: PoseColumns, what: str, *, is_delta: bool
) -> Iterator[Finding]:
    turned = [
        pick(each.values, tool.rotation_columns, names=each.names, what=what) * tool.radians
        for each in numbers
    ]
    largest = float(np.nanmax(np.abs(np.concatenate(turned))))
    most = _LARGEST_STEP_RAD if is_delta else _TURN
    if largest > most:
        fault = f"{what}: angles reach {largest:.3g} rad" + (" in one step" if is_delta else "")
        advice = f"set {what}.tool.angle_unit to deg, or to the radians that 1 stands for"
        yield _error("angle_unit", fault, advice)
    if not is_delta and tool.angle_unit == "deg" and largest < np.radians(4):
        yield _error(
            "angle_unit",
            f"{what}: no angle is beyond {np.degrees(largest):.2g}°",
            f"set {what}.tool.angle_unit to rad",
        )
    if not is_delta and largest <= most:
        yield from _jumps(turned, tool, what)


def _jumps(turned: list[np.ndarray], tool: PoseColumns, what: str) -> Iterator[Finding]:
    jumps, wild = 0, 0
    for angles in turned:
        matrices = matrices_of(angles, rotation=tool.rotation)
        step = vectors_of(matrices[1:] @ matrices[:-1].transpose(0, 2, 1))
        is_jump = np.abs(np.diff(angles, axis=0)).max(axis=1) > np.pi
        far = np.linalg.norm(step, axis=1) > _LARGEST_STEP_RAD
        jumps, wild = jumps + int((is_jump & ~far).sum()), wild + int(far.sum())
    if jumps:
        yield Finding(
            level="remark",
            code="jump_at_pi",
            what=f"{what}: the {tool.rotation} jumps {jumps} times at π, the tool does not",
            advice="nothing to do: states are learnt as two axes, actions as small rotations",
        )
    if wild:
        yield _error(
            "wild_rotation",
            f"{what}: the tool turns by more than {_LARGEST_STEP_RAD} rad from one step to the "
            f"next {wild} times",
            f"check {what}.tool.rotation (rpy and rotation_vector are easily confused), the order "
            "of its columns and the unit",
        )


def _of_joints(numbers: Sequence[Numbers], joints: JointColumns, what: str) -> Iterator[Finding]:
    if not joints.names and any(isinstance(column, int) for column in joints.columns):
        yield Finding(
            level="remark",
            code="joint_names",
            what=f"{what}: joints are called by their columns, {', '.join(joints.joint_names)}",
            advice=f"set {what}.joints.names to those in the robot's description: a policy finds "
            "its joints by name",
        )
    largest = float(np.nanmax(np.abs(_rows(numbers, joints.columns)))) * joints.radians
    if largest > 2 * _TURN:
        yield _error(
            "angle_unit",
            f"{what}: joints reach {largest:.3g} rad",
            f"set {what}.joints.angle_unit to deg. Numbers from -100 to 100 may be LeRobot's "
            "normalised positions: record or convert the set in degrees",
        )
    if joints.angle_unit == "deg" and largest < np.radians(7):
        yield _error(
            "angle_unit",
            f"{what}: no joint is beyond {np.degrees(largest):.2g}°",
            f"set {what}.joints.angle_unit to rad",
        )


def _of_gripper(values: np.ndarray, gripper: GripperColumn, what: str) -> Iterator[Finding]:
    ends = sorted((gripper.closed, gripper.open))
    span = ends[1] - ends[0]
    low, high = (float(end) for end in np.nanquantile(values, (0.01, 0.99)))
    said = f"{what}: the gripper goes from {low:.3g} to {high:.3g}, the meaning says {ends[0]:g} "
    said += f"to {ends[1]:g}"
    advice = f"set {what}.gripper.closed and open to the numbers at both ends"
    if low < ends[0] - 0.15 * span or high > ends[1] + 0.15 * span:
        yield _error("gripper_range", said, advice)
    elif 0 < high - low < 0.3 * span:  # one that never moves is `constant`
        yield Finding(
            level="remark",
            code="gripper_range",
            what=said,
            advice=f"if it does open and close in these episodes, {advice}",
        )


def _rows(numbers: Sequence[Numbers], columns: Sequence[int | str]) -> np.ndarray:
    """NaN for all that is not finite."""
    what = "the actions" if isinstance(numbers[0], EpisodeActions) else "the state"
    values = np.concatenate(
        [pick(each.values, columns, names=each.names, what=what) for each in numbers]
    )
    return np.where(np.isfinite(values), values, np.nan)


def _error(code: str, what: str, advice: str) -> Finding:
    return Finding(level="error", code=code, what=what, advice=advice)
