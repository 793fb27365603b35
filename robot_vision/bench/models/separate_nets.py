"""Three separate nets run one after another: the pipeline that one shared encoder replaces.

Only their cost matters (`robot-vision bench model`); their weights are random.
"""

from itertools import pairwise

import torch
from jaxtyping import Float32
from torch import Tensor, nn

WIDTHS = (16, 24, 40, 80, 112, 192, 320)
DEPTHS = (1, 2, 2, 3, 3, 4, 1)
STRIDES = (1, 2, 2, 2, 1, 2, 1)
EXPANSION = 4
SIZE_PX = 224


def _conv(
    in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False
        ),
        nn.BatchNorm2d(out_channels),
        nn.SiLU(),
    )


class _InvertedResidual(nn.Module):
    def __init__(self, in_channels: int, out_channels: int, *, stride: int) -> None:
        super().__init__()
        hidden = in_channels * EXPANSION
        self.residual = stride == 1 and in_channels == out_channels
        self.layers = nn.Sequential(
            _conv(in_channels, hidden, 1),
            _conv(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(
        self, x: Float32[Tensor, "batch channels height width"]
    ) -> Float32[Tensor, "batch channels_out height_out width_out"]:
        y = self.layers(x)
        return x + y if self.residual else y


def _encoder() -> nn.Sequential:
    """EfficientNet-B0-style encoder to a 768-vector."""
    layers: list[nn.Module] = [_conv(3, 32, 3, stride=2)]
    previous = 32
    for width, depth, stride in zip(WIDTHS, DEPTHS, STRIDES, strict=True):
        for index in range(depth):
            layers.append(_InvertedResidual(previous, width, stride=stride if index == 0 else 1))
            previous = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(previous, 768)]
    return nn.Sequential(*layers)


def _depth() -> nn.Sequential:
    """Three convolutions down, three transposed ones back to one channel at full size."""
    return nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3),
        nn.ReLU(),
        nn.Conv2d(64, 128, 5, 2, 2),
        nn.ReLU(),
        nn.Conv2d(128, 256, 3, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(256, 128, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1),
    )


def _detector() -> nn.Sequential:
    """A convolution to 32 channels, four that halve the size up to 512, 1×1 to 85."""
    widths = (32, 64, 128, 256, 512)
    layers: list[nn.Module] = [nn.Conv2d(3, widths[0], 3, 1, 1), nn.ReLU()]
    for narrow, wide in pairwise(widths):
        layers += [nn.Conv2d(narrow, wide, 3, 2, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(widths[-1], 85, 1))


class SeparateNets(nn.Module):
    """`forward(rgb f32 [B,3,224,224])`: embedding [B,768], depth [B,1,224,224], [B,85,14,14]."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _encoder()
        self.depth = _depth()
        self.detector = _detector()

    def forward(
        self, rgb: Float32[Tensor, "b 3 h w"]
    ) -> tuple[Float32[Tensor, "b 768"], Float32[Tensor, "b 1 h w"], Float32[Tensor, "b 85 _ _"]]:
        return self.encoder(rgb), self.depth(rgb), self.detector(rgb)

    def example_input(self) -> Float32[Tensor, "1 3 224 224"]:
        return torch.zeros(1, 3, SIZE_PX, SIZE_PX)
