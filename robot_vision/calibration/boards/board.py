"""Boards as in OpenCV's aruco module: the places and numbers of their corners."""

from typing import Any

import cv2
import numpy as np
from jaxtyping import Float64

from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.core.parameters.groups.calibration_config import BoardConfig


class Board:
    """A board with its corners by number. Raises `ConfigError` if it cannot be made.

    `points_m` are all corners in the board's frame: x along the rows, y down, z into the board,
    from the top left corner of the first square or tag.
    """

    def __init__(self, config: BoardConfig) -> None:
        self.config = config
        self.pattern: Any = None if config.kind == "chessboard" else pattern_of(config)
        self.points_m: Float64[np.ndarray, "n 3"] = _points_m(config)

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height of the printed pattern, without a margin."""
        config = self.config
        gap_m = config.square_m - config.marker_m if config.kind == "april" else 0.0
        return config.columns * config.square_m - gap_m, config.rows * config.square_m - gap_m

    @property
    def has_ends(self) -> bool:
        """Whether its orientation is unambiguous, as a pose of the board requires."""
        return self.config.kind != "chessboard"

    @property
    def middle_m(self) -> Float64[np.ndarray, "3"]:
        """The centre of the corners."""
        return (self.points_m.min(axis=0) + self.points_m.max(axis=0)) / 2


def pattern_of(config: BoardConfig) -> Any:
    """OpenCV's board, in the unit of the lengths of `config`."""
    aruco: Any = getattr(cv2, "aruco", None)
    if not hasattr(aruco, "CharucoDetector"):
        raise MissingDependencyError(
            f"OpenCV {cv2.__version__} has no cv2.aruco.CharucoDetector; expected 4.7 or newer: "
            "pip install 'opencv-python-headless>=4.7'"
        )
    dictionary = aruco.getPredefinedDictionary(getattr(aruco, f"DICT_{config.dictionary}"))
    size = (config.columns, config.rows)
    needed = config.columns * config.rows
    if config.kind == "charuco":
        needed //= 2
    available = dictionary.bytesList.shape[0]
    if needed > available:
        raise ConfigError(
            f"a board of {size[0]}×{size[1]} needs {needed} markers; {config.dictionary} has "
            f"{available}: take a larger dictionary or fewer squares"
        )
    if config.kind == "april":
        gap_m = config.square_m - config.marker_m
        return aruco.GridBoard(size, config.marker_m, gap_m, dictionary)
    board = aruco.CharucoBoard(size, config.square_m, config.marker_m, dictionary)
    board.setLegacyPattern(config.legacy)
    return board


def _points_m(config: BoardConfig) -> np.ndarray:
    """Computed here, because OpenCV keeps them in single precision."""
    if config.kind == "april":
        side = config.marker_m
        tag = np.array([[0, 0, 0], [side, 0, 0], [side, side, 0], [0, side, 0]], np.float64)
        return (_grid(config.columns, config.rows, config.square_m)[:, None] + tag).reshape(-1, 3)
    first = np.array([config.square_m, config.square_m, 0.0])
    return first + _grid(config.columns - 1, config.rows - 1, config.square_m)


def _grid(columns: int, rows: int, step_m: float) -> np.ndarray:
    y, x = np.divmod(np.arange(columns * rows), columns)
    return np.stack([x * step_m, y * step_m, np.zeros(len(x))], axis=1)
