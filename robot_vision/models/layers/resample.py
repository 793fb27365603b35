"""A map resampled to any grid by area: what a cell covers, weighted by how much of it."""

import torch
from torch import Tensor


def resample(maps: Tensor, rows: int, columns: int) -> Tensor:
    """`maps` f32 [..., h, w] → [..., rows, columns], the mean over the area of each new cell.

    As adaptive pooling, but exact where sides are no multiples of each other, and as two products
    of matrices, which every runtime has.
    """
    height, width = maps.shape[-2:]
    if (height, width) == (rows, columns):
        return maps
    down = area_weights(height, rows, like=maps)
    across = area_weights(width, columns, like=maps)
    return down @ maps @ across.T


def area_weights(count: int, wanted: int, *, like: Tensor) -> Tensor:
    """How much each of `count` cells of a side adds to each of `wanted` ones: [wanted, count]."""
    edges = torch.arange(wanted + 1, device=like.device) * (count / wanted)
    cells = torch.arange(count, device=like.device)
    last = torch.minimum(edges[1:, None], cells + 1.0)
    overlap = (last - torch.maximum(edges[:-1, None], cells + 0.0)).clamp(min=0)
    return (overlap * (wanted / count)).to(like.dtype)
