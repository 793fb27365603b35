"""Convolution blocks that models share."""

from jaxtyping import Float
from torch import Tensor, nn


class ConvNorm(nn.Sequential):
    """Convolution without bias, batch norm and, by default, a ReLU."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
        activation: type[nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel,
                stride=stride,
                padding=kernel // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            activation(),
        )


class SeparableBlock(nn.Module):
    """Depthwise, then pointwise convolution (MobileNet, arXiv:1704.04861).

    No activation between the two: Xception (arXiv:1610.02357) found this better, and it halves
    the memory traffic of training. Residual where the shapes allow it.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, kernel: int = 3, stride: int = 1
    ) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(
            in_channels,
            in_channels,
            kernel,
            stride=stride,
            padding=kernel // 2,
            groups=in_channels,
            bias=False,
        )
        self.pointwise = ConvNorm(in_channels, out_channels, activation=nn.Identity)
        self.activation = nn.ReLU(inplace=True)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Float[Tensor, "b _c _h _w"]) -> Float[Tensor, "b _c _h _w"]:
        y = self.pointwise(self.depthwise(x))
        return self.activation(x + y if self.residual else y)


def separable_stack(channels: int, depth: int, *, kernel: int = 3) -> nn.Sequential:
    """`depth` separable blocks; shapes stay the same."""
    return nn.Sequential(
        *(SeparableBlock(channels, channels, kernel=kernel) for _ in range(depth))
    )
