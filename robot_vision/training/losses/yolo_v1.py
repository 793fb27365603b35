"""The five parts of YOLO's loss (Redmon et al., arXiv:1506.02640, equation 3), for any grid."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss
from robot_vision.training.losses.boxes import box_iou


class GridLossWeights(Params):
    """Weights of the five parts; as in the paper by default."""

    places: float = param(5.0, "centres of objects, in cells", ge=0)
    sizes: float = param(5.0, "square roots of sizes, in fractions of the picture", ge=0)
    objects: float = param(1.0, "confidence of boxes responsible for an object", ge=0)
    no_object: float = param(0.5, "confidence of all other boxes", ge=0)
    classes: float = param(1.0, "class scores of cells that contain an object's centre", ge=0)


@dataclass(frozen=True, kw_only=True, eq=False)
class _Objects:
    """Objects of a batch, one per cell: `image`, `cell`, `class_id` i64 [k], `box` f32 [k,4]."""

    image: Int64[Tensor, " n"]
    cell: Int64[Tensor, " n"]
    class_id: Int64[Tensor, " n"]
    box: Float[Tensor, "n 4"]


def yolo_v1_loss(
    out: dict[str, Tensor],
    boxes_xyxy: Float[Tensor, "b m 4"],
    class_id: Int64[Tensor, "b m"],
    *,
    size_px: tuple[int, int],
    stride_px: int,
    weights: GridLossWeights,
) -> Loss:
    """The total of a batch's mean image and its weighted parts, detached.

    `out` is what `GridHead` says; `boxes_xyxy` in pixels of pictures of `size_px` (width, height);
    `class_id` is −1 for padding. Of objects in one cell the smallest counts.
    """
    columns, rows = (side // stride_px for side in size_px)
    images = len(boxes_xyxy)
    of_cells = {role: value.unflatten(1, (rows * columns, -1)) for role, value in out.items()}
    found = _objects(boxes_xyxy, class_id, columns=columns, rows=rows, stride_px=stride_px)
    at = (found.image, found.cell)
    candidates = of_cells["boxes_xyxy"][at]
    iou = box_iou(candidates.detach(), found.box[:, None])
    best, answers = iou.max(dim=1)
    box = candidates[torch.arange(len(answers), device=answers.device), answers]
    confidence = of_cells["confidence"]
    responsible = torch.zeros_like(confidence, dtype=torch.bool)
    responsible[(*at, answers)] = True
    class_scores = of_cells["class_scores"][at][:, 0]
    one_hot = F.one_hot(found.class_id, class_scores.shape[1])
    parts = {
        "places": ((_middle(box) - _middle(found.box)) / stride_px).square().sum(),
        "sizes": (_root_size(box, size_px) - _root_size(found.box, size_px)).square().sum(),
        "objects": (confidence[(*at, answers)] - best).square().sum(),
        "no_object": confidence[~responsible].square().sum(),
        "classes": (class_scores - one_hot).square().sum(),
    }
    weighted = {n: getattr(weights, n) * part / images for n, part in parts.items()}
    return torch.stack([*weighted.values()]).sum(), {n: p.detach() for n, p in weighted.items()}


def _objects(
    boxes_xyxy: Float[Tensor, "b m 4"],
    class_id: Int64[Tensor, "b m"],
    *,
    columns: int,
    rows: int,
    stride_px: int,
) -> _Objects:
    image, row = (class_id >= 0).nonzero(as_tuple=True)
    box, known = boxes_xyxy[image, row], class_id[image, row]
    middle = (_middle(box) / stride_px).long()
    cell = middle[:, 1].clamp(0, rows - 1) * columns + middle[:, 0].clamp(0, columns - 1)
    by_area = (box[:, 2:] - box[:, :2]).prod(dim=1).argsort(stable=True)
    key = (image * rows * columns + cell)[by_area]
    earlier_same = (key[:, None] == key[None]).tril(-1).any(dim=1)
    kept = by_area[~earlier_same]
    return _Objects(image=image[kept], cell=cell[kept], class_id=known[kept], box=box[kept])


def _middle(box: Float[Tensor, "n 4"]) -> Float[Tensor, "n 2"]:
    return (box[:, :2] + box[:, 2:]) / 2


def _root_size(box: Float[Tensor, "n 4"], size_px: tuple[int, int]) -> Float[Tensor, "n 2"]:
    """Square roots of width and height in fractions of the picture; the gradient is finite."""
    return ((box[:, 2:] - box[:, :2]) / box.new_tensor(size_px)).clamp(min=1e-6).sqrt()
