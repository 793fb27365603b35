"""Residual networks of any stage depths, with basic or bottleneck blocks.

He et al., arXiv:1512.03385, with the stride in the 3x3 convolution of a bottleneck ("v1.5"), as
in torchvision, timm and transformers.
"""

from typing import Annotated, Literal

import torch.nn.functional as F
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
from robot_vision.models.encoders.layout import Layout
from robot_vision.models.layers.initial import kaiming_convolutions
from robot_vision.models.layers.separable import ConvNorm

_EXPANSION = 4  # of a bottleneck: outputs for each inner channel

StageDepth = Annotated[int, Field(ge=1, le=100)]


class ResNetSpec(Params):
    block: Literal["basic", "bottleneck"] = param("basic", "two 3x3 convolutions, or 1x1-3x3-1x1")
    depths: tuple[StageDepth, ...] = param(
        (2, 2, 2, 2), "blocks of the stages at strides 4, 8, 16 …", min_length=1, max_length=6
    )
    width: int = param(
        64, "width of the stem and the first stage, doubled per stage", ge=1, le=1024
    )


class Block(nn.Module):
    """Convolutions and a shortcut, added before the last activation."""

    def __init__(self, spec: ResNetSpec, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = width * (_EXPANSION if spec.block == "bottleneck" else 1)
        if spec.block == "bottleneck":
            convs = [
                ConvNorm(in_channels, width),
                ConvNorm(width, width, kernel=3, stride=stride),
                ConvNorm(width, out_channels, activation=nn.Identity),
            ]
        else:
            convs = [
                ConvNorm(in_channels, width, kernel=3, stride=stride),
                ConvNorm(width, out_channels, kernel=3, activation=nn.Identity),
            ]
        self.convs = nn.Sequential(*convs)
        self.shortcut = (
            nn.Identity()
            if stride == 1 and in_channels == out_channels
            else ConvNorm(in_channels, out_channels, stride=stride, activation=nn.Identity)
        )

    def forward(self, x: Float[Tensor, "b _c h w"]) -> Float[Tensor, "b c _h _w"]:
        return F.relu(self.convs(x) + self.shortcut(x))


class ResNet(Encoder):
    """Maps of all stages; `pooled` is the mean of the last."""

    def __init__(self, spec: ResNetSpec) -> None:
        super().__init__()
        expansion = _EXPANSION if spec.block == "bottleneck" else 1
        self.stem = ConvNorm(3, spec.width, kernel=7, stride=2)
        stages, previous = [], spec.width
        for level, depth in enumerate(spec.depths):
            width = spec.width * 2**level
            blocks = []
            for number in range(depth):
                stride = 2 if number == 0 and level > 0 else 1
                blocks.append(Block(spec, previous, width, stride))
                previous = width * expansion
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)
        self.strides = tuple(4 * 2**level for level in range(len(stages)))
        self.channels = tuple(spec.width * expansion * 2**level for level in range(len(stages)))
        self.dim = self.channels[-1]
        kaiming_convolutions(self)

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        x = F.max_pool2d(self.stem(picture), 3, stride=2, padding=1)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return Encoded(maps=tuple(maps), pooled=x.mean(dim=(2, 3)))


_TORCHVISION_LAYERS = {"0": "conv", "1": "bn"}
_TRANSFORMERS_LAYERS = {"0": "convolution", "1": "normalization"}


def _torchvision(name: str, _spec: ResNetSpec) -> str:
    match name.split("."):
        case ["stem", layer, leaf]:
            return f"{_TORCHVISION_LAYERS[layer]}1.{leaf}"
        case ["stages", stage, block, "convs", conv, layer, leaf]:
            place = f"{_TORCHVISION_LAYERS[layer]}{int(conv) + 1}"
            return f"layer{int(stage) + 1}.{block}.{place}.{leaf}"
        case ["stages", stage, block, "shortcut", layer, leaf]:
            return f"layer{int(stage) + 1}.{block}.downsample.{layer}.{leaf}"
    return name


def _transformers(name: str, _spec: ResNetSpec) -> str:
    match name.split("."):
        case ["stem", layer, leaf]:
            return f"embedder.embedder.{_TRANSFORMERS_LAYERS[layer]}.{leaf}"
        case ["stages", stage, block, "convs", conv, layer, leaf]:
            place = f"layer.{conv}.{_TRANSFORMERS_LAYERS[layer]}"
            return f"encoder.stages.{stage}.layers.{block}.{place}.{leaf}"
        case ["stages", stage, block, "shortcut", layer, leaf]:
            place = f"shortcut.{_TRANSFORMERS_LAYERS[layer]}"
            return f"encoder.stages.{stage}.layers.{block}.{place}.{leaf}"
    return name


LAYOUTS = (
    Layout(name="torchvision and timm", public=_torchvision, heads=("fc.",)),
    Layout(name="transformers", public=_transformers, heads=("classifier.",)),
)


def _register(name: str, about: str, spec: ResNetSpec) -> None:
    register_encoder(
        EncoderCard(
            name=name,
            about=about,
            spec=spec,
            tiny=ResNetSpec(block=spec.block, depths=(1, 1, 1, 1), width=4),
            build=ResNet,
            preparation=Preparation(width_px=224, height_px=224),
            layouts=LAYOUTS,
            paper="arXiv:1512.03385",
        )
    )


_register("resnet18", "Residual network of 18 layers, basic blocks.", ResNetSpec())
_register(
    "resnet34", "Residual network of 34 layers, basic blocks.", ResNetSpec(depths=(3, 4, 6, 3))
)
_register(
    "resnet50",
    "Residual network of 50 layers, bottleneck blocks.",
    ResNetSpec(block="bottleneck", depths=(3, 4, 6, 3)),
)
