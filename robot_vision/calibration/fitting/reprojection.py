"""Where the corners of all views should appear, from a camera's and a board's pose."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from scipy.spatial.transform import Rotation

from robot_vision.calibration.boards.sight import BoardSighting
from robot_vision.core.cameras.geometry import project
from robot_vision.core.types import Camera

# The error of a corner behind the camera: larger than any in the picture.
_BEHIND_PX = 1e4


@dataclass(frozen=True, kw_only=True, eq=False)
class Mounting:
    """The result, and the board's pose; `board_scale` is its size relative to the given one.

    The carrier holds the camera, the other frame holds the board: tool and base for a
    camera in the hand, base and tool for one beside the arm.
    """

    carrier_from_camera: Float64[np.ndarray, "4 4"]
    other_from_board: Float64[np.ndarray, "4 4"]
    board_scale: float = 1.0

    def moved(self, step: Float64[np.ndarray, " p"]) -> "Mounting":
        """Moved by the camera's position (m) and rotation (rad), the board's, and log scale.

        Positions change along the axes of carrier and other; rotations are about the camera's and
        board's.
        """
        scale = self.board_scale * float(np.exp(step[12])) if len(step) > 12 else self.board_scale
        return Mounting(
            carrier_from_camera=_moved(self.carrier_from_camera, step[:6]),
            other_from_board=_moved(self.other_from_board, step[6:12]),
            board_scale=scale,
        )


class Reprojection:
    """The corners of several views as one array, with each view's data."""

    def __init__(
        self,
        sights: Sequence[BoardSighting],
        other_from_carrier: Float64[np.ndarray, "v 4 4"],
        camera: Camera,
    ) -> None:
        self.camera = camera
        self.views = len(sights)
        self.view_of: Int64[np.ndarray, " n"] = np.repeat(
            np.arange(self.views), [len(sight.ids) for sight in sights]
        )
        self._points_m = np.concatenate([sight.points_m for sight in sights])
        self._pixel_px = np.concatenate([sight.pixel_px for sight in sights])
        self._carrier_from_other = np.linalg.inv(other_from_carrier)

    def camera_from_board(self, mounting: Mounting) -> Float64[np.ndarray, "v 4 4"]:
        """The board's pose in front of the camera in each view."""
        camera_from_carrier = np.linalg.inv(mounting.carrier_from_camera)
        return camera_from_carrier @ self._carrier_from_other @ mounting.other_from_board

    def seen_px(self, mounting: Mounting) -> Float64[np.ndarray, "n 2"]:
        """Where the corners should be; NaN behind the camera."""
        pose = self.camera_from_board(mounting)[self.view_of]
        points_m = self._points_m * mounting.board_scale
        in_camera_m = np.einsum("nij,nj->ni", pose[:, :3, :3], points_m) + pose[:, :3, 3]
        return project(in_camera_m, camera=self.camera)

    def residuals_px(self, mounting: Mounting) -> Float64[np.ndarray, "n 2"]:
        """Expected corners minus found ones."""
        return np.nan_to_num(self.seen_px(mounting) - self._pixel_px, nan=_BEHIND_PX)

    def view_rms_px(self, mounting: Mounting) -> Float64[np.ndarray, " v"]:
        """RMS distance of the corners of each view."""
        squares = (self.residuals_px(mounting) ** 2).sum(axis=1)
        sums = np.bincount(self.view_of, squares, minlength=self.views)
        return np.sqrt(sums / np.bincount(self.view_of, minlength=self.views))


def _moved(a_from_b: np.ndarray, step: np.ndarray) -> np.ndarray:
    moved = a_from_b.copy()
    moved[:3, 3] += step[:3]
    moved[:3, :3] = a_from_b[:3, :3] @ Rotation.from_rotvec(step[3:]).as_matrix()
    return moved
