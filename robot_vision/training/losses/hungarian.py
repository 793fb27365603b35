"""Matches predictions with objects: the cheapest one-to-one matching.

Carion et al., arXiv:2005.12872, by SciPy's solver (Crouse 2016).
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Int64
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.params import Params, param
from robot_vision.training.losses.boxes import corners, generalized_iou


class NotFiniteError(RobotVisionError, FloatingPointError):
    """Costs of the matching are not finite, so there is no matching."""


class MatchCosts(Params):
    """Weights of the matching costs; as in the paper by default."""

    classes: float = param(1.0, "probability of the object's class", ge=0)
    l1: float = param(5.0, "distance of centres and sizes, in fractions of the picture", ge=0)
    giou: float = param(2.0, "generalised overlap", ge=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Pairs of a batch: rows of pictures, of predictions, and of the padded objects."""

    image: Int64[Tensor, " pairs"]
    query: Int64[Tensor, " pairs"]
    row: Int64[Tensor, " pairs"]


@torch.no_grad()
def match(
    logits: Float[Tensor, "b q c"],
    boxes: Float[Tensor, "b q 4"],
    truth: Float[Tensor, "b m 4"],
    class_id: Int[Tensor, "b m"],
    *,
    costs: MatchCosts,
) -> Matches:
    """The cheapest matching of predictions with objects, in each picture.

    Classes of `logits` end with no object; `boxes` and `truth` are centre and size in parts of
    the picture; a `class_id` of −1 is padding. Raises `NotFiniteError` that names the cost which
    is not finite: a solver would hang or match at random.
    """
    share = logits.softmax(dim=2)
    named = class_id.clamp(min=0)[:, None].expand(-1, logits.shape[1], -1)
    parts = {
        "classes": -share.gather(2, named),
        "l1": (boxes[:, :, None] - truth[:, None]).abs().sum(dim=3),
        "giou": -generalized_iou(corners(boxes)[:, :, None], corners(truth)[:, None]),
    }
    _check_finite(parts)
    cost = torch.stack([getattr(costs, name) * part for name, part in parts.items()]).sum(dim=0)
    pairs = [
        _pairs(image, matrix, objects)
        for image, (matrix, objects) in enumerate(zip(cost.cpu(), class_id.cpu(), strict=True))
    ]
    image, query, row = torch.cat(pairs, dim=1).to(logits.device)
    return Matches(image=image, query=query, row=row)


def _pairs(
    image: int, cost: Float[Tensor, "q m"], class_id: Int[Tensor, " m"]
) -> Int64[Tensor, "3 pairs"]:
    """Image, prediction and object of each pair."""
    objects = (class_id >= 0).nonzero()[:, 0]
    query, column = (torch.from_numpy(x) for x in linear_sum_assignment(cost[:, objects].numpy()))
    return torch.stack([torch.full_like(query, image), query, objects[column]])


def _check_finite(parts: dict[str, Float[Tensor, "b q m"]]) -> None:
    for name, part in parts.items():
        bad = (~part.isfinite()).flatten(1).any(dim=1)
        if bad.any():
            raise NotFiniteError(
                f"the cost {name!r} of the matching is {float(part[~part.isfinite()][0])} in "
                f"{int(bad.sum())} of {len(bad)} pictures"
            )
