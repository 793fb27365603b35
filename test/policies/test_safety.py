"""What the network says is admitted in physical units and within steps, or refused whole."""

import numpy as np
import pytest
from controller_rig import SCALE, decision_of, moving, pose_of, robot_of, spec_of
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.transform import Rotation

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.core.types import Decision
from robot_vision.policies.guards.safety import Admission, admit

SAFETY = SafetyConfig()
any_action = arrays(np.float32, (12, 7), elements=st.floats(-(2.0**100), 2.0**100, width=32))
usual_action = arrays(np.float32, (12, 7), elements=st.floats(-2, 2, width=32))
any_turn = arrays(np.float64, 3, elements=st.floats(-3, 3)).map(Rotation.from_rotvec)


def admitted(decision: Decision, pose: np.ndarray | None = None, **changes) -> Admission:
    robot = robot_of(pose_of() if pose is None else pose)
    return admit(decision, robot=robot, spec=spec_of(**changes), safety=SAFETY)


@given(action=usual_action, turn=any_turn)
def test_targets_are_where_the_steps_lead_from_the_tool_as_observed(action, turn):
    chunk = admitted(decision_of(action), pose_of(rotation=turn)).chunk
    assert chunk is not None
    place, rotation = np.array([0.45, 0.0, 0.2]), turn
    for row, target in zip(chunk.action, chunk.base_from_target, strict=True):
        place = place + row[:3]
        rotation = Rotation.from_rotvec(row[3:6]) * rotation
        np.testing.assert_allclose(target[:3, 3], place, atol=1e-12)
        np.testing.assert_allclose(target[:3, :3], rotation.as_matrix(), atol=1e-9)


@given(action=any_action)
def test_no_step_is_longer_than_allowed_however_large_the_numbers_are(action):
    admission = admitted(decision_of(action))
    chunk = admission.chunk
    assert chunk is not None
    assert np.isfinite(chunk.action).all()
    lengths = np.linalg.norm(chunk.action[:, :3], axis=1)
    turns = np.linalg.norm(chunk.action[:, 3:6], axis=1)
    assert lengths.max() <= SAFETY.max_step_m * (1 + 1e-9)
    assert turns.max() <= SAFETY.max_step_rad * (1 + 1e-9)
    assert ((chunk.action[:, 6] >= 0) & (chunk.action[:, 6] <= 1)).all()
    asked = action.astype(np.float64) * SCALE
    was_cut = {
        "step_m": (np.linalg.norm(asked[:, :3], axis=1) > SAFETY.max_step_m).any(),
        "step_rad": (np.linalg.norm(asked[:, 3:6], axis=1) > SAFETY.max_step_rad).any(),
    }
    assert {reported.limit for reported in admission.interventions} == {
        k for k, v in was_cut.items() if v
    }


def test_a_step_that_is_too_long_keeps_its_direction_and_is_reported():
    action = moving((0.3, 0.4, 0.0))
    action[3, :3] *= 10
    admission = admitted(decision_of(action))
    assert admission.chunk is not None
    np.testing.assert_allclose(admission.chunk.action[3, :3], [0.03, 0.04, 0.0], atol=1e-9)
    np.testing.assert_allclose(admission.chunk.action[4, :3], [0.015, 0.02, 0.0], atol=1e-8)
    (reported,) = admission.interventions
    assert reported.limit == "step_m"
    assert "1 of 12 steps were cut to 0.05 m; the longest was 0.25 m" in reported.detail


def test_actions_are_in_units_of_the_statistics():
    mean = (0.001, 0.002, 0.003, 0.01, 0.02, 0.03, 0.5)
    statistics = ActionStatistics(mean=mean, scale=(0.01,) * 7)
    action = np.ones((12, 7), np.float32)
    chunk = admitted(decision_of(action), statistics=statistics).chunk
    assert chunk is not None
    np.testing.assert_allclose(chunk.action[5], np.array(mean) + 0.01, atol=1e-9)


def test_rows_are_stamped_one_step_after_the_observation_and_expire():
    chunk = admitted(decision_of(moving(), stamp_ns=5_000_000_000)).chunk
    assert chunk is not None
    assert (chunk.observation_stamp_ns, chunk.step_s) == (5_000_000_000, 0.05)
    assert chunk.valid_until_ns == 5_600_000_000
    assert chunk.frame_id == "base"


@given(
    action=usual_action,
    bad=st.sampled_from([np.nan, np.inf, -np.inf]),
    row=st.integers(0, 11),
    column=st.integers(0, 6),
)
def test_one_number_that_is_not_finite_refuses_the_whole_action(action, bad, row, column):
    action[row, column] = bad
    admission = admitted(decision_of(action))
    assert admission.chunk is None
    assert "1 of 84 numbers of the policy's action are not finite" in admission.refused
    assert [reported.limit for reported in admission.interventions] == ["finite"]


def test_an_action_of_another_horizon_is_refused():
    admission = admitted(decision_of(moving(steps=8)))
    assert admission.chunk is None
    assert "(8, 7), expected (12, 7)" in admission.refused


def test_a_decision_to_hold_is_not_an_intervention():
    admission = admitted(decision_of(None, hold_reason="no red cube in view"))
    assert (admission.chunk, admission.refused) == (None, "no red cube in view")
    assert admission.interventions == ()


@pytest.mark.parametrize(
    "damage", [lambda p: p * np.nan, lambda p: p * 2, lambda p: p @ np.diag([-1.0, 1, 1, 1])]
)
def test_a_tool_pose_that_is_none_refuses(damage):
    admission = admitted(decision_of(moving()), damage(pose_of()))
    assert admission.chunk is None
    assert "not a finite rigid transform" in admission.refused
