"""Maps of color and depth with words and state as further channels, then convolutions."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import param
from robot_vision.models.fusion.fusion import FUSIONS, Fused, Fusion, ModalityShape, Seen
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Pool
from robot_vision.models.layers.resample import resample
from robot_vision.models.layers.slot_attention import place_grid

_PLACES, _NORM_GROUPS = 4, 4


class EarlyOptions(AttentionOptions):
    layers: int = param(3, "convolutions of 3 x 3 after the channels are joined", ge=1, le=64)
    queries: int = param(4, "vectors that a camera's map is read to", ge=1, le=64)


@FUSIONS.register("early")
class EarlyFusion(Fusion):
    """Early fusion (arXiv:1705.09406), camera by camera.

    Color, depth and perception's grid are channels of one map (all steps of a history side by
    side); what has no place stands in every cell, and so do the cell's coordinates (CoordConv,
    arXiv:1807.03247).
    """

    Options = EarlyOptions

    def __init__(
        self, options: EarlyOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        if not self.pictures():
            raise ConfigError(
                "fusion 'early' joins maps: expected a camera or perception's features, found "
                f"{', '.join(modalities)}"
            )
        self._views = _by_camera(self.pictures())
        rows = len(self.rows()) * width
        self.joins = nn.ModuleList(
            nn.Conv2d(self._channels(names) + rows + _PLACES, width, 1)
            for names in self._views.values()
        )
        self.convolutions = nn.ModuleList(_convolution(width) for _ in range(options.layers))
        self.pool = Pool(width, heads=options.heads, queries=options.queries)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Mapping[str, Tensor]) -> Fused:
        del carried
        rows = [seen.mean(name) for name in self.rows()]
        tokens = torch.cat(
            [
                self._view(seen, names, rows, join)
                for names, join in zip(self._views.values(), self.joins, strict=True)
            ],
            dim=1,
        )
        present = torch.ones_like(tokens[..., 0], dtype=torch.bool)
        summary = self.norm(self.pool(tokens, present).mean(dim=1))
        return Fused(summary=summary, tokens=tokens, present=present)

    def _view(self, seen: Seen, names: list[str], rows: list[Tensor], join: nn.Module) -> Tensor:
        """Tokens f32 [b,cells,d] of one camera."""
        first = self.modalities[names[0]]
        maps = [self._map(seen, name, first.rows, first.columns) for name in names]
        size = (first.rows, first.columns)
        everywhere = [row[:, :, None, None].expand(-1, -1, *size) for row in rows]
        places = place_grid(*size, device=maps[0].device).expand(len(maps[0]), -1, -1, -1)
        x = join(torch.cat([*maps, *everywhere, places], dim=1))
        for convolution in self.convolutions:
            x = x + convolution(x)
        return x.flatten(2).transpose(1, 2)

    def _map(self, seen: Seen, name: str, rows: int, columns: int) -> Tensor:
        """All maps of a modality as channels, and where it is present: [b,c,rows,columns]."""
        shape = self.modalities[name]
        there = seen.present[name].unflatten(1, (shape.steps, -1)).any(dim=2)
        mark = there[:, :, None, None]
        found = [
            torch.where(mark.unsqueeze(2), resample(each, rows, columns), 0.0).flatten(1, 2)
            for each in seen.maps[name]
        ]
        return torch.cat([*found, mark.float().expand(-1, -1, rows, columns)], dim=1)

    def _channels(self, names: list[str]) -> int:
        shapes = [self.modalities[name] for name in names]
        return sum(shape.steps * (sum(shape.map_channels) + 1) for shape in shapes)


def _by_camera(names: tuple[str, ...]) -> dict[str, list[str]]:
    """Names of modalities of a picture by camera; perception's grid goes with the first."""
    cameras = dict[str, list[str]]()
    for name in names:
        camera = name.rpartition(".")[0] or next(iter(cameras), "")
        cameras.setdefault(camera, []).append(name)
    return cameras


def _convolution(width: int) -> nn.Sequential:
    """Norm by groups of channels: batches of demonstrations are small, and alike."""
    groups = _NORM_GROUPS if width % _NORM_GROUPS == 0 else 1
    return nn.Sequential(
        nn.GroupNorm(groups, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1)
    )
