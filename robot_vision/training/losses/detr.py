"""The losses of DETR (Carion et al., arXiv:2005.12872) of one decoder layer."""

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.training.losses.boxes import corners, generalized_iou
from robot_vision.training.losses.hungarian import MatchCosts, match


class DetrLossWeights(Params):
    """Weights of the losses; as in the paper by default."""

    classes: float = param(1.0, "cross entropy of classes and no object", ge=0)
    l1: float = param(5.0, "distance of centres and sizes, in fractions of the picture", ge=0)
    giou: float = param(2.0, "1 - generalised overlap", ge=0)
    no_object: float = param(0.1, "weight of queries without an object in the cross entropy", gt=0)
    matching: MatchCosts = MatchCosts()


def detr_loss(
    logits: Float[Tensor, "b q c"],
    boxes: Float[Tensor, "b q 4"],
    truth: Float[Tensor, "b m 4"],
    class_id: Int[Tensor, "b m"],
    weights: DetrLossWeights,
) -> dict[str, Float[Tensor, ""]]:
    """The three weighted losses of a layer's answer; arguments and errors as those of `match`."""
    pairs = match(logits, boxes, truth, class_id, costs=weights.matching)
    none = logits.shape[2] - 1
    target = torch.full(logits.shape[:2], none, device=logits.device)
    target[pairs.image, pairs.query] = class_id[pairs.image, pairs.row]
    share = logits.new_ones(logits.shape[2])
    share[none] = weights.no_object
    found, true = boxes[pairs.image, pairs.query], truth[pairs.image, pairs.row]
    objects = max(1, len(pairs.image))
    overlap = generalized_iou(corners(found), corners(true))
    return {
        "classes": weights.classes * F.cross_entropy(logits.transpose(1, 2), target, share),
        "l1": weights.l1 * (found - true).abs().sum() / objects,
        "giou": weights.giou * (1 - overlap).sum() / objects,
    }
