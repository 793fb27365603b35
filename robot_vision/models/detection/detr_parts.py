"""The transformer of DETR (Carion et al., arXiv:2005.12872): norms after, positions at each layer.

Positions are added to what queries and keys are made of, never to values.
"""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TEMPERATURE = 10_000.0


class Attention(nn.Module):
    """Multi-head attention whose queries, keys and values come from different tensors."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key = nn.Linear(width, width), nn.Linear(width, width)
        self.value, self.out = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        found = F.scaled_dot_product_attention(
            self._split(self.query(query)),
            self._split(self.key(key)),
            self._split(self.value(value)),
        )
        return self.out(found.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)


class Feed(nn.Module):
    """Two linear layers with ReLU between them."""

    def __init__(self, width: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.widen, self.narrow = nn.Linear(width, inner), nn.Linear(inner, width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        return self.dropout(self.narrow(F.relu(self.widen(x))))


class EncoderLayer(nn.Module):
    """Cells of a map look at each other."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(width, heads), nn.LayerNorm(width)
        self.feed, self.feed_norm = Feed(width, inner, dropout), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, cells: Tensor, place: Tensor) -> Tensor:
        seen = self.attention(cells + place, cells + place, cells)
        cells = self.attention_norm(cells + self.dropout(seen))
        return self.feed_norm(cells + self.feed(cells))


class DecoderLayer(nn.Module):
    """Objects that are sought look at each other, then at the cells."""

    def __init__(self, width: int, heads: int, inner: int, dropout: float) -> None:
        super().__init__()
        self.attention, self.attention_norm = Attention(width, heads), nn.LayerNorm(width)
        self.cross, self.cross_norm = Attention(width, heads), nn.LayerNorm(width)
        self.feed, self.feed_norm = Feed(width, inner, dropout), nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(self, sought: Tensor, query: Tensor, cells: Tensor, place: Tensor) -> Tensor:
        seen = self.attention(sought + query, sought + query, sought)
        sought = self.attention_norm(sought + self.dropout(seen))
        seen = self.cross(sought + query, cells + place, cells)
        sought = self.cross_norm(sought + self.dropout(seen))
        return self.feed_norm(sought + self.feed(sought))


class Perceptron(nn.Module):
    """Linear layers with ReLU between them."""

    def __init__(self, width: int, outputs: int, depth: int) -> None:
        super().__init__()
        widths = [width] * depth + [outputs]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        *inner, last = self.layers
        for layer in inner:
            x = F.relu(layer(x))
        return last(x)


def sine_positions(rows: int, columns: int, width: int, *, device: torch.device) -> Tensor:
    """Where each cell lies, row by row: f32 [1, rows·columns, width].

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


def _waves(count: int, period: Tensor) -> Tensor:
    """Sine of even numbers, cosine of odd ones: [count, len(period)]."""
    along = torch.arange(1, count + 1, dtype=torch.float32, device=period.device)
    angle = (along / (count + 1e-6) * 2 * math.pi)[:, None] / period
    return torch.stack([angle[:, 0::2].sin(), angle[:, 1::2].cos()], dim=2).flatten(1)
