"""Slots against true masks: one per object and one for the background (Hungarian)."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from scipy.optimize import linear_sum_assignment
from torch import Tensor

_EPSILON = 1e-6


def true_segments(
    instances: UInt8[Tensor, "b n"], most: int
) -> tuple[Float[Tensor, "b {most} n"], Int64[Tensor, "b {most}"]]:
    """Masks f32 [b,most,n] of instances u8 [b,n]: the background, then objects by size.

    Also each mask's instance, i64 [b,most], 256 if there are fewer: that mask is
    empty. Objects beyond `most` are in none.
    """
    counts = torch.stack([torch.bincount(row.long(), minlength=256) for row in instances])
    counts[:, 0] = instances[0].numel() + 1  # the background first
    size, ids = counts.topk(most, dim=1)
    ids = torch.where(size > 0, ids, 256)
    return (instances[:, None].long() == ids[..., None]).float(), ids


def matched(
    masks: Float[Tensor, "b slots n"], segments: Float[Tensor, "b m n"]
) -> Int64[Tensor, "b m"]:
    """For each segment its matched slot, i64 [b,j], −1 for empty segments.

    By the Dice of the two, as DETR's descendants match masks (arXiv:2005.12872).
    """
    cost = 1 - _dice(masks.detach(), segments)
    chosen = torch.full(segments.shape[:2], -1, dtype=torch.long)
    for row, (present, costs) in enumerate(
        zip(segments.any(dim=2).cpu(), cost.transpose(1, 2).cpu(), strict=True)
    ):
        _, slots = linear_sum_assignment(costs[present].numpy())
        chosen[row, present] = torch.from_numpy(slots)
    return chosen.to(masks.device)


def slot_mask_losses(
    masks: Float[Tensor, "b slots n"],
    segments: Float[Tensor, "b m n"],
    chosen: Int64[Tensor, "b m"],
) -> dict[str, Float[Tensor, ""]]:
    """Mean log loss of the pixels of each segment, and 1 − Dice, over all segments.

    All segments count equally, whatever their size.
    """
    present = chosen >= 0
    rows = chosen.clamp(min=0)
    own = masks.gather(1, rows[..., None].expand(-1, -1, masks.shape[2]))
    pixels = segments.sum(dim=2).clamp(min=1)
    nll = -((own + _EPSILON).log() * segments).sum(dim=2) / pixels
    overlap = 2 * (own * segments).sum(dim=2) / (own.sum(dim=2) + segments.sum(dim=2) + _EPSILON)
    return {"masks": nll[present].mean(), "dice": (1 - overlap)[present].mean()}


def slot_class_loss(
    logits: Float[Tensor, "b slots c"],
    chosen: Int64[Tensor, "b m"],
    instance_ids: Int64[Tensor, "b m"],
    class_id: Int64[Tensor, "b n"],
) -> Float[Tensor, ""]:
    """Cross-entropy of the classes of slots that are matched.

    Column i of `class_id` is that of the instance 1 + i. The background is the last class; things
    of no known class (−1) count for nothing.
    """
    classes = logits.shape[2] - 1
    background = torch.full_like(class_id[:, :1], classes)
    unknown = torch.full_like(class_id[:, :1], -1)
    by_id = torch.cat([background, class_id, unknown], dim=1)
    rows = instance_ids.clamp(max=by_id.shape[1] - 1)
    wanted = torch.where(chosen >= 0, by_id.gather(1, rows), -1)
    slots = chosen.clamp(min=0)[..., None].expand(-1, -1, classes + 1)
    said = logits.gather(1, slots).flatten(0, 1)
    return F.cross_entropy(said, wanted.flatten(), ignore_index=-1)


def _dice(
    masks: Float[Tensor, "b slots n"], segments: Float[Tensor, "b m n"]
) -> Float[Tensor, "b slots m"]:
    both = masks @ segments.transpose(1, 2)
    return 2 * both / (masks.sum(2)[..., None] + segments.sum(2)[:, None] + _EPSILON)
