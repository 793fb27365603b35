"""Poses of a dataset's cameras, as part of its meaning."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float64
from pydantic import Field, FiniteFloat, model_validator

from robot_vision.core.parameters.params import Params

_Three = tuple[FiniteFloat, FiniteFloat, FiniteFloat]
# Printed numbers are rounded; anything further off is not a rotation.
_NOT_ONE = 0.01
# No camera of an arm is further away than this; larger numbers are in mm.
_FURTHEST_BASE_M, _FURTHEST_TOOL_M = 10.0, 1.0


class CameraPlace(Params):
    """A camera's pose; its axes are OpenCV's: x right, y down, z into the picture."""

    position_m: _Three = Field(description="of the lens, in metres")
    quaternion_xyzw: tuple[FiniteFloat, FiniteFloat, FiniteFloat, FiniteFloat] | None = None
    matrix: tuple[_Three, _Three, _Three] | None = Field(
        default=None, description="the rotation in place of a quaternion, row by row"
    )

    @model_validator(mode="before")
    @classmethod
    def _one_rotation(cls, values: Any) -> Any:
        if isinstance(values, dict) and (
            (values.get("quaternion_xyzw") is None) == (values.get("matrix") is None)
        ):
            raise ValueError("expected the rotation as either quaternion_xyzw or matrix")
        return values

    @model_validator(mode="after")
    def _is_a_rotation(self) -> "CameraPlace":
        if self.quaternion_xyzw is not None:
            norm = math.hypot(*self.quaternion_xyzw)
            if abs(norm - 1) > _NOT_ONE:
                raise ValueError(
                    f"quaternion_xyzw {self.quaternion_xyzw} has the length {norm:.3g}, expected 1"
                )
            return self
        rotation = np.array(self.matrix)
        off = float(np.abs(rotation @ rotation.T - np.eye(3)).max())
        if off > _NOT_ONE:
            raise ValueError(
                f"matrix is not a rotation: its rows are {off:.2g} from being of length 1 and at "
                "right angles"
            )
        if np.linalg.det(rotation) < 0:
            raise ValueError("matrix mirrors (its determinant is -1): turn an axis round")
        return self

    @property
    def pose(self) -> Float64[np.ndarray, "4 4"]:
        """A rigid transform; rounded rotations are made orthonormal."""
        found = np.eye(4)
        found[:3, 3] = self.position_m
        if self.quaternion_xyzw is not None:
            x, y, z, w = np.array(self.quaternion_xyzw) / math.hypot(*self.quaternion_xyzw)
            cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
            found[:3, :3] = np.eye(3) + 2 * (w * cross + cross @ cross)
        else:
            u, _, vt = np.linalg.svd(np.array(self.matrix))
            found[:3, :3] = u @ vt
        return found


class CameraMeaning(Params):
    """A camera fixed in the base frame or to the tool, and its lens."""

    base_from_camera: CameraPlace | None = None
    tool_from_camera: CameraPlace | None = None
    focal_px: float = Field(gt=0, le=1e5, allow_inf_nan=False, description="focal length")
    width_px: int = Field(ge=16, le=16384, description="width of the pictures of focal_px")
    height_px: int = Field(ge=16, le=16384, description="their height")

    @model_validator(mode="after")
    def _one_place(self) -> "CameraMeaning":
        if (self.base_from_camera is None) == (self.tool_from_camera is None):
            raise ValueError(
                "expected either base_from_camera (it is fixed in the base frame) or "
                "tool_from_camera (it is fixed to the tool)"
            )
        far_m = float(np.linalg.norm(self.place.position_m))
        most_m = _FURTHEST_TOOL_M if self.is_on_tool else _FURTHEST_BASE_M
        if far_m > most_m:
            raise ValueError(
                f"position_m is {far_m:.4g} m away; expected {most_m:g} m at most: are these mm?"
            )
        if not 0.1 <= self.focal_px / self.width_px <= 10:
            raise ValueError(
                f"focal_px {self.focal_px:g} for pictures {self.width_px} px wide: no lens of a "
                "robot; expected fx of the camera's intrinsics, and the size that they are of"
            )
        return self

    @property
    def is_on_tool(self) -> bool:
        return self.tool_from_camera is not None

    @property
    def place(self) -> CameraPlace:
        """In the base frame, or in the tool's."""
        found = self.tool_from_camera or self.base_from_camera
        assert found is not None
        return found
