"""Resamples a map to any grid by area."""

import torch
from jaxtyping import Float
from torch import Tensor


def resample(
    maps: Float[Tensor, "*batch h w"], rows: int, columns: int
) -> Float[Tensor, "*batch {rows} {columns}"]:
    """The mean of the map over the area of each new cell.

    Like adaptive pooling, but exact where one size does not divide the other, and written as two
    matrix products, which every runtime has.
    """
    height, width = maps.shape[-2:]
    if (height, width) == (rows, columns):
        return maps
    down = area_weights(height, rows, like=maps)
    across = area_weights(width, columns, like=maps)
    return down @ maps @ across.T


def area_weights(
    count: int, wanted: int, *, like: Float[Tensor, "..."]
) -> Float[Tensor, "{wanted} {count}"]:
    """How much each of `count` cells along a side contributes to each of `wanted` cells."""
    edges = torch.arange(wanted + 1, device=like.device) * (count / wanted)
    cells = torch.arange(count, device=like.device)
    last = torch.minimum(edges[1:, None], cells + 1.0)
    overlap = (last - torch.maximum(edges[:-1, None], cells + 0.0)).clamp(min=0)
    return (overlap * (wanted / count)).to(like.dtype)
