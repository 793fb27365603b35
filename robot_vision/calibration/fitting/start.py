"""The start of the refinement: the closed form on which most views agree."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float64

from robot_vision.calibration.boards.board_pose import BoardPose
from robot_vision.calibration.fitting.closed_form import by_pairs, by_views
from robot_vision.calibration.fitting.reprojection import Mounting, Reprojection

# Enough that, if a third of the views are bad, one group of five has none in 999 of 1000 cases.
_GROUPS, _GROUP_VIEWS = 60, 5
_LEAST_PLAIN = 5


def best_start(
    problem: Reprojection,
    other_from_carrier: Float64[np.ndarray, "v 4 4"],
    board_poses: Sequence[BoardPose],
) -> Mounting:
    """Of closed forms from all views and from small groups, the one with the least median error.

    Views with an ambiguous board pose are left out as long as others suffice.
    """
    camera_from_board = np.array([pose.camera_from_board for pose in board_poses])
    usable = np.flatnonzero([not pose.is_ambiguous for pose in board_poses])
    if len(usable) < _LEAST_PLAIN:
        usable = np.arange(len(board_poses))
    rng = np.random.default_rng(0)
    count = min(_GROUP_VIEWS, len(usable))
    groups = [rng.choice(usable, count, replace=False) for _ in range(_GROUPS)]
    starts = [
        by_pairs(other_from_carrier[usable], camera_from_board[usable]),
        by_views(other_from_carrier[usable], camera_from_board[usable]),
        *(by_views(other_from_carrier[group], camera_from_board[group]) for group in groups),
    ]
    return min(starts, key=lambda start: float(np.median(problem.view_rms_px(start))))
