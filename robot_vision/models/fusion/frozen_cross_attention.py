"""The small fusion: words through an LSTM attend to the maps of a frozen backbone."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

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
    perceptron,
)
from robot_vision.models.layers.language import mean_of_present
from robot_vision.models.layers.recurrent import MaskedLstm


class FrozenOptions(AttentionOptions):
    layers: int = param(1, "attention layers over the pictures", ge=1, le=64)


@FUSIONS.register("frozen_cross_attention")
class FrozenCrossAttention(Fusion):
    """Made for `freeze_encoder`: few parameters are learnt, so little data suffices.

    The instruction, encoded by an LSTM, and the arm attend to the pictures; pictures attend to
    nothing.
    """

    Options = FrozenOptions

    def __init__(
        self, options: FrozenOptions, *, width: int, modalities: Mapping[str, ModalityShape]
    ) -> None:
        super().__init__(options, width=width, modalities=modalities)
        self.readout, self.nothing = learnt(1, width), learnt(1, width)
        self._words = [name for name in self.rows() if modalities[name].kind == "words"]
        self._others = [name for name in self.rows() if name not in self._words]
        self.lstm = MaskedLstm(width) if self._words else None
        self.looks = nn.ModuleList(Block(width, options.heads) for _ in range(options.layers))
        self.join = perceptron(3 * width, 2 * width, width)
        self.norm = nn.LayerNorm(width)

    def forward(self, seen: Seen, carried: Carried) -> Fused:
        del carried
        instruction = self._instruction(seen)
        others, others_there = seen.joined(self._others)
        queries, present = with_readout(self.readout, others, others_there)
        queries = queries + instruction[:, None]
        view, view_there = with_readout(self.nothing, *seen.joined(self.pictures()))
        bias = hiding_bias(view_there)
        for look in self.looks:
            queries = look(queries, view, bias)
        arm = mean_of_present(others, others_there)
        summary = self.join(torch.cat([queries[:, 0], instruction, arm], dim=1))
        return Fused(summary=self.norm(summary), tokens=self.norm(queries), present=present)

    def _instruction(self, seen: Seen) -> Float[Tensor, "b d"]:
        """The encoded instruction; zero without words."""
        if self.lstm is None:
            return torch.zeros_like(seen.joined()[0][:, 0])
        return self.lstm(*seen.joined(self._words))[0]
