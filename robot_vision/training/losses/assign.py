"""Assigns objects to cells: task-aligned assignment (TOOD, arXiv:2108.07755)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robot_vision.models.multitask.native import STRIDES, cell_centers_px

CANDIDATES = 10
SCORE_POWER = 0.5
IOU_POWER = 4.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Assignment:
    """Per cell: the row of its object (−1 for none) and the target quality of its score."""

    object_row: Int[Tensor, "b a"]
    quality: Float[Tensor, "b a"]

    @property
    def positive(self) -> Bool[Tensor, "b a"]:
        return self.object_row >= 0


def all_cells(
    height_px: int, width_px: int, *, device: torch.device | None = None
) -> tuple[Float[Tensor, "a 2"], Float[Tensor, " a"]]:
    """Centres and strides of the cells of all levels, in the order of the model."""
    centers, strides = [], []
    for stride in STRIDES:
        level = cell_centers_px(height_px // stride, width_px // stride, stride, device=device)
        centers.append(level)
        strides.append(torch.full((len(level),), float(stride), device=device))
    return torch.cat(centers), torch.cat(strides)


@torch.no_grad()
def assign(
    *,
    scores: Float[Tensor, "b a c"],
    boxes_xyxy: Float[Tensor, "b a 4"],
    object_boxes: Float[Tensor, "b m 4"],
    object_classes: Int[Tensor, "b m"],
    centers: Float[Tensor, "a 2"],
    strides: Float[Tensor, " a"],
) -> Assignment:
    """Give each object the cells within it whose score and box fit best.

    `scores` and `boxes_xyxy` are predictions, `object_boxes` and `object_classes` (−1 is padding)
    the truth. A cell wanted by several objects goes to the one that it overlaps most. The quality
    is the alignment, scaled to the object's best overlap.
    """
    real = object_classes >= 0
    overlap = pairwise_iou(object_boxes, boxes_xyxy).clamp(min=0)
    rows = object_classes.clamp(min=0)[:, None, :].expand(-1, scores.shape[1], -1)
    class_score = scores.gather(2, rows).transpose(1, 2)
    alignment = class_score.pow(SCORE_POWER) * overlap.pow(IOU_POWER)
    within = _cells_within(object_boxes, centers, strides) & real[..., None]
    alignment = (alignment + 1e-12) * within
    chosen = _best(alignment) & within
    overlap_of_chosen = torch.where(chosen, overlap + 1e-9, 0.0)
    best, object_row = overlap_of_chosen.max(dim=1)
    chosen &= torch.zeros_like(chosen).scatter_(1, object_row[:, None], True)
    alignment = alignment * chosen
    peak = alignment.amax(dim=2, keepdim=True)
    peak_overlap = (overlap * chosen).amax(dim=2, keepdim=True)
    quality = (alignment / peak.clamp(min=1e-12) * peak_overlap).amax(dim=1)
    object_row = torch.where(best > 0, object_row, -1)
    return Assignment(object_row=object_row, quality=quality)


def pairwise_iou(a: Float[Tensor, "b n 4"], b: Float[Tensor, "b m 4"]) -> Float[Tensor, "b n m"]:
    """Intersection over union of each box with each."""
    low = torch.maximum(a[:, :, None, :2], b[:, None, :, :2])
    high = torch.minimum(a[:, :, None, 2:], b[:, None, :, 2:])
    intersection = (high - low).clamp(min=0).prod(dim=3)
    union = _area(a)[:, :, None] + _area(b)[:, None] - intersection
    return intersection / union.clamp(min=1e-9)


def _area(boxes: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch"]:
    return (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1)


def _cells_within(
    boxes: Float[Tensor, "b m 4"], centers: Float[Tensor, "a 2"], strides: Float[Tensor, " a"]
) -> Bool[Tensor, "b m a"]:
    """Cells whose centre lies in the box, widened to one cell so that no object has none."""
    middle = (boxes[..., :2] + boxes[..., 2:]) / 2
    half = (boxes[..., 2:] - boxes[..., :2]) / 2
    reach = torch.maximum(half[:, :, None], strides[:, None] / 2)
    return ((centers - middle[:, :, None]).abs() < reach).all(dim=3)


def _best(alignment: Float[Tensor, "b m a"]) -> Bool[Tensor, "b m a"]:
    rows = alignment.topk(min(CANDIDATES, alignment.shape[2]), dim=2).indices
    return torch.zeros_like(alignment, dtype=torch.bool).scatter_(2, rows, True)
