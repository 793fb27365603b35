"""Each modality is pooled on its own; they are joined at the end."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.fusion.fusion import FUSIONS, Carried, Fused, Fusion, ModalityShape, Seen
from robot_vision.models.layers.attention import perceptron
from robot_vision.models.layers.decoder import Pool


class LateOptions(Params):
    queries: int = param(4, "vectors that each modality is pooled to", ge=1, le=64)
    heads: int = param(4, "attention heads; they divide the width", ge=1, le=64)


@FUSIONS.register("late")
class LateFusion(Fusion):
    """Late fusion (arXiv:1705.09406): words do not guide where in a picture to look.

    Pooled vectors, zero where a modality is absent, are concatenated and go through an MLP.
    """

    Options = LateOptions

    def __init__(
        self, options: LateOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.pools = nn.ModuleList(
            Pool(width, heads=options.heads, queries=options.queries) for _ in modalities
        )
        self.join = perceptron(len(modalities) * options.queries * width, 2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        pooled, present = list[Tensor](), list[Tensor]()
        for name, pool in zip(self.modalities, self.pools, strict=True):
            tokens, there = seen.joined([name])
            pooled.append(pool(tokens, there))
            present.append(there.any(dim=1, keepdim=True).expand(-1, self.options.queries))
        tokens = torch.cat(pooled, dim=1)
        summary = self.norm(self.join(tokens.flatten(1)))
        return Fused(summary=summary, tokens=tokens, present=torch.cat(present, dim=1))
