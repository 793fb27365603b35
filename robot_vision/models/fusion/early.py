"""Maps of color and depth with words and state as extra channels, then convolutions."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import FUSIONS, Carried, Fused, Fusion, ModalityShape, Seen
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Pool
from robot_vision.models.layers.slot_attention import place_grid

_PLACES, _NORM_GROUPS = 4, 4


class EarlyOptions(AttentionOptions):
    layers: int = param(3, "convolutions of 3 x 3 after the channels are joined", ge=1, le=64)
    queries: int = param(4, "vectors that a camera's map is pooled to", ge=1, le=64)


@FUSIONS.register("early")
class EarlyFusion(Fusion):
    """Early fusion (arXiv:1705.09406), camera by camera.

    Color, depth and perception's grid are channels of one map (all steps of a history side by
    side); modalities without a position are repeated in every cell, next to the cell's
    coordinates (CoordConv, arXiv:1807.03247).
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
        self._views = self.cameras()
        rows = len(self.rows()) * width
        self.joins = nn.ModuleList(
            nn.Conv2d(_channels_of(modalities, names, width) + rows + _PLACES, width, 1)
            for names in self._views.values()
        )
        self.convolutions = nn.ModuleList(_convolution(width) for _ in range(options.layers))
        self.pool = Pool(width, heads=options.heads, queries=options.queries)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
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

    def _view(
        self,
        seen: Seen,
        names: list[str],
        rows: list[Float[Tensor, "b d"]],
        join: nn.Module,
    ) -> Float[Tensor, "b cells d"]:
        """Tokens of one camera."""
        maps = [map for name in names for map in self._channels(seen, name)]
        size = maps[0].shape[2:]
        everywhere = [row[:, :, None, None].expand(-1, -1, *size) for row in rows]
        places = place_grid(*size, device=maps[0].device).expand(len(maps[0]), -1, -1, -1)
        x = join(torch.cat([*maps, *everywhere, places], dim=1))
        for convolution in self.convolutions:
            x = x + convolution(x)
        return x.flatten(2).transpose(1, 2)

    def _channels(
        self, seen: Seen, name: str
    ) -> tuple[Float[Tensor, "b c rows columns"], Float[Tensor, "b steps rows columns"]]:
        """Channels of all steps of a picture, and one per step that marks its presence."""
        grid = self.grid(seen, name)
        marks = self.steps_present(seen, name)[:, :, None, None].to(grid.dtype)
        return grid.flatten(1, 2), marks.expand(-1, -1, *grid.shape[3:])


def _channels_of(modalities: Mapping[str, ModalityShape], names: list[str], width: int) -> int:
    return sum(modalities[name].steps * (width + 1) for name in names)


def _convolution(width: int) -> nn.Sequential:
    """Group norm, because batches of demonstrations are small and homogeneous."""
    groups = _NORM_GROUPS if width % _NORM_GROUPS == 0 else 1
    return nn.Sequential(
        nn.GroupNorm(groups, width), nn.GELU(), nn.Conv2d(width, width, 3, padding=1)
    )
