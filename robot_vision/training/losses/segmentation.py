"""Cross-entropy and Dice of label maps; ignored pixels have no effect."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss
from robot_vision.training.data.labels.labelled import IGNORED

_LEAST_AREA = 1.0  # of a class, in pixels, so that an absent one does not divide zero by zero


class SegmentationWeights(Params):
    """Weights of the parts of the loss."""

    cross_entropy: float = param(1.0, "weight of the cross-entropy", ge=0)
    dice: float = param(1.0, "weight of 1 - Dice, mean over the classes of a batch", ge=0)


def segmentation_loss(
    logits: Float[Tensor, "b c h w"],
    labels: Int64[Tensor, "b h w"],
    *,
    weights: SegmentationWeights,
    class_weight: Float[Tensor, " c"],
) -> Loss:
    """The total, and its parts `cross_entropy` and `dice`, detached."""
    if bool((labels == IGNORED).all()):
        nothing = logits.sum() * 0
        return nothing, {"cross_entropy": nothing.detach(), "dice": nothing.detach()}
    entropy = F.cross_entropy(logits, labels, weight=class_weight, ignore_index=IGNORED)
    parts = {
        "cross_entropy": weights.cross_entropy * entropy,
        "dice": weights.dice * dice_loss(logits, labels),
    }
    return parts["cross_entropy"] + parts["dice"], {n: p.detach() for n, p in parts.items()}


def dice_loss(
    logits: Float[Tensor, "b c h w"], labels: Int64[Tensor, "b h w"]
) -> Float[Tensor, ""]:
    """1 − soft Dice (Milletari et al., arXiv:1606.04797) over a batch's pixels, mean over the
    classes in it: small ones count as much as large ones."""
    counted = (labels != IGNORED)[:, None]
    probability = logits.softmax(dim=1) * counted
    known = torch.where(counted[:, 0], labels, 0)
    truth = F.one_hot(known, logits.shape[1]).permute(0, 3, 1, 2) * counted
    common = (probability * truth).sum(dim=(0, 2, 3))
    area = truth.sum(dim=(0, 2, 3))
    both = (probability.sum(dim=(0, 2, 3)) + area).clamp(min=_LEAST_AREA)
    shown = area > 0
    return 1 - (2 * common / both)[shown].mean()
