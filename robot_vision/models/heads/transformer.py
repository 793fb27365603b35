"""One query per step of the chunk, which attends to all fused tokens."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLossOptions
from robot_vision.models.heads.direct import DirectHead
from robot_vision.models.heads.head import HEADS
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Decoder


class TransformerHeadOptions(AttentionOptions, ActionLossOptions):
    """Options of the decoder and of its loss."""


class StepDecoder(DirectHead):
    """Base of heads with one query per step: the decoder of ACT (arXiv:2304.13705)."""

    Options = TransformerHeadOptions

    def __init__(
        self, options: TransformerHeadOptions, *, width: int, horizon: int, actions: int
    ) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.steps = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.decoder = Decoder(width, heads=options.heads, layers=options.layers)
        self.last = nn.Linear(width, actions)

    def decoded(self, fused: Fused, known: Float[Tensor, "b d"]) -> Float[Tensor, "b t a"]:
        """The chunk; `known` is added to each query."""
        queries = self.steps + known[:, None]
        return self.last(self.decoder(queries, fused.tokens, fused.present))


@HEADS.register("transformer")
class TransformerHead(StepDecoder):
    """ACT's decoder without its latent."""

    def out(self, fused: Fused) -> Float[Tensor, "b t a"]:
        return self.decoded(fused, fused.summary)
