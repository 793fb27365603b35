"""Sensor depth at a quarter of the size, with holes filled from coarser averages; its slopes."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

FILL_LEVELS = 3
STEEPEST = 4.0  # metres of depth per metre across


def quarter_depth(
    depth_m: Float[Tensor, "b 1 h w"], valid: Float[Tensor, "b 1 h w"]
) -> tuple[Float[Tensor, "b 1 hm wm"], Float[Tensor, "b 1 hm wm"]]:
    """Mean of the valid pixels in the central 2×2 of each 4×4 cell, and how many are valid.

    Only the centre is used, so that a cell on an edge does not mix both sides.
    """
    centre = [(y, x) for y in (1, 2) for x in (1, 2)]
    weight = torch.stack([valid[..., y::4, x::4] for y, x in centre]).sum(dim=0)
    total = torch.stack([(depth_m * valid)[..., y::4, x::4] for y, x in centre]).sum(dim=0)
    return total / weight.clamp(min=1.0), weight


def fill_depth(
    depth_m: Float[Tensor, "b 1 h w"], weight: Float[Tensor, "b 1 h w"]
) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b 1 h w"]]:
    """Fill cells of zero weight from the mean around them (pull–push, Gortler et al. 1996).

    Returns the filled depth and how near its source is: 1 in the cell itself, halved with each
    coarser level, 0 where it is the mean of the whole image (0 m if nothing was measured).
    """
    total = depth_m * weight
    levels = [(total, weight)]
    for _ in range(FILL_LEVELS):
        total, weight = (F.avg_pool2d(x, 2, ceil_mode=True) for x in levels[-1])
        levels.append((total, weight))
    count = weight.mean(dim=(2, 3), keepdim=True)
    filled = total.mean(dim=(2, 3), keepdim=True) / count.clamp(min=1e-6)
    nearness = torch.zeros_like(filled)
    for level, (total, weight) in reversed(list(enumerate(levels))):
        coarse = F.interpolate(
            torch.cat([filled, nearness], dim=1), size=total.shape[2:], mode="nearest"
        )
        fine = torch.cat([total / weight.clamp(min=1e-6), torch.full_like(total, 0.5**level)], 1)
        filled, nearness = torch.where(weight > 0, fine, coarse).split(1, dim=1)
    return filled, nearness


def surface_slopes(
    log_depth: Float[Tensor, "b 1 h w"], focal_px: Float[Tensor, "b 1"]
) -> Float[Tensor, "b 2 h w"]:
    """How fast surfaces recede to the right and downwards.

    In metres of depth per metre across at that depth (central differences), independent of
    distance and lens; steps between objects are clamped. `focal_px` is in cells of the map.
    """
    padded = F.pad(log_depth, (1, 1, 1, 1), mode="replicate")
    right = padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]
    down = padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]
    slopes = torch.cat([right, down], dim=1) * (focal_px / 2)[..., None, None]
    return slopes.clamp(-STEEPEST, STEEPEST)
