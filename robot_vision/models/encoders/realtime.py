"""A small encoder of depthwise separable blocks (MobileNet, arXiv:1704.04861), for real time."""

from itertools import pairwise
from typing import Annotated

from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.layers.initial import kaiming_convolutions
from robot_vision.models.layers.separable import ConvNorm, SeparableBlock, separable_stack

Width = Annotated[int, Field(ge=1, le=4096)]
Depth = Annotated[int, Field(ge=0, le=64)]


class RealtimeSpec(Params):
    stem: int = param(16, "width at stride 2", ge=1, le=4096)
    widths: tuple[Width, Width, Width, Width] = param(
        (32, 64, 128, 256), "widths of the stages at strides 4, 8, 16 and 32"
    )
    depths: tuple[Depth, Depth, Depth, Depth] = param(
        (1, 2, 3, 1), "blocks of those stages, besides the one that halves the size"
    )


class Realtime(Encoder):
    """Maps of the four stages; `pooled` is the mean of the last."""

    strides = (4, 8, 16, 32)

    def __init__(self, spec: RealtimeSpec) -> None:
        super().__init__()
        self.channels, self.dim = spec.widths, spec.widths[-1]
        self.stem = ConvNorm(3, spec.stem, kernel=3, stride=2)
        pairs = pairwise((spec.stem, *spec.widths))
        self.stages = nn.ModuleList(
            nn.Sequential(SeparableBlock(a, b, stride=2), separable_stack(b, depth))
            for (a, b), depth in zip(pairs, spec.depths, strict=True)
        )
        kaiming_convolutions(self)

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        x = self.stem(picture)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return Encoded(maps=tuple(maps), pooled=x.mean(dim=(2, 3)))


card = EncoderCard(
    name="realtime",
    about="Depthwise separable blocks, a fortieth of the multiplications of resnet18.",
    spec=RealtimeSpec(),
    tiny=RealtimeSpec(stem=4, widths=(8, 8, 16, 16), depths=(1, 0, 1, 0)),
    build=Realtime,
    preparation=Preparation(width_px=224, height_px=224),
    paper="arXiv:1704.04861",
)
register_encoder(card)
