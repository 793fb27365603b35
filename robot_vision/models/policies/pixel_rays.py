"""The ray of each cell of a camera in the base frame."""

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Float64
from torch import Tensor, nn

from robot_vision.core import quaternions
from robot_vision.models.policies.pixel_spec import TrainedCamera


class Rays(nn.Module):
    """Embeds the ray of each cell in the base frame.

    Plücker coordinates (direction, and moment about the base) of the ray through a cell's centre,
    as in arXiv:2106.02634, put the pictures of all cameras into one space. Rays of a camera on
    the tool follow the tool's `state` (position, x and y axis first) and are zero where the state
    is not seen; those of other cameras are the same in every picture.
    """

    rays: Float[Tensor, "cells 6"]

    def __init__(
        self, rays: Float[np.ndarray, "cells 6"], width: int, *, is_on_tool: bool = False
    ) -> None:
        super().__init__()
        self.register_buffer("rays", torch.as_tensor(rays, dtype=torch.float32), persistent=False)
        self.is_on_tool = is_on_tool
        self.out = nn.Linear(6, width)

    def forward(
        self,
        state: Float[Tensor, "b n s"] | None = None,
        state_seen: Bool[Tensor, "b n"] | None = None,
    ) -> Float[Tensor, "_b _n cells d"]:
        if not self.is_on_tool:
            return self.out(self.rays)[None, None]
        assert state is not None
        assert state_seen is not None
        shown = state_seen[..., None, None]
        place_m, base_from_tool = tool_of(
            torch.where(state_seen.unsqueeze(-1), state.float(), 0.0)
        )
        direction, moment = (part @ base_from_tool.mT for part in self.rays.split(3, dim=-1))
        moment = moment + torch.linalg.cross(place_m.unsqueeze(2).expand_as(direction), direction)
        rays = torch.cat([direction, moment], dim=-1)
        return torch.where(shown, self.out(rays), 0.0)


def tool_of(
    state: Float[Tensor, "b n s"],
) -> tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 3 3"]]:
    """Position and axes of the tool, made orthonormal (Gram-Schmidt)."""
    place_m, x, y = state[..., :3], state[..., 3:6], state[..., 6:9]
    x = F.normalize(x, dim=-1)
    y = F.normalize(y - (x * y).sum(dim=-1, keepdim=True) * x, dim=-1)
    return place_m, torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def plucker_rays(
    pose: TrainedCamera, *, rows: int, columns: int, size: tuple[int, int], margin: tuple[int, int]
) -> Float64[np.ndarray, "cells 6"]:
    """Rays of a grid over a picture of `size` (height, width) px with a margin below and right.

    In the frame of the camera's mount.
    """
    (height, width), (below, right) = size, margin
    down = (np.arange(rows) + 0.5) / rows * (height + below) - height / 2
    across = (np.arange(columns) + 0.5) / columns * (width + right) - width / 2
    y, x = np.meshgrid(down, across, indexing="ij")
    across_px = pose.focal_per_width * width
    down_px = pose.focal_per_height * height or across_px
    in_camera = np.stack([x.ravel() / across_px, y.ravel() / down_px, np.ones(rows * columns)], 1)
    position_m = np.array(pose.position_m)
    mount_from_camera = quaternions.pose_matrix(
        position_m, quaternions.exp(np.array(pose.rotation))
    )
    direction = in_camera @ mount_from_camera[:3, :3].T
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    return np.concatenate([direction, np.cross(position_m, direction)], axis=1)
