"""Coarse, medium, fine: queries attend to successively finer maps of a pyramid."""

from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import (
    FUSIONS,
    Carried,
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
    layers: int = param(1, "attention layers per level", ge=1, le=16)
    queries: int = param(4, "query tokens, besides words and the arm", ge=1, le=64)


@FUSIONS.register("fpn")
class FpnFusion(Fusion):
    """A feature pyramid (FPN, arXiv:1612.03144) of each camera, read from coarse to fine.

    Words, the arm and learnt queries attend to the level of stride 32, then with the result to 16,
    then to 8. Tokens of color, depth and perception's grid are added to each level. Levels for
    which the encoder has no map are resampled from the nearest: `levels: 3` gives real fine ones.
    """

    Options = FpnOptions

    def __init__(
        self, options: FpnOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self._cameras = {c: names for c, names in self.cameras().items() if c}
        if not self._cameras:
            raise ConfigError(
                "fusion 'fpn' makes pyramids of cameras' maps: expected a camera, found "
                f"{', '.join(modalities)}"
            )
        shapes = [modalities[f"{camera}.color"] for camera in self._cameras]
        self.pyramids = nn.ModuleList(
            Pyramid(s.map_strides, s.map_channels, width=width, strides=_STRIDES, wanted=_STRIDES)
            for s in shapes
        )
        self.place = nn.Linear(4, width)
        self.queries = learnt(options.queries, width)
        self.looks = nn.ModuleList(_looks(width, options) for _ in _STRIDES)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        queries, present = with_readout(self.queries, *seen.joined(self.rows()))
        bias = hiding_bias(present)
        pairs = zip(self._cameras, self.pyramids, strict=True)
        cameras = [self._levels(seen, camera, pyramid) for camera, pyramid in pairs]
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
        looks: nn.Module,
        queries: Float[Tensor, "b q d"],
        bias: Float[Tensor, "b 1 1 q"],
        tokens: Float[Tensor, "b n d"],
        tokens_bias: Float[Tensor, "b 1 1 n"],
    ) -> Float[Tensor, "b q d"]:
        assert isinstance(looks, nn.ModuleList)
        for look in looks:
            assert isinstance(look, nn.ModuleList)
            across, among = look
            queries = among(across(queries, tokens, tokens_bias), None, bias)
        return queries

    def _levels(
        self, seen: Seen, camera: str, pyramid: nn.Module
    ) -> dict[int, tuple[Float[Tensor, "b _n d"], Bool[Tensor, "b _n"]]]:
        """Tokens of all steps of a camera by stride, and which are present."""
        name = f"{camera}.color"
        there = self.steps_present(seen, name)
        for other in self._cameras[camera]:
            there = there | self.steps_present(seen, other)
        kept = self.steps_present(seen, name)[:, :, None, None, None]
        maps = [torch.where(kept, each, 0.0).flatten(0, 1) for each in seen.maps[name]]
        found = {}
        for stride, level in pyramid(maps).items():
            x = torch.where(kept, level.unflatten(0, there.shape), 0.0)
            x = (x + self._beside(seen, camera, x.shape[3:])).flatten(3).transpose(2, 3)
            found[stride] = (x.flatten(1, 2), there.repeat_interleave(x.shape[2], dim=1))
        return found

    def _beside(
        self, seen: Seen, camera: str, size: torch.Size
    ) -> Float[Tensor, "b _steps d _h _w"]:
        """Added to a level: positions, and tokens of color, depth and perception's grid."""
        places = place_grid(*size, device=self.place.weight.device)
        total = self.place(places.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)[:, None]
        for name in self._cameras[camera]:
            total = total + resample(self.grid(seen, name), *size)
        return total


def _looks(width: int, options: FpnOptions) -> nn.ModuleList:
    return nn.ModuleList(
        nn.ModuleList([Block(width, options.heads), self_block(width, options.heads)])
        for _ in range(options.layers)
    )
