"""Depth from one picture by a small U-Net: the worked example of CONTRIBUTING.md."""

from itertools import pairwise

import torch.nn.functional as F
from jaxtyping import Real
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock
from robot_vision.models.picture import PICTURE, noise_pictures, served_from_picture
from robot_vision.models.registry import register_model


class TinyDepthSpec(Params):
    width: int = param(24, "channels at a quarter of the size; doubled per stage", ge=4)


class TinyDepth(nn.Module):
    def __init__(self, spec: TinyDepthSpec) -> None:
        super().__init__()
        widths = [spec.width * factor for factor in (1, 2, 4, 8)]
        pairs = list(pairwise(widths))
        self.stem = ConvNorm(3, widths[0], kernel=7, stride=4)
        self.down = nn.ModuleList(SeparableBlock(a, b, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(SeparableBlock(b, a) for a, b in pairs)
        self.log_depth = nn.Conv2d(widths[0], 1, 1)

    def forward(self, rgb: Real[Tensor, "b h w 3"]) -> dict[str, Tensor]:
        maps = [self.stem(rgb.permute(0, 3, 1, 2).float() / 64 - 2)]
        for block in self.down:
            maps.append(block(maps[-1]))
        x = maps.pop()
        for block, skip in zip(reversed(self.up), reversed(maps), strict=True):
            x = F.interpolate(block(x), scale_factor=2.0) + skip
        return {"depth": self.log_depth(x).clamp(-3, 4).exp()}


card = Card(
    name="tiny-depth",
    about="Metric depth at a quarter of the size, from colour alone.",
    paper="arXiv:1505.04597",
    task="depth",
    spec=TinyDepthSpec(),
    tiny=TinyDepthSpec(width=4),
    build=TinyDepth,
    example=noise_pictures,
    inputs=PICTURE,
    outputs={"depth": "b 1 h/4 w/4"},
    most_parameters=60_000,
    serving=served_from_picture("depth_metric", "depth"),
)
register_model(card)
