import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.simulation.robot.arms.ik import joint_velocity, pose_error, rotation_vector

LOWEST, HIGHEST, SPEED = np.full(7, -2.5), np.full(7, 2.5), np.full(7, 2.0)


def solve(jacobian: np.ndarray, twist: np.ndarray, position: np.ndarray) -> np.ndarray:
    return joint_velocity(
        jacobian=jacobian,
        twist=twist,
        position_rad=position,
        rest_rad=np.zeros(7),
        lowest_rad=LOWEST,
        highest_rad=HIGHEST,
        max_speed_radps=SPEED,
    )


def turn(vector: np.ndarray) -> np.ndarray:
    """Rodrigues' formula."""
    angle = np.linalg.norm(vector)
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


numbers = st.floats(-3, 3, allow_subnormal=False)


@given(
    arrays(float, (6, 7), elements=numbers),
    arrays(float, 6, elements=st.floats(-100, 100)),
    arrays(float, 7, elements=st.floats(-2.5, 2.5)),
)
def test_limits_of_speed_and_position_hold_for_any_jacobian(
    jacobian: np.ndarray, twist: np.ndarray, position: np.ndarray
) -> None:
    velocity = solve(jacobian, twist, position)
    assert np.isfinite(velocity).all()
    assert (np.abs(velocity) <= SPEED + 1e-9).all()
    assert (velocity[position >= HIGHEST] <= 0).all()
    assert (velocity[position <= LOWEST] >= 0).all()


@given(st.integers(0, 10_000))
def test_away_from_limits_and_singularities_the_tool_moves_as_asked(seed: int) -> None:
    rng = np.random.default_rng(seed)
    u, _, vt = np.linalg.svd(rng.normal(size=(6, 7)), full_matrices=False)
    jacobian = u @ np.diag(rng.uniform(0.5, 2, 6)) @ vt
    twist = rng.uniform(-0.1, 0.1, 6)
    velocity = solve(jacobian, twist, rng.uniform(-0.5, 0.5, 7))
    moved = jacobian @ velocity
    # scaled down to the speed limits at most: never turned aside
    assert moved @ twist > 0
    np.testing.assert_allclose(
        moved / np.linalg.norm(moved), twist / np.linalg.norm(twist), atol=1e-9
    )


@given(arrays(float, 3, elements=st.floats(-1.8, 1.8)))
def test_rotation_vector_undoes_rodrigues(vector: np.ndarray) -> None:
    np.testing.assert_allclose(rotation_vector(turn(vector)), vector, atol=1e-6)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_half_a_turn_has_an_axis(axis: int) -> None:
    vector = np.zeros(3)
    vector[axis] = np.pi
    np.testing.assert_allclose(np.abs(rotation_vector(turn(vector))), vector, atol=1e-6)


def test_pose_error_is_what_takes_the_tool_to_the_target() -> None:
    tool, target = np.eye(4), np.eye(4)
    tool[:3, :3], tool[:3, 3] = turn(np.array([0.3, -1.0, 0.4])), [0.1, 0.2, 0.3]
    target[:3, :3], target[:3, 3] = turn(np.array([-0.5, 0.7, 0.2])), [0.4, 0.1, 0.0]
    error = pose_error(target, tool)
    np.testing.assert_allclose(tool[:3, 3] + error[:3], target[:3, 3])
    np.testing.assert_allclose(turn(error[3:]) @ tool[:3, :3], target[:3, :3], atol=1e-9)
