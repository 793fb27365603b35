"""Words and the arm attend to pictures, and pictures attend back: the plain VLA."""

from collections.abc import Mapping

import torch
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
from robot_vision.models.layers.attention import AttentionOptions, Block, hiding_bias, self_block


@FUSIONS.register("cross_modal")
class CrossModalFusion(Fusion):
    """Bidirectional cross-attention, as in ViLBERT (arXiv:1908.02265) between words and regions.

    The arm's state and tracks are on the side of the words.
    """

    Options = AttentionOptions

    def __init__(
        self, options: AttentionOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.readout, self.nothing = learnt(1, width), learnt(1, width)
        heads, layers = options.heads, range(options.layers)
        self.to_pictures = nn.ModuleList(Block(width, heads) for _ in layers)
        self.among = nn.ModuleList(self_block(width, heads) for _ in layers)
        self.to_words = nn.ModuleList(Block(width, heads) for _ in layers)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        words, words_there = with_readout(self.readout, *seen.joined(self.rows()))
        view, view_there = with_readout(self.nothing, *seen.joined(self.pictures()))
        words_bias, view_bias = hiding_bias(words_there), hiding_bias(view_there)
        for back, out, among in zip(self.to_words, self.to_pictures, self.among, strict=True):
            view = back(view, words, words_bias)
            words = among(out(words, view, view_bias), None, words_bias)
        tokens = self.norm(torch.cat([words, view], dim=1))
        present = torch.cat([words_there, view_there], dim=1)
        return Fused(summary=tokens[:, 0], tokens=tokens, present=present)
