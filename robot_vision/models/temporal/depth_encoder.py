"""A light encoder of sensor depth: relief at a quarter of the size, nothing without any."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.models.layers.sensor_depth import fill_depth, quarter_depth
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock

# Cells across the surroundings that a surface stands out from.
_AROUND = 15
# Relief is a matter of centimetres in a metre: so scaled, it is about as large as other inputs.
_RELIEF_SCALE = 20.0


class DepthEncoder(nn.Module):
    """`forward(depth_m f32 [b,1,h,w], 0 invalid)` → f32 [b,width,h/4,w/4]; 0 without any depth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(3, width, kernel=3),
            SeparableBlock(width, width, kernel=5),
            SeparableBlock(width, width, kernel=5),
        )

    def forward(self, depth_m: Tensor) -> Tensor:
        has_any = (depth_m > 0).flatten(1).any(dim=1).float()[:, None, None, None]
        return self.layers(_relief(depth_m)) * has_any


def _relief(depth_m: Tensor) -> Tensor:
    """Log depth from the picture's mean and from around, and how near it was measured."""
    found, weight = quarter_depth(depth_m, (depth_m > 0).float())
    filled, nearness = fill_depth(found, weight)
    log_depth = filled.clamp(min=0.05).log()
    around = F.avg_pool2d(
        log_depth, _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False
    )
    overall = log_depth.mean(dim=(2, 3), keepdim=True)
    return torch.cat([log_depth - overall, _RELIEF_SCALE * (log_depth - around), nearness], dim=1)
