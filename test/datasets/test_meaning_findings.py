"""Mistakes in a meaning are found in the data, with what to do; a right one is let be."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from meaning_sets import NAMES, RATE_HZ, MadeSet, arm
from scipy.spatial.transform import Rotation as Turn
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.datasets.episode_set import EpisodeActions
from robot_vision.datasets.meaning.asking.draft import MeaningError, whole
from robot_vision.datasets.meaning.asking.skeleton import skeleton
from robot_vision.datasets.meaning.asking.study import study
from robot_vision.datasets.meaning.asking.suggest import known_or_asked
from robot_vision.datasets.meaning.canonical import step_from_to
from robot_vision.datasets.meaning.checking.check import check_meaning
from robot_vision.datasets.meaning.checking.finding import Finding
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.datasets.open_dataset import open_dataset

POSES, GRIPPER = arm()
WIDOWX = Path("/work/shared/data/demonstrations/widowx_lerobot21")


def rows_of(poses: np.ndarray, gripper: np.ndarray) -> list[np.ndarray]:
    """Positions, rpy, gripper."""
    return [
        np.concatenate(
            [p[:, :3, 3], Turn.from_matrix(p[:, :3, :3]).as_euler("xyz"), g[:, None]], axis=1
        )
        for p, g in zip(poses, gripper, strict=True)
    ]


def deltas(*, in_tool: bool = False) -> list[np.ndarray]:
    """What leads from each pose to the next, rotations as rpy of the change."""
    found = []
    for poses, gripper in zip(POSES, GRIPPER, strict=True):
        step = step_from_to(poses[:-1], poses[1:])
        step = np.concatenate([step, np.zeros((1, 6))])
        if in_tool:
            axes = poses[:, :3, :3]
            step = np.concatenate(
                [np.einsum("nji,nj->ni", axes, part) for part in (step[:, :3], step[:, 3:])],
                axis=1,
            )
        step[:, 3:] = Turn.from_rotvec(step[:, 3:]).as_euler("xyz")
        found.append(np.concatenate([step, gripper[:, None]], axis=1))
    return found


STATES = rows_of(POSES, GRIPPER)
POSE: dict[str, Any] = {
    "position": NAMES[:3],
    "position_unit": "m",
    "rotation": "rpy",
    "rotation_columns": NAMES[3:6],
    "angle_unit": "rad",
}
OPEN: dict[str, Any] = {"column": "gripper", "closed": 0, "open": 1}
RIGHT: dict[str, Any] = {
    "rate_hz": RATE_HZ,
    "action": {"tool": POSE, "kind": "delta", "axes": "base", "gripper": OPEN},
    "state": {"tool": POSE, "gripper": OPEN},
}


def changed(**fields: object) -> Meaning:
    """`RIGHT` but for fields by dotted names with `__`."""
    draft = deepcopy(RIGHT)
    for name, value in fields.items():
        *path, last = name.split("__")
        at = draft
        for part in path:
            at = at[part]
        at[last] = value
    return Meaning.model_validate(draft)


def found_in(
    actions: list[np.ndarray], meaning: Meaning, states: list[np.ndarray] | None = None
) -> dict[str, Finding]:
    made = MadeSet(actions, STATES if states is None else states)
    return {finding.code: finding for finding in check_meaning(made, meaning)}


def with_column(rows: list[np.ndarray], change: Callable[[np.ndarray], None]) -> list[np.ndarray]:
    copies = [each.copy() for each in rows]
    for each in copies:
        change(each)
    return copies


def test_a_right_meaning_has_no_errors() -> None:
    assert {f.code for f in found_in(deltas(), changed()).values() if f.level == "error"} == set()
    in_tool = found_in(deltas(in_tool=True), changed(action__axes="tool"))
    assert {f.code for f in in_tool.values() if f.level == "error"} == set()
    targets = [np.roll(each, -1, axis=0) for each in STATES]
    absolute = found_in(targets, changed(action__kind="absolute"))
    assert {f.code for f in absolute.values() if f.level == "error"} == set()


@pytest.mark.parametrize(
    ("in_tool", "fields", "code", "advice"),
    [
        (False, {"action__kind": "absolute"}, "kind", "action.kind to delta"),
        (False, {"action__axes": "tool"}, "axes", "action.axes to base"),
        (True, {}, "axes", "action.axes to tool"),
        (False, {"action__tool": POSE | {"position_unit": "mm"}}, "gain", "about 1 m"),
        (
            False,
            {"action__gripper": OPEN | {"closed": 1, "open": 0}},
            "gripper_inverted",
            "swap closed and open",
        ),
        (
            False,
            {"action__gripper": OPEN | {"closed": -1}},
            "",
            "",
        ),
        (False, {"state__tool": POSE | {"angle_unit": "deg"}}, "angle_unit", "to rad"),
        (False, {"state__tool": POSE | {"position_unit": "mm"}}, "position_unit", "to m"),
        (False, {"rate_hz": 30}, "rate", "rate_hz to 10"),
    ],
)
def test_mistakes_are_found(in_tool: bool, fields: dict, code: str, advice: str) -> None:
    found = found_in(deltas(in_tool=in_tool), changed(**fields))
    if code:
        assert found[code].level == "error"
        assert advice in found[code].advice
    else:
        assert all(finding.level == "remark" for finding in found.values())


def in_columns(change: Callable[[np.ndarray], np.ndarray], columns: slice) -> list[np.ndarray]:
    def changes(rows: np.ndarray) -> None:
        rows[:, columns] = change(rows[:, columns])

    return with_column(deltas(), changes)


@pytest.mark.parametrize(
    ("actions", "code", "words"),
    [
        (in_columns(lambda turn: 20 * turn, slice(3, 6)), "gain", "tool.angle_unit: 1 stands"),
        (in_columns(lambda turn: turn[:, ::-1], slice(3, 6)), "no_turn_explained", "order"),
        (in_columns(lambda turn: -turn, slice(3, 6)), "no_turn_explained", "signs"),
        (in_columns(lambda x: -x, slice(0, 1)), "mirrored", "convert the set"),
    ],
)
def test_numbers_that_do_not_move_the_arm_so_are_found(
    actions: list[np.ndarray], code: str, words: str
) -> None:
    found = found_in(actions, changed())[code]
    assert (found.level, words in found.advice) == ("error", True)


def test_quaternions_in_another_order_are_found() -> None:
    def rows(order: list[int], poses: np.ndarray) -> list[np.ndarray]:
        quaternions = [Turn.from_matrix(each[:, :3, :3]).as_quat()[:, order] for each in poses]
        parts = zip(poses, quaternions, GRIPPER, strict=True)
        return [np.concatenate([p[:, :3, 3], q, g[:, None]], axis=1) for p, q, g in parts]

    pose = POSE | {"rotation": "quaternion_xyzw", "rotation_columns": [3, 4, 5, 6]}
    pose |= {"position": [0, 1, 2]}
    gripper = OPEN | {"column": 7}
    action = {"tool": pose, "kind": "absolute", "gripper": gripper}
    state = {"tool": pose, "gripper": gripper}
    meaning = Meaning.model_validate({"rate_hz": RATE_HZ, "action": action, "state": state})
    states = rows([0, 1, 2, 3], POSES)

    def codes(order: list[int]) -> set[str]:
        made = MadeSet(rows(order, np.roll(POSES, -1, axis=1)), states, names=())
        return {each.code for each in check_meaning(made, meaning) if each.level == "error"}

    assert codes([0, 1, 2, 3]) == set()
    assert codes([3, 0, 1, 2]) == {"no_turn_explained", "frame"}


def test_the_actions_of_a_teacher_are_not_compared_with_the_motion_of_another() -> None:
    class Corrected(MadeSet):
        def actions(self, episode_index: int) -> EpisodeActions | None:
            values = -deltas()[episode_index]
            taught = np.zeros((len(values), 2, 7), np.float32)
            return EpisodeActions(values=values, names=NAMES, taught=taught)

    codes = {finding.code for finding in check_meaning(Corrected([], STATES), changed())}
    assert not codes & {"no_motion_explained", "no_turn_explained", "mirrored", "kind"}


def test_targets_that_are_called_deltas_are_found() -> None:
    targets = [np.roll(each, -1, axis=0) for each in STATES]
    assert found_in(targets, changed())["kind"].advice == "set action.kind to absolute"


@pytest.mark.parametrize("by", [-2, 1, 3])
def test_a_shift_in_time_is_found(by: int) -> None:
    late = [np.roll(each, -by, axis=0) for each in deltas()]  # by > 0: commanded ahead
    found = found_in(late, changed())
    if by > 0:
        assert f"{by} steps ({by / RATE_HZ:.2g} s) later" in found["lag"].what
    else:
        assert found["lead"].level == "error"
        assert "shift_steps to 2" in found["lead"].advice
        right = found_in(late, changed(action__shift_steps=2))
        assert "lead" not in right


def test_degrees_millimetres_and_numbers_that_are_none_are_found() -> None:
    def in_degrees(rows: np.ndarray) -> None:
        rows[:, 3:6] = np.degrees(rows[:, 3:6])

    def in_mm(rows: np.ndarray) -> None:
        rows[:, :3] *= 1000

    def with_nan(rows: np.ndarray) -> None:
        rows[3, 1] = np.nan

    assert found_in(deltas(), changed(), with_column(STATES, in_degrees))["angle_unit"]
    assert found_in(deltas(), changed(), with_column(STATES, in_mm))["position_unit"]
    found = found_in(with_column(deltas(), with_nan), changed())
    assert "y 4 of 160 rows" in found["not_finite"].what
    assert "gain" not in found

    def without(rows: np.ndarray) -> None:
        rows[:, 6] = np.nan

    assert "gripper 160" in found_in(with_column(deltas(), without), changed())["not_finite"].what


def test_columns_in_another_order_than_those_of_the_state_are_found() -> None:
    swapped = in_columns(lambda move: move[:, [1, 0, 2]], slice(0, 3))
    found = found_in(swapped, changed())["swapped"]
    assert (found.level, "(y follows x, x follows y)" in found.what) == ("error", True)
    assert "swapped" not in found_in(deltas(), changed())
    assert "swapped" not in found_in(deltas(in_tool=True), changed())


@pytest.mark.parametrize(
    ("position", "rotation", "turned", "expected"),
    [
        (("y", "x", "z"), "rpy", ("roll", "pitch", "yaw"), "y, x, z; expected the order x, y, z"),
        (("x", "y", "z"), "rpy", ("yaw", "pitch", "roll"), "the order roll, pitch, yaw"),
        (("x", "y", "z"), "quaternion_wxyz", ("q.x", "q.y", "q.z", "q.w"), "order w, x, y, z"),
        (("x", "y", "z"), "quaternion_xyzw", ("qw", "qx", "qy", "qz"), "order x, y, z, w"),
        (("x", "y", "z"), "quaternion_xyzw", ("qx", "qy", "qz", "qw"), ""),
        (("x", "y", "z"), "quaternion_wxyz", ("a", "b", "c", "d"), ""),
    ],
)
def test_an_order_that_the_names_contradict_is_found(
    position: tuple[str, ...], rotation: str, turned: tuple[str, ...], expected: str
) -> None:
    """Where action and state are in the same wrong order, the data do not show it."""
    tool = POSE | {"position": position, "rotation": rotation, "rotation_columns": turned}
    action = {"tool": tool, "kind": "absolute", "gripper": "none"}
    meaning = Meaning.model_validate(
        {"rate_hz": RATE_HZ, "action": action, "state": {"tool": tool}}
    )
    turns = Turn.from_matrix(POSES.reshape(-1, 4, 4)[:, :3, :3])
    numbers = turns.as_euler("xyz") if rotation == "rpy" else turns.as_quat()
    rows = np.concatenate([POSES.reshape(-1, 4, 4)[:, :3, 3], numbers], axis=1)
    found = check_meaning(MadeSet([rows], [rows], names=(*position, *turned)), meaning)
    texts = [finding.what for finding in found if finding.code == "column_order"]
    assert len(texts) == (2 if expected else 0)  # of action and state
    assert all(text.endswith(expected) for text in texts)


def test_a_state_of_other_joints_is_not_compared() -> None:
    def meaning(columns: tuple[str, ...], kind: str) -> Meaning:
        joints = {"columns": NAMES[:3], "angle_unit": "rad"}
        seen = {"columns": columns, "angle_unit": "rad"}
        action = {"joints": joints, "kind": kind, "gripper": OPEN}
        said = {"rate_hz": RATE_HZ, "action": action, "state": {"joints": seen, "gripper": OPEN}}
        return Meaning.model_validate(said)

    assert found_in(STATES, meaning(NAMES[:4], "absolute"))["not_compared"].level == "remark"
    with pytest.raises(ValueError, match=r"action\.joints has 3 columns, state\.joints 4"):
        meaning(NAMES[:4], "delta")
    with pytest.raises(ValueError, match="z, y, x; list them in the same order"):
        meaning(NAMES[2::-1], "absolute")


def test_a_column_given_by_name_and_by_number_is_found() -> None:
    meaning = changed(action__tool=POSE | {"position": [0, 1, "x"]})
    found = found_in(deltas(), meaning)["column_twice"]
    assert (found.level, found.what) == ("error", "action: x (0) is given twice")


def test_columns_of_the_action_that_are_not_in_the_meaning_are_remarked() -> None:
    assert "unused" not in found_in(deltas(), changed())
    found = found_in(deltas(), changed(action__gripper="none"))["unused"]
    assert (found.level, found.what) == ("remark", "action: gripper: not in the meaning")


def test_constants_and_jumps_at_pi_are_remarked() -> None:
    def still(rows: np.ndarray) -> None:
        rows[:, 2] = 0

    assert "z" in found_in(with_column(deltas(), still), changed())["constant"].what
    turned = POSES.copy()
    angles = np.linspace(-0.3, 0.3, turned.shape[1])
    turned[:, :, :3, :3] = Turn.from_rotvec(np.outer(np.pi + angles, [1, 0, 0])).as_matrix()
    states = rows_of(turned, GRIPPER)
    assert found_in(deltas(), changed(), states)["jump_at_pi"].level == "remark"


def test_what_is_not_said_is_asked_for_with_what_the_data_suggest() -> None:
    made = MadeSet(deltas(), STATES)
    with pytest.raises(MeaningError) as caught:
        known_or_asked(made, {}, of="made")
    text = str(caught.value)
    assert "action.kind: delta | absolute. The data suggest delta" in text
    assert "action.axes: base | tool. The data suggest base" in text
    assert "action.gripper.open" in text
    assert "rate_hz" not in text
    assert "rate_hz" in study(MadeSet(deltas(), STATES, says_rate=False), of="made").missing


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ({"action": "delta"}, "action is 'delta'; expected the columns"),
        ({"action": {"tool": [0, 1, 2]}}, "action.tool is '\\[0, 1, 2\\]'; expected `position`"),
        ({"action": {"gripper": 1}}, "action.gripper is '1'; expected `column`"),
        ({"state": "nothing"}, "state is 'nothing'; expected the columns .* or none"),
    ],
)
def test_a_value_in_place_of_fields_is_refused(said: dict, fault: str) -> None:
    with pytest.raises(MeaningError, match=fault):
        study(MadeSet(deltas(), STATES), said, of="made")


def test_a_value_that_a_field_cannot_have_is_shown() -> None:
    draft = deepcopy(RIGHT) | {"rate_hz": "ten"}
    with pytest.raises(MeaningError, match=r"rate_hz: .*, found 'ten'"):
        whole(draft, of="it")


def test_chosen_joints_do_not_keep_the_names_of_others() -> None:
    names = (*(f"j{number}.pos" for number in range(6)), "gripper.pos")
    joints = {"columns": ["j1.pos", "j0.pos"], "angle_unit": "rad"}
    gripper = {"closed": 0, "open": 1}
    parts = {"joints": joints, "gripper": gripper}
    said = {"action": {**parts, "kind": "absolute"}, "state": parts}
    meaning = known_or_asked(MadeSet(STATES, STATES, names=names), said, of="made")
    assert meaning.action.joints is not None
    assert meaning.action.joints.joint_names == ("j1", "j0")


def test_a_skeleton_that_is_filled_in_is_a_meaning() -> None:
    made = MadeSet(deltas(in_tool=True), STATES)
    found = study(made, of="made")
    assert found.is_guess
    assert found.suggested["action.axes"].value == "tool"
    draft = yaml.safe_load(skeleton(found, of="made"))
    for name in found.missing:
        *path, last = name.split(".")
        at = draft
        for part in path:
            at = at[part]
        assert at[last] is None
        at[last] = found.suggested[name].value
    again = study(made, draft, of="made")
    assert again.missing == ()
    assert not [finding for finding in again.findings if finding.level == "error"]


@pytest.mark.skipif(not WIDOWX.exists(), reason=f"{WIDOWX} is not on this machine")
def test_a_real_set_is_studied_from_the_command_line(tmp_path: Path) -> None:
    file = tmp_path / "meaning.yaml"
    runner = CliRunner()
    first = runner.invoke(app, ["demonstrations", "study", str(WIDOWX), "--write", str(file)])
    assert first.exit_code == 1, first.output
    episodes = open_dataset(WIDOWX)
    suggested = study(episodes, of="set").suggested
    episodes.close()
    assert suggested["action.kind"].value == "delta"
    assert (suggested["action.gripper.closed"].value, suggested["action.gripper.open"].value) == (
        0.0,
        1.0,
    )
    draft = yaml.safe_load(file.read_text())
    draft["action"] |= {"kind": "delta", "axes": "base"}
    for part in ("action", "state"):
        draft[part]["tool"] |= {"position_unit": "m", "angle_unit": "rad"}
        draft[part]["gripper"] |= {"closed": 0, "open": 1}
    file.write_text(yaml.safe_dump(draft))
    second = runner.invoke(app, ["demonstrations", "study", str(WIDOWX), "--meaning", str(file)])
    assert second.exit_code == 0, second.output
