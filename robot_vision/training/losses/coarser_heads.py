"""Losses of coarser heads beside a label map, from its labels."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from robot_vision.training.data.labels.labelled import IGNORED


def coarser_losses(
    answer: Mapping[str, Tensor],
    labels: Int64[Tensor, "b h w"],
    *,
    class_weight: Float[Tensor, " c"],
) -> dict[str, Float[Tensor, ""]]:
    """The losses of the heads `medium` and `coarse`, if the answer has them."""
    losses = {}
    if "medium" in answer:
        losses["medium"] = medium_loss(answer["medium"].float(), labels, class_weight=class_weight)
    if "coarse" in answer:
        losses["coarse"] = coarse_loss(answer["coarse"].float(), labels)
    return losses


def medium_loss(
    logits: Float[Tensor, "b c hm wm"],
    labels: Int64[Tensor, "b h w"],
    *,
    class_weight: Float[Tensor, " c"],
) -> Float[Tensor, ""]:
    """Cross-entropy with the label at the centre of each coarser cell; 0 if all are ignored."""
    step = labels.shape[1] // logits.shape[2]
    middles = labels[:, step // 2 :: step, step // 2 :: step]
    if bool((middles == IGNORED).all()):
        return logits.sum() * 0
    return F.cross_entropy(logits, middles, weight=class_weight, ignore_index=IGNORED)


def coarse_loss(logits: Float[Tensor, "b c"], labels: Int64[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Binary cross-entropy per class with whether any pixel shows it."""
    classes = logits.shape[1]
    known = torch.where(labels == IGNORED, classes, labels)
    shown = F.one_hot(known.flatten(1), classes + 1).amax(dim=1)[:, :-1]
    return F.binary_cross_entropy_with_logits(logits, shown.float())
