"""Losses of proposals and phrases from boxes with colours and names."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.losses.assign import all_cells, assign, pairwise_iou
from robot_vision.training.losses.native import (
    NEGATIVE_POWER,
    NEGATIVE_WEIGHT,
    box_loss,
    class_loss,
)

_SAME, _OTHER = (
    0.5,
    0.4,
)  # overlaps above which a region matches an object, and below which it does not
_JITTER = 0.08


class GroundingLossWeights(Params):
    """Weights of the parts."""

    things: float = param(1.0, "whether there is any object", ge=0)
    boxes: float = param(2.0, "overlap of proposals", ge=0)
    phrases: float = param(2.0, "which region a phrase names", ge=0)
    space: float = param(1.0, "the same by distance in the word space alone", ge=0)


def proposal_losses(
    logits: Float[Tensor, "b a"], boxes_xyxy: Float[Tensor, "b a 4"], batch: Batch
) -> dict[str, Float[Tensor, ""]]:
    """`things` and `boxes` of the proposals of all cells, regardless of class."""
    height_px, width_px = batch.rgb.shape[1:3]
    centers, strides = all_cells(height_px, width_px, device=logits.device)
    is_thing = torch.where(batch.class_id >= 0, 0, -1)
    assignment = assign(
        scores=logits.sigmoid()[..., None],
        boxes_xyxy=boxes_xyxy,
        object_boxes=batch.boxes_xyxy,
        object_classes=is_thing,
        centers=centers,
        strides=strides,
    )
    return {
        "things": class_loss(logits[..., None], is_thing, assignment),
        "boxes": box_loss(boxes_xyxy, batch.boxes_xyxy, assignment),
    }


@torch.no_grad()
def taught_regions(proposed_xyxy: Float[Tensor, "b _r 4"], batch: Batch) -> Float[Tensor, "b r 4"]:
    """Proposals [b,r,4] followed by jittered true boxes, so that words have regions to learn
    from before proposals are accurate."""
    size = (batch.boxes_xyxy[..., 2:] - batch.boxes_xyxy[..., :2]).repeat(1, 1, 2)
    jittered = batch.boxes_xyxy + _JITTER * size * torch.randn_like(size)
    return torch.cat([proposed_xyxy.detach(), jittered], dim=1)


def phrase_loss(
    logits: Float[Tensor, "b r p"],
    regions_xyxy: Float[Tensor, "b r 4"],
    batch: Batch,
    is_named: Bool[Tensor, "b p m"],
) -> Float[Tensor, ""]:
    """Varifocal loss: the score of a region that a phrase names is its overlap.

    `is_named` says which things a phrase names. Regions half on a thing are left out.
    """
    overlap = pairwise_iou(regions_xyxy, batch.boxes_xyxy) * (batch.class_id >= 0)[:, None]
    best, row = overlap.max(dim=2)
    of_row = row[:, None, :].expand(-1, is_named.shape[1], -1)
    named = is_named.gather(2, of_row).transpose(1, 2) & (best >= _SAME)[..., None]
    target = named * best[..., None]
    unsure = ((best > _OTHER) & (best < _SAME))[..., None]
    doubt = NEGATIVE_WEIGHT * logits.detach().sigmoid().pow(NEGATIVE_POWER)
    weight = torch.where(named, target, doubt) * ~unsure
    loss = F.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    return loss / target.sum().clamp(min=1.0)
