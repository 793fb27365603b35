"""A picture counts only if the arm rested around it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robot_vision.calibration.stillness import StillnessWatch
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import CaptureConfig

S = 10**9


def watched(
    speed_m_s: float = 0.0, turn_deg_s: float = 0.0, until_s: float = 1.0
) -> StillnessWatch:
    watch = StillnessWatch(CaptureConfig())
    for time_s in np.arange(-1, until_s, 0.02).tolist():
        pose = np.eye(4)
        pose[0, 3] = speed_m_s * time_s
        pose[:3, :3] = Rotation.from_rotvec([0, 0, np.radians(turn_deg_s * time_s)]).as_matrix()
        watch.add(10 * S + round(time_s * S), pose)
    return watch


@settings(max_examples=20)
@given(offset_s=st.floats(-0.3, 0.3))
def test_an_arm_at_rest_has_a_pose(offset_s: float) -> None:
    pose = watched().still_pose(10 * S + round(offset_s * S))
    np.testing.assert_array_equal(pose, np.eye(4))


@settings(max_examples=20)
@given(speed_m_s=st.floats(0.0015, 1.0))
def test_an_arm_that_moves_is_refused(speed_m_s: float) -> None:
    with pytest.raises(
        CalibrationError, match=r"the tool moved by .* mm .*; expected at most 0\.5"
    ):
        watched(speed_m_s=speed_m_s).still_pose(10 * S)


def test_an_arm_that_turns_is_refused() -> None:
    with pytest.raises(CalibrationError, match=r"and 5\.00° around the picture"):
        watched(turn_deg_s=10).still_pose(10 * S)


def test_poses_of_another_clock_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"0 tool poses within .* camera's clock"):
        watched().still_pose(99 * S)


def test_a_pose_that_is_not_yet_known_to_rest_is_refused() -> None:
    with pytest.raises(CalibrationError, match="expected some before and after"):
        watched(until_s=-0.1).still_pose(10 * S)
