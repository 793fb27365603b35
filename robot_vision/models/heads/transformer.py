"""A query for each step of the chunk, which looks at all tokens that were fused."""

import torch
from torch import Tensor, nn

from robot_vision.models.fusion.fusion import Fused
from robot_vision.models.heads.action_loss import ActionLossOptions
from robot_vision.models.heads.direct import DirectHead
from robot_vision.models.heads.head import HEADS
from robot_vision.models.layers.attention import AttentionOptions
from robot_vision.models.layers.decoder import Decoder


class TransformerHeadOptions(AttentionOptions, ActionLossOptions):
    """Of the decoder, and of its loss."""


@HEADS.register("transformer")
class TransformerHead(DirectHead):
    """The decoder of ACT (arXiv:2304.13705), without its latent."""

    Options = TransformerHeadOptions

    def __init__(
        self, options: TransformerHeadOptions, *, width: int, horizon: int, actions: int
    ) -> None:
        super().__init__(options, width=width, horizon=horizon, actions=actions)
        self.steps = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.decoder = Decoder(width, heads=options.heads, layers=options.layers)
        self.last = nn.Linear(width, actions)

    def out(self, fused: Fused) -> Tensor:
        queries = self.steps + fused.summary[:, None]
        return self.last(self.decoder(queries, fused.tokens, fused.present))
