"""Memory of the last moments: an LSTM over a bounded window."""

from collections.abc import Mapping

import torch
from torch import nn

from robot_vision.core.parameters.params import param
from robot_vision.models.fusion.fusion import (
    FUSIONS,
    Carried,
    Fused,
    Fusion,
    ModalityShape,
    Seen,
    learnt,
)
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Decoder
from robot_vision.models.layers.recurrent import MaskedLstm


class MemoryOptions(AttentionOptions):
    moments: int = param(8, "remembered moments, including the present one", ge=1, le=256)
    queries: int = param(8, "tokens that a moment is condensed to", ge=1, le=64)


@FUSIONS.register("memory")
class MemoryFusion(Fusion):
    """Each moment is condensed to a summary; the summaries of the last moments are carried.

    An LSTM runs over this window afresh at each moment (as in BC-RNN, arXiv:2108.03298), so
    nothing older than the window has any influence. The last number of a carried row is 1 where
    there was a moment: zeros mean no memory.
    """

    Options = MemoryOptions

    def __init__(
        self, options: MemoryOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.queries = learnt(options.queries, width)
        self.read = Decoder(width, heads=options.heads, layers=options.layers)
        self.summary = nn.LayerNorm(width)
        self.lstm = MaskedLstm(width)
        self.norm = nn.LayerNorm(width)

    @property
    def carried_shapes(self) -> dict[str, tuple[int, ...]]:
        return {"memory": (self.options.moments, self.width + 1)}

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        tokens, present = seen.joined()
        read = self.read(self.queries.expand(len(tokens), -1, -1), tokens, present)
        now = self.summary(read.mean(dim=1))
        row = torch.cat([now, torch.ones_like(now[:, :1])], dim=1)
        memory = torch.cat([carried["memory"][:, 1:], row[:, None]], dim=1)
        there = memory[..., -1] > 0.5
        last, states = self.lstm(memory[..., :-1], there)
        always = torch.ones_like(read[..., 0], dtype=torch.bool)
        return Fused(
            summary=self.norm(now + last),
            tokens=torch.cat([read, states], dim=1),
            present=torch.cat([always, there], dim=1),
            carried={"memory": memory},
        )
