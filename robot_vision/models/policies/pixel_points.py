"""Positions of what each cell of a camera shows, in the base frame and relative to the tool."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32
from torch import Tensor, nn

from robot_vision.core import quaternions
from robot_vision.models.layers.resample import resample
from robot_vision.models.policies.pixel_rays import tool_of
from robot_vision.models.policies.pixel_spec import TrainedCamera

_LONGEST_M, _SHORTEST_M, _WAVES = 1.28, 0.08, 5
_RAW_M = 0.2  # divides positions, so that they are about one
_LEAST_MEASURED = 0.1  # share of a cell, below which it has no position


@dataclass(frozen=True, kw_only=True, eq=False)
class Located:
    """Positions of cells in the base frame and relative to the tool (along the base axes), m.

    `is_tool_known` is None where the observation has no arm state: `from_tool_m` is then zero.
    """

    in_base_m: Float32[Tensor, "b n cells 3"]
    from_tool_m: Float32[Tensor, "b n cells 3"]
    is_measured: Bool[Tensor, "b n cells 1"]
    is_tool_known: Bool[Tensor, "b n"] | None


class PlaceWaves(nn.Module):
    """Encodes a position as scaled coordinates, sines and cosines."""

    numbers = 3 * (1 + 2 * _WAVES)
    frequency: Float[Tensor, " waves"]

    def __init__(self) -> None:
        super().__init__()
        periods_m = torch.logspace(math.log10(_LONGEST_M), math.log10(_SHORTEST_M), _WAVES)
        self.register_buffer("frequency", 2 * math.pi / periods_m, persistent=False)

    def forward(self, place_m: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch numbers"]:
        angle = (place_m.unsqueeze(-1) * self.frequency).flatten(-2)
        return torch.cat([place_m / _RAW_M, angle.sin(), angle.cos()], dim=-1)


class Locator(nn.Module):
    """Locates each cell: the mean of the points measured in it."""

    rays: Float[Tensor, "2 h w"]
    mount_from_camera: Float[Tensor, "4 4"]

    def __init__(
        self,
        pose: TrainedCamera,
        *,
        grid: tuple[int, int],
        size: tuple[int, int],
        margin: tuple[int, int],
    ) -> None:
        """`grid` (rows, columns) covers a picture of `size` (height, width) px with a margin."""
        super().__init__()
        self.grid, self.margin, self.is_on_tool = grid, margin, pose.mount == "tool"
        self.register_buffer("rays", _rays(pose, *size), persistent=False)
        rotation = quaternions.exp(np.array(pose.rotation))
        mount_from_camera = quaternions.pose_matrix(np.array(pose.position_m), rotation)
        self.register_buffer(
            "mount_from_camera", torch.tensor(mount_from_camera).float(), persistent=False
        )

    def forward(
        self,
        depth_m: Float32[Tensor, "b n h w"],
        seen: Bool[Tensor, "b n"],
        state: Float32[Tensor, "b n s"] | None = None,
        state_seen: Bool[Tensor, "b n"] | None = None,
    ) -> Located:
        """`state` is that of the tool (position, x and y axis first), or None if not observed."""
        in_mount_m, is_measured = self._points(torch.where(seen[..., None, None], depth_m, 0.0))
        if state is None or state_seen is None:
            assert not self.is_on_tool
            return Located(
                in_base_m=in_mount_m,
                from_tool_m=torch.zeros_like(in_mount_m),
                is_measured=is_measured,
                is_tool_known=None,
            )
        place_m, base_from_tool = tool_of(torch.where(state_seen.unsqueeze(-1), state, 0.0))
        in_base_m = in_mount_m
        if self.is_on_tool:
            in_base_m = in_mount_m @ base_from_tool.mT + place_m.unsqueeze(2)
            is_measured = is_measured & state_seen[..., None, None]
        return Located(
            in_base_m=in_base_m,
            from_tool_m=in_base_m - place_m.unsqueeze(2),
            is_measured=is_measured,
            is_tool_known=state_seen,
        )

    def _points(
        self, depth_m: Float[Tensor, "b n h w"]
    ) -> tuple[Float[Tensor, "b n cells 3"], Bool[Tensor, "b n cells 1"]]:
        """Position of each cell in the frame of the mount, and whether it was measured."""
        below, right = self.margin
        measured = (depth_m > 0).to(depth_m.dtype)
        maps = torch.stack([measured, depth_m, *(depth_m * ray for ray in self.rays)], dim=2)
        maps = nn.functional.pad(maps, (0, right, 0, below))
        cells = resample(maps, *self.grid).flatten(3).transpose(2, 3)
        share, sums = cells[..., :1], cells[..., 1:]
        depth, x, y = (sums / share.clamp(min=_LEAST_MEASURED)).unbind(dim=-1)
        in_camera = torch.stack([x, y, depth], dim=-1)
        turn, place_m = self.mount_from_camera[:3, :3], self.mount_from_camera[:3, 3]
        return in_camera @ turn.T + place_m, share > _LEAST_MEASURED


class Points(nn.Module):
    """Embeds the positions of cells, to be added to their tokens.

    In the base frame and relative to the tool, in metres and as sines (Act3D, arXiv:2306.17817,
    gives its tokens positions too). Zero where nothing was measured; the part relative to the
    tool is zero where the arm's state is not seen.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.waves = PlaceWaves()
        self.out = nn.Linear(2 * self.waves.numbers, width)

    def forward(self, located: Located) -> Float32[Tensor, "b n cells d"]:
        of_tool, known = self.waves(located.from_tool_m), located.is_tool_known
        if known is None:
            known = torch.zeros_like(located.is_measured[:, :, 0, 0])
        of_tool = torch.where(known[..., None, None], of_tool, 0.0)
        numbers = torch.cat([self.waves(located.in_base_m), of_tool], dim=-1)
        return torch.where(located.is_measured, self.out(numbers), 0.0)


def _rays(pose: TrainedCamera, height: int, width: int) -> Float32[Tensor, "2 h w"]:
    """x and y of each pixel's ray per metre of depth; the principal point is the centre."""
    across_px = pose.focal_per_width * width
    down_px = pose.focal_per_height * height or across_px
    x = (torch.arange(width) + 0.5 - width / 2) / across_px
    y = (torch.arange(height) + 0.5 - height / 2) / down_px
    return torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
