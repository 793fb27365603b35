"""Our numbers into a server's, and its chunks into ours: units, axes, polarity, statistics."""

from typing import Any

import numpy as np
import pytest
from remote_bundle import TOOL, mapping, observation
from scipy.spatial.transform import Rotation

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.types import RobotState
from robot_vision.policies.guards.safety import accumulate
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.observed import fitted, state_of
from robot_vision.policies.remote.spec import AnsweredActions, Mapping, SentCamera, SentState
from robot_vision.policies.remote.steps import chunk_of

GRIPPER = {"column": 6, "closed": 1.0, "open": -1.0}
TURNED = {**TOOL, "rotation": "rotation_vector"}


def spec(horizon: int, joint_names: tuple[str, ...] = ()) -> ActionSpec:
    width = len(joint_names) + 1 if joint_names else 7
    return ActionSpec(
        model_id="m@1",
        perception_model_id="",
        horizon=horizon,
        joint_names=joint_names,
        statistics=ActionStatistics(mean=(0.0,) * width, scale=(1.0,) * width),
    )


def chunk(
    rows: np.ndarray, meaning: dict[str, Any], *, names: tuple[str, ...] = (), **said: Any
) -> np.ndarray:
    described = {"statistics": {"kind": "physical"}, "keys": ["actions"], **said}
    actions = AnsweredActions(width=rows.shape[1], meaning=meaning, **described)
    robot = observation().robot
    return chunk_of({"actions": rows}, actions, spec=spec(len(rows), names), robot=robot)


def poses_of(steps: np.ndarray) -> np.ndarray:
    return accumulate(observation().robot.base_from_tool, steps)


def rows_of(count: int = 5) -> np.ndarray:
    rows = np.random.default_rng(3).normal(0, 0.05, (count, 7))
    rows[:, 6] = np.linspace(1, -1, count)
    return rows


def pose(row: np.ndarray) -> np.ndarray:
    made = np.eye(4)
    made[:3, 3] = row[:3]
    made[:3, :3] = Rotation.from_rotvec(row[3:6]).as_matrix()
    return made


def test_deltas_in_the_tools_axes_are_chained_in_them() -> None:
    rows = rows_of()
    steps = chunk(rows, {"tool": TURNED, "kind": "delta", "axes": "tool", "gripper": GRIPPER})
    expected, at = [], observation().robot.base_from_tool
    for row in rows:
        at = at @ pose(row)
        expected.append(at)
    np.testing.assert_allclose(poses_of(steps), expected, atol=1e-9)
    np.testing.assert_allclose(steps[:, 6], np.linspace(0, 1, 5))


def test_deltas_from_the_observed_tool_lead_to_targets() -> None:
    rows = rows_of()
    meaning = {"tool": TURNED, "kind": "delta", "delta_from": "tool", "gripper": GRIPPER}
    poses = poses_of(chunk(rows, meaning))
    start = observation().robot.base_from_tool
    np.testing.assert_allclose(poses[:, :3, 3], start[:3, 3] + rows[:, :3], atol=1e-9)
    turned = [pose(row)[:3, :3] @ start[:3, :3] for row in rows]
    np.testing.assert_allclose(poses[:, :3, :3], turned, atol=1e-9)


def test_deltas_in_base_axes_and_other_units() -> None:
    rows = rows_of()
    units = {"position_unit": "mm", "angle_unit": "deg"}
    tool = {**TURNED, **units}
    steps = chunk(
        rows * ([1e3] * 3 + [180 / np.pi] * 3 + [1]),
        {"tool": tool, "kind": "delta", "gripper": GRIPPER},
    )
    np.testing.assert_allclose(steps[:, :6], rows[:, :6], atol=1e-9)


def test_absolute_targets() -> None:
    rows = rows_of()
    poses = poses_of(chunk(rows, {"tool": TURNED, "kind": "absolute", "gripper": GRIPPER}))
    np.testing.assert_allclose(poses, [pose(row) for row in rows], atol=1e-9)


@pytest.mark.parametrize(
    ("meaning", "expected"),
    [
        ({"kind": "absolute"}, [[0.3, 0.4], [0.5, 0.6]]),
        ({"kind": "delta", "delta_from": "tool"}, [[0.4, 0.6], [0.6, 0.8]]),
        ({"kind": "delta", "delta_from": "chained"}, [[0.4, 0.6], [0.9, 1.2]]),
    ],
    ids=str,
)
def test_joints(meaning: dict[str, Any], expected: list[list[float]]) -> None:
    joints = {"columns": [0, 1], "angle_unit": "rad", "names": ["a", "b"]}
    gripper = {"column": 2, "closed": 0.0, "open": 0.04}
    rows = np.array([[0.3, 0.4, 0.04], [0.5, 0.6, 0.0]])
    found = chunk(rows, {"joints": joints, "gripper": gripper, **meaning}, names=("a", "b"))
    np.testing.assert_allclose(found, [[*expected[0], 1.0], [*expected[1], 0.0]])


def test_statistics_are_applied_before_the_meaning() -> None:
    rows = rows_of()
    mean, std = np.arange(7) / 100, np.arange(1, 8) / 10
    meaning = {"tool": TURNED, "kind": "delta", "gripper": GRIPPER}
    plain = chunk(rows, meaning)
    numbers = {"kind": "mean_std", "mean": mean.tolist(), "std": std.tolist()}
    found = chunk((rows - mean) / std, meaning, statistics=numbers)
    np.testing.assert_allclose(found, plain, atol=1e-9)
    low, high = -np.arange(1, 8) / 10, np.arange(1, 8) / 5
    scaled = (rows - low) / (high - low) * 2 - 1
    scaled[:, 6] = rows[:, 6]
    numbers = {"kind": "quantiles", "q01": low.tolist(), "q99": high.tolist()}
    found = chunk(scaled, meaning, statistics={**numbers, "plain_columns": [6]})
    np.testing.assert_allclose(found, plain, atol=1e-9)


@pytest.mark.parametrize("shape", [(4, 7), (5, 8), (5,), (2, 5, 7)], ids=str)
def test_a_chunk_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    actions = Mapping.model_validate(mapping("openpi")).action
    robot = observation().robot
    with pytest.raises(RemoteError, match=r"expected 5 steps|is the server for another robot"):
        chunk_of({"actions": np.zeros(shape)}, actions, spec=spec(5), robot=robot)
    batch = {"actions": np.zeros((1, 5, 7))}
    assert chunk_of(batch, actions, spec=spec(5), robot=robot).shape == (5, 7)


def test_the_state_in_a_servers_order_and_units() -> None:
    vector = SentState.model_validate(
        {
            "key": "state",
            "width": 3,
            "joints": {"columns": [2, 0], "angle_unit": "deg", "names": ["b", "a"]},
            "gripper": {"column": 1, "closed": 0.08, "open": 0.0},
        }
    )
    robot = observation().robot
    found = state_of(robot, vector)
    np.testing.assert_allclose(found, [np.rad2deg(0.1), 0.0, np.rad2deg(0.2)], rtol=1e-6)
    lacks = RobotState(
        stamp_ns=1,
        joint_position_rad=np.zeros(1),
        joint_names=("a",),
        base_from_tool=np.eye(4),
        gripper_open=0.0,
    )
    with pytest.raises(ValueError, match="lacks joint b"):
        state_of(lacks, vector)


def test_pictures_are_cut_and_fitted() -> None:
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, 100:] = 255
    sent = {"camera": "front", "key": "image", "width_px": 32, "height_px": 32}
    right = SentCamera.model_validate({**sent, "crop": [0.5, 0, 1, 1], "fit": "stretch"})
    assert fitted(rgb, right).min() == 255
    whole = SentCamera.model_validate({**sent, "crop": "none", "fit": "pad"})
    found = fitted(rgb, whole)
    assert found.shape == (32, 32, 3)
    assert not found[:8].any()
    assert not found[24:].any()
    assert found[8:24, 16:].min() == 255
