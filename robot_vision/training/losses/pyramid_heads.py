"""What a pyramid's medium and coarse heads learn from the labels of the fine one."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from robot_vision.training.data.labelled import IGNORED


def medium_loss(
    logits: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, "b H W"],
    *,
    class_weight: Float[Tensor, " c"],
) -> Float[Tensor, ""]:
    """Cross-entropy with the label in the middle of each coarser cell; 0 where all are ignored."""
    step = labels.shape[1] // logits.shape[2]
    middles = labels[:, step // 2 :: step, step // 2 :: step]
    if bool((middles == IGNORED).all()):
        return logits.sum() * 0
    return F.cross_entropy(logits, middles, weight=class_weight, ignore_index=IGNORED)


def coarse_loss(logits: Float[Tensor, "b c"], labels: Int64[Tensor, "b H W"]) -> Float[Tensor, ""]:
    """Binary cross-entropy of each class by itself with whether any pixel shows it."""
    known = torch.where(labels == IGNORED, logits.shape[1], labels)
    shown = F.one_hot(known.flatten(1), logits.shape[1] + 1).amax(dim=1)[:, :-1]
    return F.binary_cross_entropy_with_logits(logits, shown.float())
