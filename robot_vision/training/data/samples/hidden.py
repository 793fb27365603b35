"""Hides parts of samples: holes in depth, and rectangles of colour and depth."""

import kornia.augmentation as K
import torch
from jaxtyping import Float
from torch import Tensor

MAX_HOLES = 6
# Area fractions of a cut-out, and its aspect ratios.
_CUT_AREA = (0.02, 0.2)
_CUT_RATIO = (0.4, 2.5)


def cut_out(
    rgb: Float[Tensor, "b 3 h w"], depth_m: Float[Tensor, "b 1 h w"], *, part: float, fill: float
) -> tuple[Float[Tensor, "b 3 h w"], Float[Tensor, "b 1 h w"]]:
    """Part `part` of samples without a rectangle: colour is `fill` there, depth unknown (Random
    Erasing, arXiv:1708.04896)."""
    erase = K.RandomErasing(_CUT_AREA, _CUT_RATIO, value=0.0, p=part)
    is_seen = erase(torch.ones_like(depth_m)) > 0
    return torch.where(is_seen, rgb, fill), depth_m * is_seen


def punch_holes(depth_m: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
    """Elliptic holes of up to a third of the size in depth."""
    count, _, height, width = depth_m.shape
    device = depth_m.device
    y = torch.arange(height, device=device)[:, None]
    x = torch.arange(width, device=device)
    holes = torch.randint(1, MAX_HOLES + 1, (count, 1, 1, 1), device=device)
    kept = torch.ones_like(depth_m, dtype=torch.bool)
    for number in range(MAX_HOLES):
        across, down, wide, high, turn = torch.rand(5, count, 1, 1, 1, device=device)
        dx, dy = x - across * width, y - down * height
        sin, cos = torch.sin(turn * torch.pi), torch.cos(turn * torch.pi)
        # Divided before adding, while they are still rows and columns.
        wide_px, high_px = 4 + wide * width / 6, 4 + high * height / 6
        u = dx * (cos / wide_px) + dy * (sin / wide_px)
        v = dy * (cos / high_px) - dx * (sin / high_px)
        is_hole = number < holes
        kept &= torch.addcmul(u.square_(), v, v) > torch.where(is_hole, 1.0, -1.0)
    return depth_m * kept
