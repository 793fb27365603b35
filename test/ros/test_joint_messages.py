"""Joint commands as controllers take them, and back into the simulated robot."""

import numpy as np
import pytest
from trajectory_msgs.msg import JointTrajectory, JointTrajectoryPoint

from robot_vision.core.types import JointCommand
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.messages.joints import (
    joint_trajectory_message,
    joint_velocity_message,
    positions_of,
)

pytestmark = pytest.mark.ros

COMMAND = JointCommand(
    names=("a", "b"), position=np.array([0.1, -0.2]), velocity=np.array([0.3, 0.0])
)


def test_a_trajectory_ends_at_rest_and_is_due_after_its_stamp() -> None:
    message = joint_trajectory_message(COMMAND, stamp_ns=5_000_000_001, reach_s=0.05)
    assert ns_from_stamp(message.header.stamp) == 5_000_000_001
    assert list(message.joint_names) == ["a", "b"]
    (point,) = message.points
    assert list(point.positions) == [0.1, -0.2]
    assert len(point.velocities) == 0  # a controller refuses one that ends with a velocity
    assert (point.time_from_start.sec, point.time_from_start.nanosec) == (0, 50_000_000)


def test_velocities_are_in_the_order_of_the_joints() -> None:
    message = joint_velocity_message(COMMAND.velocity.tolist())
    assert list(message.data) == [0.3, 0.0]
    assert message.layout.dim[0].size == 2


def test_positions_are_found_by_name() -> None:
    message = joint_trajectory_message(COMMAND, stamp_ns=1, reach_s=0.05)
    np.testing.assert_array_equal(positions_of(message, ("b", "a")), [-0.2, 0.1])


@pytest.mark.parametrize(
    ("names", "positions", "words"),
    [
        (["a"], [0.0], "1 positions"),
        (["a", "c"], [0.0, 0.0], "expected"),
        (["a", "b"], [0.0, float("nan")], "not finite"),
        (["a", "a"], [0.0, 0.0], "expected"),
    ],
)
def test_other_trajectories_are_refused(names, positions, words: str) -> None:
    message = JointTrajectory(
        joint_names=names, points=[JointTrajectoryPoint(positions=positions)]
    )
    with pytest.raises(ValueError, match=words):
        positions_of(message, ("a", "b"))


def test_a_trajectory_without_points_is_refused() -> None:
    with pytest.raises(ValueError, match="no points"):
        positions_of(JointTrajectory(), ("a", "b"))
