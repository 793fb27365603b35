"""Queries that read out tokens: a transformer decoder, or a single attention block."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.models.layers.attention import Block, hiding_bias, self_block


class Decoder(nn.Module):
    """Queries attend to each other and to the tokens that are present (arXiv:1706.03762).

    Returns normalised queries.
    """

    def __init__(self, width: int, *, heads: int, layers: int) -> None:
        super().__init__()
        self.among = nn.ModuleList(self_block(width, heads) for _ in range(layers))
        self.across = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)

    def forward(
        self,
        queries: Float[Tensor, "b q d"],
        tokens: Float[Tensor, "b m d"],
        present: Bool[Tensor, "b m"],
    ) -> Float[Tensor, "b q d"]:
        bias = hiding_bias(present)
        tokens = torch.where(present.unsqueeze(-1), tokens, 0.0)
        for among, across in zip(self.among, self.across, strict=True):
            queries = across(among(queries, None, None), tokens, bias)
        return self.norm(queries)


class Pool(nn.Module):
    """Pools tokens with learnt queries (Set Transformer, arXiv:1810.00825).

    Unlike a mean it can encode where something is. Zero where no token is present.
    """

    def __init__(self, width: int, *, heads: int, queries: int) -> None:
        super().__init__()
        self.queries = nn.Parameter(0.02 * torch.randn(1, queries, width))
        self.block = Block(width, heads)
        self.norm = nn.LayerNorm(width)

    def forward(
        self, tokens: Float[Tensor, "b m d"], present: Bool[Tensor, "b m"]
    ) -> Float[Tensor, "b q d"]:
        queries = self.queries.expand(len(tokens), -1, -1)
        found = self.norm(self.block(queries, tokens, hiding_bias(present)))
        return torch.where(present.any(dim=1)[:, None, None], found, 0.0)
