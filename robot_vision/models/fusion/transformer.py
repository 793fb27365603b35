"""All modalities as tokens of one transformer, with a readout token."""

from collections.abc import Mapping

from torch import nn

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
from robot_vision.models.layers.attention import AttentionOptions, hiding_bias, self_block


@FUSIONS.register("transformer")
class TransformerFusion(Fusion):
    """All tokens attend to all tokens that are present, as in Octo (arXiv:2405.12213).

    Tokens already encode type, position and age.
    """

    Options = AttentionOptions

    def __init__(
        self, options: AttentionOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.readout = learnt(1, width)
        self.blocks = nn.ModuleList(
            self_block(width, options.heads) for _ in range(options.layers)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        tokens, present = with_readout(self.readout, *seen.joined())
        bias = hiding_bias(present)
        for block in self.blocks:
            tokens = block(tokens, None, bias)
        tokens = self.norm(tokens)
        return Fused(summary=tokens[:, 0], tokens=tokens, present=present)
