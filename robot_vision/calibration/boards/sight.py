"""A board in a picture: its corners and their places."""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64, Int64, UInt8

from robot_vision.calibration.boards.board import Board
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import BoardSightConfig


@dataclass(frozen=True, kw_only=True, eq=False)
class BoardSighting:
    """Corners of a board that were found in a picture of this width and height."""

    ids: Int64[np.ndarray, " n"]
    points_m: Float64[np.ndarray, "n 3"]
    pixel_px: Float64[np.ndarray, "n 2"]
    image_size_px: tuple[int, int]


class BoardFinder:
    """Finds a board in pictures."""

    def __init__(self, board: Board, config: BoardSightConfig | None = None) -> None:
        self.board = board
        self._config = config or BoardSightConfig()
        kind = board.config.kind
        if kind == "chessboard":
            return
        parameters = cv2.aruco.DetectorParameters()
        if kind == "april":
            parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
            dictionary = board.pattern.getDictionary()
            self._tags: Any = cv2.aruco.ArucoDetector(dictionary, parameters)
        else:
            charuco = cv2.aruco.CharucoParameters()
            self._charuco: Any = cv2.aruco.CharucoDetector(board.pattern, charuco, parameters)

    def find(self, picture: UInt8[np.ndarray, "h w *c"]) -> BoardSighting:
        """The corners in a grey or BGR picture.

        Raises `CalibrationError` with what was seen instead if the board is absent, is
        mirrored, or differs from its description.
        """
        grey = picture if picture.ndim == 2 else cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        ids, pixel_px = self._corners(grey)
        if len(ids) < self._config.least_corners:
            raise CalibrationError(self._missing_words(grey, len(ids)))
        sight = BoardSighting(
            ids=ids,
            points_m=self.board.points_m[ids],
            pixel_px=pixel_px,
            image_size_px=(grey.shape[1], grey.shape[0]),
        )
        check_sight(sight, self._config)
        return sight

    def _corners(self, grey: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers and places of the corners found."""
        config = self.board.config
        if config.kind == "chessboard":
            size = (config.columns - 1, config.rows - 1)
            found, corners = cv2.findChessboardCornersSB(grey, size)
            return _numbered(np.arange(size[0] * size[1]) if found else None, corners)
        if config.kind == "charuco":
            corners, ids, _, _ = self._charuco.detectBoard(grey)
            return _numbered(ids, corners)
        corners, ids, _ = self._tags.detectMarkers(grey)
        if ids is None:
            return _numbered(None, None)
        ids = np.asarray(ids).ravel()
        is_ours = ids < config.columns * config.rows
        numbers = (ids[is_ours, None] * 4 + np.arange(4)).ravel()
        return _numbered(numbers, np.array(corners).reshape(-1, 4, 2)[is_ours])

    def _missing_words(self, grey: np.ndarray, count: int) -> str:
        mirrored = len(self._corners(np.ascontiguousarray(grey[:, ::-1]))[0])
        config = self.board.config
        # A plain chessboard looks the same in a mirror.
        if config.kind != "chessboard" and mirrored >= self._config.least_corners:
            return (
                f"the picture is mirrored: {count} corners as it is, {mirrored} when flipped; "
                "turn the camera's mirroring off"
            )
        return (
            f"{count} corners of the board of {config.columns}×{config.rows} were found; "
            f"expected {self._config.least_corners} at least: light, sharpness, the whole board "
            "in view? Does the board's file (columns, rows, dictionary, legacy) fit what is "
            "printed?"
        )


def check_sight(sight: BoardSighting, config: BoardSightConfig) -> None:
    """Raises `CalibrationError` for corners mirrored, of another board, or too close together."""
    spread_px = _spread_px(sight.pixel_px)
    if spread_px < config.least_spread_px:
        raise CalibrationError(
            f"the corners spread over {spread_px:.0f} px across; expected "
            f"{config.least_spread_px:g} px at least: bring the board nearer, or view it less "
            "obliquely"
        )
    if np.linalg.matrix_rank(sight.points_m[:, :2] - sight.points_m[0, :2], tol=1e-6) < 2:
        raise CalibrationError("all corners lie on a line; expected two rows at least")
    homography, _ = cv2.findHomography(sight.points_m[:, :2], sight.pixel_px)
    if homography is None:
        raise CalibrationError("the corners do not lie on a flat board; expected a board in view")
    middle = np.append(sight.points_m[:, :2].mean(axis=0), 1.0)
    if np.linalg.det(homography) * (homography[2] @ middle) < 0:
        raise CalibrationError(
            "the corners run in the opposite direction: the board or the picture is mirrored; "
            "expected x along the rows and y down, as seen from the front"
        )
    misfit_px = _misfit_px(sight, homography)
    # A lens bends a board that fills the picture, at most by a share of the picture.
    bend_px = config.most_misfit_px + 0.02 * spread_px
    if misfit_px > bend_px:
        raise CalibrationError(
            f"the corners miss a flat board by {misfit_px:.1f} px RMS; expected below "
            f"{bend_px:.1f} px: is it this board (columns, rows, legacy), and flat?"
        )


def _numbered(ids: Any, corners: Any) -> tuple[np.ndarray, np.ndarray]:
    if ids is None or corners is None or len(ids) == 0:
        return np.zeros(0, np.int64), np.zeros((0, 2))
    return np.asarray(ids, np.int64).ravel(), np.asarray(corners, np.float64).reshape(-1, 2)


def _spread_px(pixel_px: np.ndarray) -> float:
    """Extent of the corners across the direction in which they spread most."""
    middle_px = pixel_px - pixel_px.mean(axis=0)
    across = np.linalg.svd(middle_px, full_matrices=False)[2][1]
    return float(np.ptp(middle_px @ across))


def _misfit_px(sight: BoardSighting, homography: np.ndarray) -> float:
    flat = np.concatenate([sight.points_m[:, :2], np.ones((len(sight.ids), 1))], axis=1)
    seen = flat @ homography.T
    miss_px = seen[:, :2] / seen[:, 2:] - sight.pixel_px
    return float(np.sqrt((miss_px**2).sum(axis=1).mean()))
