"""A light encoder of sensor depth: relief at a quarter of the size; zero without depth."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.models.layers.sensor_depth import fill_depth, quarter_depth
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock

# Side of the neighbourhood, in cells, against which relief is measured.
_AROUND = 15
# Relief is centimetres in a metre: this factor makes it about as large as the other inputs.
_RELIEF_SCALE = 20.0


class DepthEncoder(nn.Module):
    """Depth, 0 where invalid → maps at a quarter of the size; 0 without any depth."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            ConvNorm(3, width, kernel=3),
            SeparableBlock(width, width, kernel=5),
            SeparableBlock(width, width, kernel=5),
        )

    def forward(self, depth_m: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b c hm wm"]:
        has_any = (depth_m > 0).flatten(1).any(dim=1).float()[:, None, None, None]
        return self.layers(_relief(depth_m)) * has_any


def _relief(depth_m: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 hm wm"]:
    """Log depth relative to the picture's mean and to its surroundings, and its nearness."""
    found, weight = quarter_depth(depth_m, (depth_m > 0).float())
    filled, nearness = fill_depth(found, weight)
    log_depth = filled.clamp(min=0.05).log()
    around = F.avg_pool2d(
        log_depth, _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False
    )
    overall = log_depth.mean(dim=(2, 3), keepdim=True)
    return torch.cat([log_depth - overall, _RELIEF_SCALE * (log_depth - around), nearness], dim=1)
