"""A feature pyramid on the maps of any encoder: levels of one width at the requested strides.

Maps at several strides are merged from coarse to fine (FPN, arXiv:1612.03144). A level for which
the encoder has no map is resampled from the nearest one, so a plain transformer with its single
stride gets a pyramid too (ViTDet, arXiv:2203.16527).
"""

from collections.abc import Sequence

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.models.layers.separable import ConvNorm, SeparableBlock

_OCTAVES = (1, 2, 4, 8, 16, 32)


class Pyramid(nn.Module):
    """Maps of the given strides and channels, finest first → levels by stride.

    Levels are built at all `strides`, finest first; those in `wanted` are smoothed and returned.
    """

    def __init__(
        self,
        map_strides: Sequence[int],
        map_channels: Sequence[int],
        *,
        width: int,
        strides: Sequence[int],
        wanted: Sequence[int],
    ) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self._sources = [_nearest(stride, map_strides) for stride in strides]
        self.laterals = nn.ModuleList(
            _resampled(map_channels[source], width, have=map_strides[source], want=stride)
            for source, stride in zip(self._sources, strides, strict=True)
        )
        self.smooth = nn.ModuleDict({str(s): SeparableBlock(width, width) for s in wanted})

    def forward(
        self, maps: Sequence[Float[Tensor, "b _c _h _w"]]
    ) -> dict[int, Float[Tensor, "b c _h _w"]]:
        levels = [
            lateral(maps[source])
            for lateral, source in zip(self.laterals, self._sources, strict=True)
        ]
        for fine in range(len(levels) - 2, -1, -1):
            size = levels[fine].shape[2:]
            levels[fine] = levels[fine] + F.interpolate(levels[fine + 1], size=size)
        by_stride = dict(zip(self.strides, levels, strict=True))
        return {int(s): smooth(by_stride[int(s)]) for s, smooth in self.smooth.items()}


class _Resized(nn.Module):
    """Resizes a map by `scale` along both sides."""

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c _h _w"]:
        return F.interpolate(x, scale_factor=self.scale, mode="bilinear", align_corners=False)


def _nearest(stride: int, have: Sequence[int]) -> int:
    """Index of the map whose stride is nearest in octaves; the finer of two."""
    octaves = [max(stride, own) / min(stride, own) for own in have]
    return min(range(len(have)), key=octaves.__getitem__)


def _resampled(channels: int, width: int, *, have: int, want: int) -> nn.Sequential:
    """Layers that change width and stride: transposed convolutions up, pooling down.

    Bilinear where the ratio is not a power of two, as with patches of 14 px.
    """
    if max(have, want) / min(have, want) not in _OCTAVES:
        return nn.Sequential(ConvNorm(channels, width), _Resized(have / want))
    if want > have:
        return nn.Sequential(nn.MaxPool2d(want // have), ConvNorm(channels, width))
    layers: list[nn.Module] = [ConvNorm(channels, width)]
    while want < have:
        layers.append(nn.ConvTranspose2d(width, width, 2, stride=2))
        have //= 2
        layers.append(nn.GELU() if want < have else nn.Identity())
    return nn.Sequential(*layers)
