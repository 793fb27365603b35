"""Mobile inverted bottlenecks with squeeze-and-excitation, scaled in width and depth.

Tan and Le, arXiv:1905.11946; the lite variants use ReLU6 and no squeeze-and-excitation.
"""

import math
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.encoders.efficientnet_names import LAYOUTS
from robot_vision.models.encoders.encoder import (
    Encoded,
    Encoder,
    EncoderCard,
    Preparation,
    register_encoder,
)
from robot_vision.models.layers.initial import kaiming_convolutions
from robot_vision.models.layers.separable import ConvNorm

# Stages of B0: output channels, blocks, kernel, stride and expansion.
STAGES = (
    (16, 1, 3, 1, 1),
    (24, 2, 3, 2, 6),
    (40, 2, 5, 2, 6),
    (80, 3, 3, 2, 6),
    (112, 3, 5, 1, 6),
    (192, 4, 5, 2, 6),
    (320, 1, 3, 1, 6),
)
_STEM, _HEAD = 32, 1280
_SHOWN = (1, 2, 4, 6)  # stages whose outputs are the maps, the last of each stride
_CHANNEL_STEP = 8
_SQUEEZE = 4


class EfficientNetSpec(Params):
    width_factor: float = param(1.0, "channels relative to B0", gt=0, le=10)
    depth_factor: float = param(1.0, "blocks relative to B0, rounded up", gt=0, le=10)
    activation: Literal["silu", "relu6"] = param("silu", "activation after convolutions")
    squeeze: bool = param(True, "weight channels by squeeze-and-excitation")
    padding: Literal["symmetric", "same"] = param(
        "symmetric",
        "padding at stride 2: as in PyTorch, or as in TensorFlow, more to the right and below "
        "(needed by weights of transformers and of timm's tf_…)",
    )
    norm_epsilon: float = param(
        1e-5, "epsilon of batch norms; 0.001 in weights from TensorFlow", gt=0, le=0.1
    )

    def channels(self, of_b0: int) -> int:
        """Channels of B0, scaled, rounded to a multiple of 8, never down by more than a tenth."""
        wanted = of_b0 * self.width_factor
        step = _CHANNEL_STEP
        rounded = max(step, int(wanted + step / 2) // step * step)
        return rounded + step if rounded < 0.9 * wanted else rounded

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of the stages."""
        return tuple(math.ceil(depth * self.depth_factor) for _, depth, *_ in STAGES)


class Convolution(ConvNorm):
    """Convolution, batch norm and activation, padded as the spec says."""

    def __init__(
        self,
        spec: EfficientNetSpec,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        is_active: bool = True,
    ) -> None:
        activation = nn.SiLU if spec.activation == "silu" else nn.ReLU6
        super().__init__(
            in_channels,
            out_channels,
            kernel=kernel,
            stride=stride,
            groups=groups,
            activation=activation if is_active else nn.Identity,
        )
        convolution, norm, _ = self
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        norm.eps = spec.norm_epsilon
        self.before = (0, 0, 0, 0)
        if spec.padding == "same" and stride == 2:
            # TensorFlow's padding for sides with an even number of pixels.
            self.before = (kernel // 2 - 1, kernel // 2) * 2
            convolution.padding = (0, 0)

    def forward(self, input: Float[Tensor, "b _c h w"]) -> Float[Tensor, "b c _h _w"]:
        return super().forward(F.pad(input, self.before) if any(self.before) else input)


class Squeeze(nn.Module):
    """Weights each channel given the means of all channels (arXiv:1709.01507)."""

    def __init__(self, channels: int, squeezed: int, activation: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed, 1)
        self.expand = nn.Conv2d(squeezed, channels, 1)
        self.activation = activation

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        mean = x.mean(dim=(2, 3), keepdim=True)
        return x * self.expand(self.activation(self.reduce(mean))).sigmoid()


class Block(nn.Module):
    """Expand, depthwise convolution, weight channels, project; residual where shapes allow it."""

    def __init__(
        self,
        spec: EfficientNetSpec,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int,
        expansion: int,
    ) -> None:
        super().__init__()
        inner = in_channels * expansion
        self.expand = nn.Identity() if expansion == 1 else Convolution(spec, in_channels, inner)
        self.depthwise = Convolution(
            spec, inner, inner, kernel=kernel, stride=stride, groups=inner
        )
        squeezed = max(1, in_channels // _SQUEEZE)
        activation = nn.SiLU() if spec.activation == "silu" else nn.ReLU6()
        self.squeeze = Squeeze(inner, squeezed, activation) if spec.squeeze else nn.Identity()
        self.project = Convolution(spec, inner, out_channels, is_active=False)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Float[Tensor, "b _c h w"]) -> Float[Tensor, "b c _h _w"]:
        y = self.project(self.squeeze(self.depthwise(self.expand(x))))
        return x + y if self.residual else y


class EfficientNet(Encoder):
    """Maps of the last block at each stride; `pooled` is the mean of a final wide layer."""

    strides = (4, 8, 16, 32)

    def __init__(self, spec: EfficientNetSpec) -> None:
        super().__init__()
        widths = [spec.channels(width) for width, *_ in STAGES]
        self.stem = Convolution(spec, 3, spec.channels(_STEM), kernel=3, stride=2)
        self.stages = nn.ModuleList(
            _stage(spec, level, previous, width)
            for level, (previous, width) in enumerate(pairwise([spec.channels(_STEM), *widths]))
        )
        self.channels = tuple(widths[level] for level in _SHOWN)
        self.dim = spec.channels(_HEAD)
        self.head = Convolution(spec, widths[-1], self.dim)
        kaiming_convolutions(self)

    def forward(self, picture: Float[Tensor, "b 3 h w"]) -> Encoded:
        x = self.stem(picture)
        maps = []
        for level, stage in enumerate(self.stages):
            x = stage(x)
            if level in _SHOWN:
                maps.append(x)
        return Encoded(maps=tuple(maps), pooled=self.head(x).mean(dim=(2, 3)))


def _stage(
    spec: EfficientNetSpec, level: int, in_channels: int, out_channels: int
) -> nn.Sequential:
    _, _, kernel, stride, expansion = STAGES[level]
    return nn.Sequential(
        *(
            Block(
                spec,
                out_channels if number else in_channels,
                out_channels,
                kernel=kernel,
                stride=1 if number else stride,
                expansion=expansion,
            )
            for number in range(spec.depths[level])
        )
    )


_HALF = (0.5, 0.5, 0.5)
_LITE0 = EfficientNetSpec(activation="relu6", squeeze=False, padding="same", norm_epsilon=1e-3)
# Sizes of the paper, rounded up to a multiple of 32.
_CARDS = {
    "efficientnet-b0": (EfficientNetSpec(), Preparation(width_px=224, height_px=224)),
    "efficientnet-b1": (
        EfficientNetSpec(depth_factor=1.1),
        Preparation(width_px=256, height_px=256),
    ),
    "efficientnet-b2": (
        EfficientNetSpec(width_factor=1.1, depth_factor=1.2),
        Preparation(width_px=288, height_px=288),
    ),
    "efficientnet-b3": (
        EfficientNetSpec(width_factor=1.2, depth_factor=1.4),
        Preparation(width_px=320, height_px=320),
    ),
    "efficientnet-lite0": (
        _LITE0,
        Preparation(width_px=224, height_px=224, mean=_HALF, std=_HALF),
    ),
}
for _name, (_spec, _preparation) in _CARDS.items():
    register_encoder(
        EncoderCard(
            name=_name,
            about="Inverted bottlenecks with squeeze-and-excitation."
            if _spec.squeeze
            else "Inverted bottlenecks with ReLU6, for integer arithmetic and small machines.",
            spec=_spec,
            tiny=_spec.model_copy(update={"width_factor": 0.1, "depth_factor": 0.3}),
            build=EfficientNet,
            preparation=_preparation,
            layouts=LAYOUTS,
            paper="arXiv:1905.11946",
        )
    )
