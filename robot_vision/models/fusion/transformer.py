"""All modalities as tokens of one transformer, with a token that reads them out."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robot_vision.core.params import Params, param
from robot_vision.models.fusion.fusion import FUSIONS, Fused, Fusion, ModalityShape, Seen
from robot_vision.models.layers.attention import hiding_bias, self_block


class TransformerOptions(Params):
    layers: int = param(3, "blocks of self-attention", ge=1, le=64)
    heads: int = param(4, "heads of the attention; they divide the width", ge=1, le=64)


@FUSIONS.register("transformer")
class TransformerFusion(Fusion):
    """Everything attends to everything that is present, as in Octo (arXiv:2405.12213).

    Type, place and age are embedded in the tokens already.
    """

    Options = TransformerOptions

    def __init__(
        self,
        options: TransformerOptions,
        *,
        width: int,
        modalities: Mapping[str, ModalityShape],
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.readout = nn.Parameter(0.02 * torch.randn(1, 1, width))
        self.blocks = nn.ModuleList(
            self_block(width, options.heads) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Mapping[str, Tensor]) -> Fused:
        del carried
        tokens, present = seen.joined()
        tokens = torch.cat([self.readout.expand(len(tokens), -1, -1), tokens], dim=1)
        present = torch.cat([torch.ones_like(present[:, :1]), present], dim=1)
        bias = hiding_bias(present)
        for block in self.blocks:
            tokens = block(tokens, None, bias)
        tokens = self.norm(tokens)
        return Fused(summary=tokens[:, 0], tokens=tokens, present=present)
