"""Renders pictures of a board like a camera: with lens distortion, blur and noise."""

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from robot_vision.calibration.boards.board import Board
from robot_vision.calibration.boards.board_picture import draw_board
from robot_vision.core.cameras.geometry import rays_of
from robot_vision.core.types import Camera

_PX_PER_SQUARE = 120
# Samples per pixel along each axis.
_FINER = 2
_NOWHERE_M = 100.0
_BLUR_PX, _NOISE, _TABLE = 0.7, 2.0, 110.0
_DARK, _BRIGHT = 35.0, 215.0


class BoardRenderer:
    """Takes pictures of a board: on a white sheet with a margin of a square, on a grey table."""

    def __init__(self, board: Board, camera: Camera) -> None:
        self._camera = camera
        drawn = draw_board(board, px_per_square=_PX_PER_SQUARE)
        sheet = cv2.copyMakeBorder(
            drawn, *(_PX_PER_SQUARE,) * 4, borderType=cv2.BORDER_CONSTANT, value=(255,)
        )
        self._grey = sheet.astype(np.float32) / 255 * (_BRIGHT - _DARK) + _DARK
        self._px_per_m = _PX_PER_SQUARE / board.config.square_m
        self._directions = _directions(camera)

    def picture(
        self, camera_from_board: Float64[np.ndarray, "4 4"], rng: np.random.Generator
    ) -> UInt8[np.ndarray, "h w"]:
        """The board at a pose."""
        on_sheet_px = self._on_board_m(camera_from_board) * self._px_per_m + _PX_PER_SQUARE - 0.5
        fine = cv2.remap(
            self._grey,
            on_sheet_px[..., 0].astype(np.float32),
            on_sheet_px[..., 1].astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_CONSTANT,
            borderValue=(_TABLE,),
        )
        size_px = (self._camera.width_px, self._camera.height_px)
        picture = cv2.resize(fine, size_px, interpolation=cv2.INTER_AREA)
        picture = cv2.GaussianBlur(picture, (0, 0), _BLUR_PX)
        picture += rng.normal(0, _NOISE, picture.shape).astype(np.float32)
        return picture.clip(0, 255).round().astype(np.uint8)

    def _on_board_m(self, camera_from_board: np.ndarray) -> np.ndarray:
        """Where the samples' rays meet the board's plane, h×w×2; far away if they do not."""
        board_from_camera = np.linalg.inv(camera_from_board)
        turned = self._directions @ board_from_camera[:3, :3].T
        origin = board_from_camera[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = -origin[2] / turned[..., 2]
            points = origin[:2] + turned[..., :2] * distance[..., None]
        points[~(distance > 0)] = _NOWHERE_M
        return points.clip(-_NOWHERE_M, _NOWHERE_M)


def _directions(camera: Camera) -> np.ndarray:
    """Ray directions of all samples, h×w×3; NaN where the lens has none."""
    wide, high = camera.width_px * _FINER, camera.height_px * _FINER
    x, y = np.meshgrid(
        (np.arange(wide) + 0.5) / _FINER - 0.5, (np.arange(high) + 0.5) / _FINER - 0.5
    )
    rays = rays_of(np.stack([x.ravel(), y.ravel()], axis=1), camera=camera)
    return np.concatenate([rays, np.ones((len(rays), 1))], axis=1).reshape(high, wide, 3)
