"""Coarse, medium, fine: what is to be done looks at ever finer maps of a pyramid."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import param
from robot_vision.models.fusion.fusion import (
    FUSIONS,
    Fused,
    Fusion,
    ModalityShape,
    Seen,
    learnt,
    with_readout,
)
from robot_vision.models.layers.attention import (
    AttentionOptions,
    Block,
    hiding_bias,
    self_block,
)
from robot_vision.models.layers.pyramid import Pyramid
from robot_vision.models.layers.resample import resample
from robot_vision.models.layers.slot_attention import place_grid

_STRIDES = (8, 16, 32)  # fine, medium, coarse


class FpnOptions(AttentionOptions):
    layers: int = param(1, "looks at each level", ge=1, le=16)
    queries: int = param(4, "tokens that look, beside words and the arm", ge=1, le=64)


@FUSIONS.register("fpn")
class FpnFusion(Fusion):
    """A feature pyramid (FPN, arXiv:1612.03144) of each camera, read from coarse to fine.

    Words, the arm and learnt queries look at the level of stride 32, with what they found at 16,
    then at 8. Depth and perception's grid are added to the levels. Levels that the encoder gives
    no map of are made from the nearest: give it `levels: 3` for true fine maps.
    """

    Options = FpnOptions

    def __init__(
        self, options: FpnOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self._colors = [n for n in self.pictures() if modalities[n].kind == "color"]
        if not self._colors:
            raise ConfigError(
                "fusion 'fpn' makes pyramids of cameras' maps: expected a camera, found "
                f"{', '.join(modalities)}"
            )
        shapes = [modalities[name] for name in self._colors]
        self.pyramids = nn.ModuleList(
            Pyramid(s.map_strides, s.map_channels, width=width, strides=_STRIDES, wanted=_STRIDES)
            for s in shapes
        )
        self._added = [name for name in self.pictures() if name not in self._colors]
        self.adds = nn.ModuleList(
            nn.Linear(sum(modalities[name].map_channels), width) for name in self._added
        )
        self.place = nn.Linear(4, width)
        self.steps = nn.ParameterList(learnt(shape.steps, width) for shape in shapes)
        self.queries = learnt(options.queries, width)
        self.looks = nn.ModuleList(_looks(width, options) for _ in _STRIDES)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Mapping[str, Tensor]) -> Fused:
        del carried
        queries, present = with_readout(self.queries, *seen.joined(self.rows()))
        bias = hiding_bias(present)
        cameras = [self._levels(seen, row) for row in range(len(self._colors))]
        for stride, looks in zip(reversed(_STRIDES), self.looks, strict=True):
            tokens = torch.cat([levels[stride][0] for levels in cameras], dim=1)
            there = torch.cat([levels[stride][1] for levels in cameras], dim=1)
            queries = self._look(looks, queries, bias, tokens, hiding_bias(there))
        queries = self.norm(queries)
        count = self.options.queries
        summary = queries[:, :count].mean(dim=1)
        return Fused(summary=summary, tokens=queries, present=present)

    @staticmethod
    def _look(
        looks: nn.Module, queries: Tensor, bias: Tensor, tokens: Tensor, tokens_bias: Tensor
    ) -> Tensor:
        assert isinstance(looks, nn.ModuleList)
        for across, among in looks:  # pyright: ignore[reportGeneralTypeIssues]
            queries = among(across(queries, tokens, tokens_bias), None, bias)
        return queries

    def _levels(self, seen: Seen, row: int) -> dict[int, tuple[Tensor, Tensor]]:
        """Tokens f32 [b,steps·cells,d] of a camera by stride, and which are present."""
        name = self._colors[row]
        steps = self.modalities[name].steps
        there = seen.present[name].unflatten(1, (steps, -1)).any(dim=2)
        kept = there[:, :, None, None, None]
        maps = [torch.where(kept, each, 0.0).flatten(0, 1) for each in seen.maps[name]]
        found = {}
        for stride, level in self.pyramids[row](maps).items():
            x = level.unflatten(0, (-1, steps))
            x = x.flatten(3).transpose(2, 3) + self._beside(seen, name, x.shape[-2:])
            x = x + self.steps[row].unsqueeze(2)
            x = torch.where(kept[..., 0], x, 0.0).flatten(1, 2)
            found[stride] = (x, there.repeat_interleave(x.shape[1] // steps, dim=1))
        return found

    def _beside(self, seen: Seen, color: str, size: torch.Size) -> Tensor:
        """What is added to each cell of a level: its place, depth, perception's grid."""
        places = place_grid(*size, device=self.place.weight.device)
        total = self.place(places.flatten(2).transpose(1, 2))[:, None]
        camera = color.rpartition(".")[0]
        for name, add in zip(self._added, self.adds, strict=True):
            if name == f"{camera}.depth" or (name == "features" and color == self._colors[0]):
                total = total + self._added_map(seen, name, add, size)
        return total

    def _added_map(self, seen: Seen, name: str, add: nn.Module, size: torch.Size) -> Tensor:
        steps = self.modalities[name].steps
        there = seen.present[name].unflatten(1, (steps, -1)).any(dim=2)[:, :, None, None]
        cells = torch.cat([resample(each, *size) for each in seen.maps[name]], dim=2)
        return torch.where(there, add(cells.flatten(3).transpose(2, 3)), 0.0)


def _looks(width: int, options: FpnOptions) -> nn.ModuleList:
    return nn.ModuleList(
        nn.ModuleList([Block(width, options.heads), self_block(width, options.heads)])
        for _ in range(options.layers)
    )
