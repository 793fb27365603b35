"""What counts as a track on the robot, and as a thing that was found; and an episode of it."""

import numpy as np
import pytest

from robot_vision.rollouts.evaluating.seen_robot import Counts, count_frame
from robot_vision.simulation.robot.world import NOTHING, ROBOT


def picture() -> np.ndarray:
    """An arm that comes from above, and two things, one of them before the arm."""
    shown = np.full((100, 100), NOTHING, np.int32)
    shown[:60, 40:60] = ROBOT
    shown[50:60, 45:55] = 0
    shown[80:90, 10:20] = 1
    return shown


@pytest.mark.parametrize(
    ("boxes", "counts"),
    [
        ([], Counts(frames=1, things=2, touched=1)),
        (
            [[45, 50, 55, 60], [10, 80, 20, 90]],
            Counts(frames=1, things=2, found=2, touched=1, touched_found=1),
        ),
        (
            [[40, 0, 60, 40], [41, 5, 59, 30]],
            Counts(frames=1, robot_tracks=2, things=2, touched=1),
        ),
        ([[60, 0, 80, 40]], Counts(frames=1, things=2, touched=1)),
        ([[10, 80, 21, 90]], Counts(frames=1, things=2, found=1, touched=1)),
    ],
)
def test_boxes_are_of_things_of_the_arm_or_of_neither(
    boxes: list[list[float]], counts: Counts
) -> None:
    found = np.array(boxes, np.float32).reshape(-1, 4)
    assert count_frame(found, picture(), {0}) == counts
