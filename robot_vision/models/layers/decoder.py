"""Rows of queries that read out tokens: one look, or a whole transformer decoder."""

import torch
from torch import Tensor, nn

from robot_vision.models.layers.attention import Block, hiding_bias, self_block


class Decoder(nn.Module):
    """`forward(queries [b,q,d], tokens [b,m,d], present bool [b,m])` → f32 [b,q,d], normed.

    Queries attend to themselves and to what is present (arXiv:1706.03762).
    """

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


class Pool(nn.Module):
    """`forward(tokens [b,m,d], present bool [b,m])` → f32 [b,queries,d]; zero without any.

    Pooling by learnt queries (Set Transformer, arXiv:1810.00825): unlike a mean, it can say where.
    """

    def __init__(self, width: int, *, heads: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.02 * torch.randn(1, queries, width))
        self.block = Block(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        queries = self.queries.expand(len(tokens), -1, -1)
        found = self.norm(self.block(queries, tokens, hiding_bias(present)))
        return torch.where(present.any(dim=1)[:, None, None], found, 0.0)
