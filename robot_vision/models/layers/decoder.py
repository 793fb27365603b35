"""A transformer decoder: a row of queries attends to itself and to what was fused."""

import torch
from torch import Tensor, nn

from robot_vision.models.layers.attention import Block, hiding_bias, self_block


class Decoder(nn.Module):
    """`forward(queries [b,q,d], tokens [b,m,d], present bool [b,m])` → f32 [b,q,d], normed."""

    def __init__(self, width: int, *, heads: int, layers: int) -> None:
        super().__init__()
        self.among = nn.ModuleList(self_block(width, heads) for _ in range(layers))
        self.across = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(self, queries: Tensor, tokens: Tensor, present: Tensor) -> Tensor:
        bias = hiding_bias(present)
        tokens = torch.where(present.unsqueeze(-1), tokens, 0.0)
        for among, across in zip(self.among, self.across, strict=True):
            queries = across(among(queries, None, None), tokens, bias)
        return self.norm(queries)
