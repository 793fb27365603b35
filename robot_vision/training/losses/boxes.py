"""Overlap of boxes in torch, by broadcasting; boxes are corners [...,4] in any common unit."""

import torch
from jaxtyping import Float
from torch import Tensor

_LEAST_AREA = 1e-9


def box_iou(
    a: Float[Tensor, "*#batch 4"], b: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*batch"]:
    """Intersection over union; 0 for boxes without an area."""
    intersection, union = _intersection_and_union(a, b)
    return intersection / union.clamp(min=_LEAST_AREA)


def generalized_iou(
    a: Float[Tensor, "*#batch 4"], b: Float[Tensor, "*#batch 4"]
) -> Float[Tensor, "*batch"]:
    """GIoU (arXiv:1902.09630): from −1, far apart, to 1, the same."""
    intersection, union = _intersection_and_union(a, b)
    low, high = torch.minimum(a[..., :2], b[..., :2]), torch.maximum(a[..., 2:], b[..., 2:])
    hull = (high - low).clamp(min=0).prod(dim=-1)
    iou = intersection / union.clamp(min=_LEAST_AREA)
    return iou - (hull - union) / hull.clamp(min=_LEAST_AREA)


def corners(box: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Corners of boxes given as centre and size."""
    half = box[..., 2:] / 2
    return torch.cat([box[..., :2] - half, box[..., :2] + half], dim=-1)


def centre_and_size(box_xyxy: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 4"]:
    """Centre and size of boxes given as corners."""
    low, high = box_xyxy[..., :2], box_xyxy[..., 2:]
    return torch.cat([(low + high) / 2, high - low], dim=-1)


def _intersection_and_union(
    a: Float[Tensor, "*#batch 4"], b: Float[Tensor, "*#batch 4"]
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    low, high = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    intersection = (high - low).clamp(min=0).prod(dim=-1)
    area_a, area_b = ((box[..., 2:] - box[..., :2]).clamp(min=0).prod(-1) for box in (a, b))
    return intersection, area_a + area_b - intersection
