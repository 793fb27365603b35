"""Foreign numbers into ours and back: every way of writing them, also across π."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.transform import Rotation as Turn

from robot_vision.datasets.episode_set import EpisodeActions, EpisodeState
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.canonical import (
    CanonicalEpisode,
    Observed,
    canonical,
    chunks_of,
    moved_by,
    step_from_to,
)
from robot_vision.datasets.meaning.inverse import foreign_actions, foreign_state
from robot_vision.datasets.meaning.meaning import ROTATION_COLUMNS, Meaning, Rotation

ROTATIONS = [name for name in ROTATION_COLUMNS if name != "none"]


def pose_of(
    rotation: Rotation, *, first: int = 0, unit: object = "m", angle: object = "rad"
) -> dict:
    turned = range(first + 3, first + 3 + ROTATION_COLUMNS[rotation])
    return {
        "position": tuple(range(first, first + 3)),
        "position_unit": unit,
        "rotation": rotation,
        "rotation_columns": tuple(turned),
        "angle_unit": angle,
    }


def gripper_at(column: int, closed: float = 0.0, opened: float = 1.0) -> dict:
    return {"column": column, "closed": closed, "open": opened}


def path_through_pi(rng: np.random.Generator, *, steps: int) -> np.ndarray:
    """Poses whose rotations are about π from the base: where rotation vectors jump."""
    poses = np.tile(np.eye(4), (steps, 1, 1))
    poses[:, :3, 3] = np.cumsum(rng.normal(0, 0.01, (steps, 3)), axis=0)
    start = Turn.from_rotvec(np.pi * np.array([1.0, 0, 0]))
    for row, turn in enumerate(np.cumsum(rng.normal(0, 0.2, (steps, 3)), axis=0)):
        poses[row, :3, :3] = (Turn.from_rotvec(turn) * start).as_matrix()
    return poses


def joined(parts: dict[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([parts[k] for k in ("position", "rotation", "gripper")], axis=1)


def through(meaning: Meaning, episode: CanonicalEpisode) -> CanonicalEpisode:
    """Into the set's numbers and back."""
    assert meaning.state is not None
    actions = joined(foreign_actions(meaning.action, episode.first, episode.observed))
    state = joined(foreign_state(meaning.state, episode.observed))
    return canonical(
        meaning,
        EpisodeActions(values=actions, names=()),
        EpisodeState(values=state, names=()),
    )


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    of_action=st.sampled_from(ROTATIONS),
    of_state=st.sampled_from(ROTATIONS),
    kind=st.sampled_from(["base", "tool", "absolute"]),
    unit=st.sampled_from(["m", "mm", 0.05]),
    angle=st.sampled_from(["rad", "deg", 0.5]),
    ends=st.sampled_from([(0, 1), (1, 0), (-1, 1), (1, -1), (0.0, 0.085)]),
)
def test_canonical_numbers_and_their_inverse_agree(
    seed: int,
    of_action: Rotation,
    of_state: Rotation,
    kind: str,
    unit: object,
    angle: object,
    ends: tuple[float, float],
) -> None:
    rng = np.random.default_rng(seed)
    tools, targets = path_through_pi(rng, steps=9), path_through_pi(rng, steps=9)
    opened = rng.uniform(0, 1, 9)
    first = np.concatenate([step_from_to(tools, targets), opened[:, None]], axis=1)
    observed = Observed(base_from_tool=tools, gripper=opened)
    axes = {"kind": "absolute"} if kind == "absolute" else {"kind": "delta", "axes": kind}
    meaning = Meaning.model_validate(
        {
            "rate_hz": 10,
            "action": {
                "tool": pose_of(of_action, unit=unit, angle=angle),
                "gripper": gripper_at(3 + ROTATION_COLUMNS[of_action], *ends),
                **axes,
            },
            "state": {
                "tool": pose_of(of_state, unit=unit, angle=angle),
                "gripper": gripper_at(3 + ROTATION_COLUMNS[of_state], *ends),
            },
        }
    )
    episode = CanonicalEpisode(
        observed=observed, first=first, step=first, is_given=np.ones(9, bool)
    )
    again = through(meaning, episode)
    assert again.observed.base_from_tool is not None
    np.testing.assert_allclose(again.observed.base_from_tool, tools, atol=1e-9)
    np.testing.assert_allclose(again.first[:, 6], opened, atol=1e-9)
    reached = moved_by(tools, again.first[:, :6])  # a turn by π is one about either axis
    np.testing.assert_allclose(reached, moved_by(tools, first[:, :6]), atol=1e-6)


def meaning_of_targets(**action: object) -> Meaning:
    return Meaning.model_validate(
        {
            "rate_hz": 10,
            "action": {
                "tool": pose_of("rotation_vector"),
                "gripper": gripper_at(6),
                **action,
            },
            "state": {"tool": pose_of("rotation_vector"), "gripper": gripper_at(6)},
        }
    )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), kind=st.sampled_from(["absolute", "tool", "target"]))
def test_chunks_integrate_to_the_targets_across_pi(seed: int, kind: str) -> None:
    """Whether a set has targets, deltas from the tool, or from target to target."""
    rng = np.random.default_rng(seed)
    tools, targets = path_through_pi(rng, steps=12), path_through_pi(rng, steps=12)
    vectors = np.concatenate(
        [tools[:, :3, 3], Turn.from_matrix(tools[:, :3, :3]).as_rotvec(), np.ones((12, 1))], axis=1
    )
    before = np.concatenate([tools[:1], targets[:-1]])
    said = {
        "absolute": np.concatenate(
            [targets[:, :3, 3], Turn.from_matrix(targets[:, :3, :3]).as_rotvec()], axis=1
        ),
        "tool": step_from_to(tools, targets),
        "target": step_from_to(before, targets),
    }[kind]
    how = {"kind": "absolute"} if kind == "absolute" else {"kind": "delta", "axes": "base"}
    more = {} if kind == "absolute" else {"delta_from": kind}
    episode = canonical(
        meaning_of_targets(**how, **more),
        EpisodeActions(values=np.concatenate([said, np.ones((12, 1))], axis=1), names=()),
        EpisodeState(values=vectors, names=()),
    )
    chunks, valid = chunks_of(episode, 5)
    for row in range(12):
        pose = tools[row : row + 1]
        for step in range(5):
            if valid[row, step]:
                pose = moved_by(pose, chunks[row, step : step + 1, :6])
                np.testing.assert_allclose(pose[0], targets[row + step], atol=1e-8)
    assert valid.sum() == 5 * 12 - (1 + 2 + 3 + 4)


def test_chained_deltas_stay_as_they_are() -> None:
    values = np.random.default_rng(0).normal(size=(4, 7)) * 0.1
    meaning = Meaning.model_validate(
        {
            "rate_hz": 5,
            "action": {
                "tool": pose_of("rotation_vector"),
                "kind": "delta",
                "axes": "base",
                "gripper": gripper_at(6),
            },
        }
    )
    episode = canonical(meaning, EpisodeActions(values=values, names=()), None)
    np.testing.assert_allclose(episode.first[:, :6], values[:, :6], atol=1e-12)
    chunks, _ = chunks_of(episode, 2)
    np.testing.assert_allclose(chunks[:3, 1, :6], values[1:, :6], atol=1e-12)


@pytest.mark.parametrize(
    ("kind", "delta_from", "expected"),
    [
        ("absolute", "chained", [[0.1], [0.2]]),
        ("delta", "tool", [[0.6], [0.9]]),
        ("delta", "target", [[0.6], [0.8]]),
    ],
)
def test_joints_become_positions_in_radians(
    kind: str, delta_from: str, expected: list[list[float]]
) -> None:
    degrees = {"columns": ("a.pos",), "angle_unit": "deg", "names": ("a",)}
    meaning = Meaning.model_validate(
        {
            "rate_hz": 30,
            "action": {
                "joints": degrees,
                "kind": kind,
                "delta_from": delta_from,
                "gripper": gripper_at(1),
            },
            "state": {"joints": degrees},
        }
    )
    episode = canonical(
        meaning,
        EpisodeActions(
            values=np.array([[np.degrees(0.1), 0], [np.degrees(0.2), 1]]), names=("a.pos", "g")
        ),
        EpisodeState(values=np.degrees([[0.5], [0.7]]), names=("a.pos",)),
    )
    np.testing.assert_allclose(episode.step[:, :1], expected)
    assert episode.step[:, 1].tolist() == [0.0, 1.0]


def test_a_shift_leaves_rows_without_an_action() -> None:
    meaning = meaning_of_targets(kind="delta", axes="base", shift_steps=1)
    values = np.arange(21, dtype=float).reshape(3, 7) * 0.01
    episode = canonical(
        meaning,
        EpisodeActions(values=values, names=()),
        EpisodeState(values=values, names=()),
    )
    assert episode.first[0, 0] == pytest.approx(0.07)
    assert episode.is_given.tolist() == [True, True, False]
    _, valid = chunks_of(episode, 2)
    assert valid.tolist() == [[True, True], [True, False], [False, False]]


def test_columns_that_are_not_there_are_named_with_the_choices() -> None:
    meaning = Meaning.model_validate(
        {
            "rate_hz": 5,
            "action": {
                "joints": {"columns": ("elbow",), "angle_unit": "rad"},
                "kind": "absolute",
                "gripper": "none",
            },
        }
    )
    values = np.zeros((2, 2))
    with pytest.raises(DatasetError, match=r"no column 'elbow' of the actions.*a, b"):
        canonical(meaning, EpisodeActions(values=values, names=("a", "b")), None)
    with pytest.raises(DatasetError, match="2 columns 'elbow'"):
        canonical(meaning, EpisodeActions(values=values, names=("elbow", "elbow")), None)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"gripper": {"column": 6, "closed": 1, "open": 1}}, "closed and open are both 1"),
        ({"kind": "absolute", "axes": "tool"}, "axes must be base"),
        ({"joints": {"columns": (0,), "angle_unit": "rad"}}, "either tool or joints"),
        ({"tool": {**pose_of("rpy"), "rotation_columns": (3, 4)}}, "rpy has 3"),
        ({"tool": {**pose_of("rpy"), "position": (0, 1, 0)}}, "given twice: 0"),
        ({"gripper": {"column": 5, "closed": 0, "open": 1}}, "given twice: 5"),
    ],
)
def test_contradictions_are_refused(change: dict, fault: str) -> None:
    with pytest.raises(ValidationError, match=fault):
        meaning_of_targets(**{"kind": "delta", "axes": "base", **change})
