"""One loss per task, and their balance."""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss
from robot_vision.models.multitask.native_parts import FEATURE_STRIDE, QUARTER, NativeSpec
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.losses.assign import Assignment, all_cells, assign

NEGATIVE_WEIGHT = 0.75
NEGATIVE_POWER = 2.0
GIVEN_DEPTH_WEIGHT = 0.25
HOLE_WEIGHT = 3.0
MOST_LOG_ERROR = 2.0  # e² times too far; beyond this a relative error would outweigh all others
MOST_MASKS = 96
TEMPERATURE = 0.1
LOG_SCALE_RANGE = math.log(10.0)


class LossWeights(Params):
    """Weights of the tasks; the scales of the losses are learnt."""

    classes: float = param(4.0, "classification", ge=0)
    boxes: float = param(2.0, "box overlap", ge=0)
    masks: float = param(1.0, "instance masks", ge=0)
    depth: float = param(2.0, "metric depth", ge=0)
    features: float = param(0.3, "appearance of objects in the feature grid", ge=0)
    embedding: float = param(0.1, "content of the whole image", ge=0)


class MultiTaskLoss(nn.Module):
    """The sum of all tasks' losses, each over its learnt scale (Kendall et al., arXiv:1705.07115).

    Minimises w·(loss/scale + log scale): at the scale's optimum a task counts by its
    weight w in the recipe, whatever the size of its loss. Scales stay between 1/10 and 10.
    Holds the linear read-out of the embedding, which only training needs.
    """

    def __init__(
        self, spec: NativeSpec, *, classes: int, colors: int, weights: LossWeights
    ) -> None:
        super().__init__()
        self.weights = {name: w for name, w in weights.model_dump().items() if w > 0}
        self.log_scale = nn.ParameterDict(
            {name: nn.Parameter(torch.zeros(())) for name in self.weights}
        )
        self.presence = nn.Linear(spec.embedding, classes + colors)
        self.classes, self.colors = classes, colors

    def forward(self, out: dict[str, Tensor], batch: Batch) -> Loss:
        """The total to be minimised and each task's own loss, detached."""
        height_px, width_px = batch.rgb.shape[1:3]
        centers, strides = all_cells(height_px, width_px, device=batch.rgb.device)
        assignment = assign(
            scores=out["class_logits"].sigmoid(),
            boxes_xyxy=out["boxes_xyxy"],
            object_boxes=batch.boxes_xyxy,
            object_classes=batch.class_id,
            centers=centers,
            strides=strides,
        )
        losses = {
            "classes": class_loss(out["class_logits"], batch.class_id, assignment),
            "boxes": box_loss(out["boxes_xyxy"], batch.boxes_xyxy, assignment),
            "masks": mask_loss(out, batch, assignment),
            "depth": depth_loss(out["depth_m"], batch.depth_true_m, batch.depth_m),
            "features": appearance_loss(out["features"], batch),
            "embedding": self._presence_loss(out["embedding"], batch),
        }
        total = torch.stack([self._weighted(name, losses[name]) for name in self.weights]).sum()
        return total, {name: loss.detach() for name, loss in losses.items()}

    def _weighted(self, name: str, loss: Float[Tensor, ""]) -> Float[Tensor, ""]:
        log_scale = self.log_scale[name].clamp(-LOG_SCALE_RANGE, LOG_SCALE_RANGE)
        return self.weights[name] * (loss * torch.exp(-log_scale) + log_scale)

    def _presence_loss(self, embedding: Float[Tensor, "b d"], batch: Batch) -> Float[Tensor, ""]:
        """Which classes and colours the image contains, read from the embedding."""
        target = torch.zeros(len(embedding), self.classes + self.colors, device=embedding.device)
        rows = torch.arange(len(embedding), device=embedding.device)[:, None]
        for ids, offset in ((batch.class_id, 0), (batch.color_id, self.classes)):
            known = ids >= 0
            target[rows.expand_as(ids)[known], ids[known] + offset] = 1.0
        logits = self.presence(embedding * math.sqrt(embedding.shape[1]))
        asked = torch.ones_like(target)
        asked[batch.hue_turned, self.classes :] = 0.0
        loss = F.binary_cross_entropy_with_logits(logits, target, weight=asked, reduction="sum")
        return loss / asked.sum()


def class_loss(
    logits: Float[Tensor, "b a c"], object_classes: Int[Tensor, "b m"], assignment: Assignment
) -> Float[Tensor, ""]:
    """Varifocal loss (arXiv:2008.13367): the score of the object's class is its quality."""
    target = torch.zeros_like(logits)
    positive = assignment.positive
    classes = object_classes.gather(1, assignment.object_row.clamp(min=0))
    target[positive] = F.one_hot(classes[positive], logits.shape[2]).to(
        logits.dtype
    ) * assignment.quality[positive].unsqueeze(1)
    negative = NEGATIVE_WEIGHT * logits.detach().sigmoid().pow(NEGATIVE_POWER)
    weight = torch.where(target > 0, target, negative)
    loss = F.binary_cross_entropy_with_logits(logits, target, weight=weight, reduction="sum")
    return loss / assignment.quality.sum().clamp(min=1.0)


def box_loss(
    boxes_xyxy: Float[Tensor, "b a 4"],
    object_boxes: Float[Tensor, "b m 4"],
    assignment: Assignment,
) -> Float[Tensor, ""]:
    """1 − CIoU of the positive cells' boxes, weighted by their quality."""
    positive = assignment.positive
    rows = assignment.object_row.clamp(min=0).unsqueeze(2).expand(-1, -1, 4)
    truth = object_boxes.gather(1, rows)[positive]
    quality = assignment.quality[positive]
    loss = (1.0 - complete_iou(boxes_xyxy[positive], truth)) * quality
    return loss.sum() / quality.sum().clamp(min=1.0)


def complete_iou(a: Float[Tensor, "n 4"], b: Float[Tensor, "n 4"]) -> Float[Tensor, " n"]:
    """CIoU (arXiv:1911.08287) of boxes with boxes, row by row."""
    size_a, size_b = (box[:, 2:] - box[:, :2] for box in (a, b))
    overlap = torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])
    intersection = overlap.clamp(min=0).prod(dim=1)
    iou = intersection / (size_a.prod(dim=1) + size_b.prod(dim=1) - intersection + 1e-7)
    span = torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])
    offset = (a[:, :2] + a[:, 2:] - b[:, :2] - b[:, 2:]) / 2
    distance = offset.square().sum(dim=1) / (span.square().sum(dim=1) + 1e-7)
    angle_a, angle_b = (torch.atan(s[:, 0] / (s[:, 1] + 1e-7)) for s in (size_a, size_b))
    shape = 4 / math.pi**2 * (angle_a - angle_b).square()
    with torch.no_grad():
        trade_off = shape / (1 - iou + shape + 1e-7)
    return iou - distance - trade_off * shape


def mask_loss(out: dict[str, Tensor], batch: Batch, assignment: Assignment) -> Float[Tensor, ""]:
    """Cross entropy within the object's box, of a random choice of positive cells (YOLACT)."""
    prototypes = out["mask_prototypes"]
    image, cell = assignment.positive.nonzero(as_tuple=True)
    seen = (batch.instances > 0).flatten(1).any(dim=1)[image]
    image, cell = image[seen], cell[seen]
    if len(image) == 0:
        return prototypes.sum() * 0.0
    chosen = torch.randperm(len(image), device=image.device)[:MOST_MASKS]
    image, cell = image[chosen], cell[chosen]
    row = assignment.object_row[image, cell]
    coefficients = out["mask_coefficients"][image, cell]
    logits = torch.einsum("nk,nkhw->nhw", coefficients, prototypes.index_select(0, image))
    truth = batch.instances[image] == batch.instance_id[image, row][:, None, None]
    within = _box_masks(batch.boxes_xyxy[image, row] / QUARTER, logits.shape[1:])
    loss = F.binary_cross_entropy_with_logits(logits, truth.to(logits.dtype), reduction="none")
    area = within.sum(dim=(1, 2)).clamp(min=1.0)
    return ((loss * within).sum(dim=(1, 2)) / area).mean()


def _box_masks(boxes: Float[Tensor, "n 4"], size: torch.Size) -> Float[Tensor, "n hm wm"]:
    y = torch.arange(size[0], device=boxes.device) + 0.5
    x = torch.arange(size[1], device=boxes.device) + 0.5
    left, top, right, bottom = boxes[:, :, None].unbind(dim=1)
    rows = (y > top) & (y < bottom)
    columns = (x > left) & (x < right)
    return (rows[:, :, None] & columns[:, None, :]).to(boxes.dtype)


def depth_loss(
    depth_m: Float[Tensor, "b 1 hm wm"],
    depth_true_m: Float[Tensor, "b 1 hm wm"],
    given_m: Float[Tensor, "b 1 h w"],
) -> Float[Tensor, ""]:
    """Error of the depth, and of the log depth's gradients at three scales (arXiv:1804.00607).

    The error is the mean of the log error and the relative error, in which a depth too far
    counts more. Cells whose depth is among the `given_m` (at full size) weigh less: little is
    left to learn there, and they are many. Holes in depth that is given weigh more: they are few.
    """
    known = depth_true_m > 0
    if not bool(known.any()):
        return depth_m.sum() * 0.0
    error = torch.where(known, torch.log(depth_m) - torch.log(depth_true_m.clamp(min=1e-3)), 0.0)
    given = given_m[..., QUARTER // 2 :: QUARTER, QUARTER // 2 :: QUARTER] > 0
    ungiven = torch.where(given.flatten(1).any(dim=1), HOLE_WEIGHT, 1.0)[:, None, None, None]
    weight = known * torch.where(given, GIVEN_DEPTH_WEIGHT, ungiven)
    relative = torch.expm1(error.clamp(max=MOST_LOG_ERROR))
    loss = ((error.abs() + relative.abs()) / 2 * weight).sum() / weight.sum()
    for step in (1, 2, 4):
        coarse, coarse_weight = error[..., ::step, ::step], weight[..., ::step, ::step]
        for axis in (2, 3):
            count = coarse.shape[axis] - 1
            both = torch.minimum(
                coarse_weight.narrow(axis, 1, count), coarse_weight.narrow(axis, 0, count)
            )
            gradient = coarse.diff(dim=axis).abs() * both
            loss = loss + 0.25 * gradient.sum() / both.sum().clamp(min=1.0)
    return loss


def appearance_loss(features: Float[Tensor, "b c h w"], batch: Batch) -> Float[Tensor, ""]:
    """Objects of one class and colour alike, others apart (supervised contrast, arXiv:2004.11362).

    On the features pooled in the objects' boxes, as the tracker pools them; not where hues were
    turned.
    """
    named = (batch.class_id >= 0) & ~batch.hue_turned[:, None]
    image, row = named.nonzero(as_tuple=True)
    if len(image) < 2:
        return features.sum() * 0.0
    pooled = F.normalize(_pool(features, batch.boxes_xyxy[image, row], image), dim=1)
    label = batch.class_id[image, row] * 1000 + batch.color_id[image, row]
    itself = torch.eye(len(label), dtype=torch.bool, device=label.device)
    alike = (label[:, None] == label) & ~itself
    logits = (pooled @ pooled.T / TEMPERATURE).masked_fill(itself, -1e4)
    log_share = F.log_softmax(logits, dim=1)
    has_alike = alike.any(dim=1)
    loss = -(log_share * alike).sum(dim=1) / alike.sum(dim=1).clamp(min=1)
    return (loss * has_alike).sum() / has_alike.sum().clamp(min=1)


def _pool(
    features: Float[Tensor, "b c h w"], boxes_xyxy: Float[Tensor, "n 4"], image: Int[Tensor, " n"]
) -> Float[Tensor, "n c"]:
    """Mean of the cells, weighted by how much the box covers of each."""
    boxes = boxes_xyxy / FEATURE_STRIDE
    height, width = features.shape[2:]
    across = _coverage(boxes[:, 0::2], width)
    down = _coverage(boxes[:, 1::2], height)
    weight = down[:, :, None] * across[:, None, :]
    return torch.einsum("nhw,nchw->nc", weight, features.index_select(0, image))


def _coverage(span: Float[Tensor, "n 2"], cells: int) -> Float[Tensor, "n {cells}"]:
    """Share of each span that falls in each of the cells: rows sum to one."""
    edge = torch.arange(cells, device=span.device)
    low = span[:, :1].clamp(0, cells - 1e-3)
    high = torch.maximum(span[:, 1:], low + 1e-3).clamp(max=cells)
    share = (torch.minimum(high, edge + 1) - torch.maximum(low, edge)).clamp(min=0)
    return share / share.sum(dim=1, keepdim=True).clamp(min=1e-6)
