"""The transformer of DETR (Carion et al., arXiv:2005.12872): post-norm, positions in each layer.

Positions are added to the inputs of queries and keys, never to those of values.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

_TEMPERATURE = 10_000.0


class Attention(nn.Module):
    """Multi-head attention whose queries, keys and values come from different tensors."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(
        self,
        query: Float[Tensor, "b q d"],
        key: Float[Tensor, "b k d"],
        value: Float[Tensor, "b k d"],
    ) -> Float[Tensor, "b q d"]:
        found = F.scaled_dot_product_attention(
            self._split(self.query(query)),
            self._split(self.key(key)),
            self._split(self.value(value)),
        )
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, x: Float[Tensor, "b n _d"]) -> Float[Tensor, "b heads n _d"]:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Feed(nn.Module):
    """Two linear layers with a ReLU between them."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        return self.dropout(self.narrow(F.relu(self.widen(x))))


class EncoderLayer(nn.Module):
    """Self-attention among the cells of a map."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(width, heads), nn.LayerNorm(width)
        self.feed, self.feed_norm = Feed(width, inner, dropout), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, cells: Float[Tensor, "b cells d"], place: Float[Tensor, "1 cells _d"]
    ) -> Float[Tensor, "b cells d"]:
        seen = self.attention(cells + place, cells + place, cells)
        cells = self.attention_norm(cells + self.dropout(seen))
        return self.feed_norm(cells + self.feed(cells))


class DecoderLayer(nn.Module):
    """Object queries attend to each other, then to the cells."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(width, heads), nn.LayerNorm(width)
        self.cross, self.cross_norm = Attention(width, heads), nn.LayerNorm(width)
        self.feed, self.feed_norm = Feed(width, inner, dropout), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self,
        sought: Float[Tensor, "b q d"],
        query: Float[Tensor, "b q d"],
        cells: Float[Tensor, "b cells d"],
        place: Float[Tensor, "1 cells _d"],
    ) -> Float[Tensor, "b q d"]:
        seen = self.attention(sought + query, sought + query, sought)
        sought = self.attention_norm(sought + self.dropout(seen))
        seen = self.cross(sought + query, cells + place, cells)
        sought = self.cross_norm(sought + self.dropout(seen))
        return self.feed_norm(sought + self.feed(sought))


class Perceptron(nn.Module):
    """Linear layers with ReLUs between them."""

    def __init__(self, width: int, outputs: int, depth: int) -> None:
        super().__init__()
        widths = [width] * depth + [outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Float[Tensor, "b q d"]) -> Float[Tensor, "b q _outputs"]:
        *inner, last = self.layers
        for layer in inner:
            x = F.relu(layer(x))
        return last(x)


def sine_positions(
    rows: int, columns: int, width: int, *, device: torch.device
) -> Float[Tensor, "1 cells d"]:
    """Positions of cells, row by row.

    Sines and cosines of y, then of x, both counted from 1 and scaled to 2π at the last cell.
    """
    half = width // 2
    number = torch.arange(half, device=device) // 2
    period = _TEMPERATURE ** (2 * number.float() / half)
    down, across = (_waves(count, period) for count in (rows, columns))
    place = torch.cat(
        [down[:, None].expand(-1, columns, -1), across[None].expand(rows, -1, -1)], dim=2
    )
    return place.flatten(0, 1).unsqueeze(0)


def _waves(count: int, period: Float[Tensor, " d"]) -> Float[Tensor, "{count} d"]:
    """Sines at even places, cosines at odd ones."""
    along = torch.arange(1, count + 1, dtype=torch.float32, device=period.device)
    angle = (along / (count + 1e-6) * 2 * math.pi)[:, None] / period
    return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)
