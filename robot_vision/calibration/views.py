"""The data of a hand-eye calibration: pictures of the board, each with the tool's pose."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.calibration.boards.sight import BoardSighting


@dataclass(frozen=True, kw_only=True, eq=False)
class ToolPose:
    """The arm's pose when a picture was taken."""

    name: str
    base_from_tool: Float64[np.ndarray, "4 4"]


@dataclass(frozen=True, kw_only=True, eq=False)
class View:
    """A picture's corners and the pose of the tool."""

    name: str
    base_from_tool: Float64[np.ndarray, "4 4"]
    sight: BoardSighting
