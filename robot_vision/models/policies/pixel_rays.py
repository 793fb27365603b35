"""Where in the base frame each cell of a camera that stands still looks."""

import numpy as np
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from robot_vision.core import quaternions
from robot_vision.models.policies.pixel_spec import CameraPose


class Rays(nn.Module):
    """`forward()` → f32 [rows·columns,width]: where in the base frame each cell looks.

    Plücker coordinates (direction, and moment about the base) of the ray through a cell's middle,
    as in arXiv:2106.02634: so cameras' pictures lie in one space.
    """

    rays: Tensor

    def __init__(self, rays: np.ndarray, width: int) -> None:
        super().__init__()
        self.register_buffer("rays", torch.as_tensor(rays, dtype=torch.float32), persistent=False)
        self.out = nn.Linear(6, width)

    def forward(self) -> Tensor:
        return self.out(self.rays)


def plucker_rays(
    pose: CameraPose, *, rows: int, columns: int, size: tuple[int, int], margin: tuple[int, int]
) -> Float64[np.ndarray, "cells 6"]:
    """Of a grid over a picture of `size` (height, width) px with a margin below and right."""
    (height, width), (below, right) = size, margin
    down = (np.arange(rows) + 0.5) / rows * (height + below) - height / 2
    across = (np.arange(columns) + 0.5) / columns * (width + right) - width / 2
    y, x = np.meshgrid(down, across, indexing="ij")
    focal_px = pose.focal_per_width * width
    in_camera = np.stack([x.ravel() / focal_px, y.ravel() / focal_px, np.ones(rows * columns)], 1)
    position_m = np.array(pose.position_m)
    base_from_camera = quaternions.pose_matrix(
        position_m, quaternions.exp(np.array(pose.rotation))
    )
    direction = in_camera @ base_from_camera[:3, :3].T
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.concatenate([direction, np.cross(position_m, direction)], axis=1)
