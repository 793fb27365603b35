"""Weighted box fusion (Solovyev et al. 2021, arXiv:1910.13302), as a graph without loops.

For each candidate, every member contributes its best box of that class that overlaps. The position
is the score-weighted mean of those boxes; the score is the mean over the members that could
see the place. Agreeing boxes end up in one place, and the service's suppression keeps one.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.ensembles.decode import DECODERS
from robot_vision.ensembles.views import View

_CANDIDATES = 300  # per member: boxes of one object are neighbours in a network's output
_FAR_PX = 1e5  # nonsensical boxes stay finite, so that zero weight contributes zero
_EDGE = 0.01  # boxes that end this near to a crop's cut edge, relative to its size, were cut too


class FuseBoxes(nn.Module):
    """Fuses outputs of all members, in order, into one output [1, 4 + C, N] in format `yolov8`."""

    def __init__(
        self,
        members: Sequence[tuple[ModelManifest, View]],
        weights: Sequence[float],
        *,
        iou: float,
    ) -> None:
        super().__init__()
        self._members, self._weights, self._iou = tuple(members), tuple(weights), iou

    def forward(self, *outputs: Float[Tensor, "1 ..."]) -> Float[Tensor, "1 rows n"]:
        boxes, scores, classes, first = [], [], [], 0
        for manifest, view in self._members:
            roles, decode = DECODERS[manifest.format]
            of_member = outputs[first : first + len(roles)]
            first += len(roles)
            box, score, class_id = _surest(*decode(manifest, of_member))
            box, is_whole = _in_input(box, manifest, view)
            boxes.append(box)
            scores.append(score * is_whole)
            classes.append(class_id)
        return self._fused(boxes, scores, classes)

    def _fused(
        self,
        boxes: list[Float[Tensor, "_a 4"]],
        scores: list[Float[Tensor, " _a"]],
        classes: list[Int[Tensor, " _a"]],
    ) -> Float[Tensor, "1 rows n"]:
        every, class_id = torch.cat(boxes), torch.cat(classes)
        middle = (every[:, :2] + every[:, 2:]) / 2
        total = torch.zeros_like(every[:, :1])
        places, sure, asked = torch.zeros_like(every), total, total
        for row, (manifest, view) in enumerate(self._members):
            is_same = class_id[:, None] == classes[row][None]
            fits = is_same & (_iou(every, boxes[row]) > self._iou)
            best, which = torch.where(fits, scores[row][None], 0.0).max(dim=1, keepdim=True)
            part = self._weights[row] * best
            places = places + part * boxes[row][which[:, 0]]
            sure = sure + part
            asked = asked + self._weights[row] * _is_seen(middle, manifest, view)
        box = places / sure.clamp(min=1e-9)
        score = sure / asked.clamp(min=min(self._weights))
        count = len(self._members[0][0].classes)
        of_class = class_id[:, None] == torch.arange(count)[None]
        size = box[:, 2:] - box[:, :2]
        rows = torch.cat([box[:, :2] + size / 2, size, score * of_class], dim=1)
        return rows.transpose(0, 1)[None]


def _surest(
    boxes: Float[Tensor, "a 4"], scores: Float[Tensor, "a c"]
) -> tuple[Float[Tensor, "n 4"], Float[Tensor, " n"], Int[Tensor, " n"]]:
    """The pairs of box and class with the highest scores."""
    count = int(scores.shape[1])
    pairs = scores.reshape(-1)
    score, row = pairs.topk(min(_CANDIDATES, int(pairs.shape[0])))
    return boxes[row // count].clamp(-_FAR_PX, _FAR_PX), score, row % count


def _in_input(
    box: Float[Tensor, "n 4"], manifest: ModelManifest, view: View
) -> tuple[Float[Tensor, "n 4"], Float[Tensor, " n"]]:
    """Boxes of a view mapped to the input, and 1 for those not cut by the view's edge."""
    width, height = float(manifest.input.width_px), float(manifest.input.height_px)
    x0, y0 = view.in_input(box[:, 0] / width, box[:, 1] / height)
    x1, y1 = view.in_input(box[:, 2] / width, box[:, 3] / height)
    left, right = torch.minimum(x0, x1), torch.maximum(x0, x1)
    is_whole = torch.ones_like(left, dtype=torch.bool)
    edge = _EDGE * view.side
    if view.left > 0:
        is_whole = is_whole & (left > view.left + edge)
    if view.top > 0:
        is_whole = is_whole & (y0 > view.top + edge)
    if view.left + view.side < 1:
        is_whole = is_whole & (right < view.left + view.side - edge)
    if view.top + view.side < 1:
        is_whole = is_whole & (y1 < view.top + view.side - edge)
    placed = torch.stack([left * width, y0 * height, right * width, y1 * height], dim=1)
    return placed, is_whole.to(torch.float32)


def _is_seen(
    middle: Float[Tensor, "n 2"], manifest: ModelManifest, view: View
) -> Float[Tensor, "n 1"]:
    """1 for places within the view."""
    x, y = view.in_view(
        middle[:, 0] / manifest.input.width_px, middle[:, 1] / manifest.input.height_px
    )
    return ((x >= 0) & (x <= 1) & (y >= 0) & (y <= 1)).to(torch.float32)[:, None]


def _iou(a: Float[Tensor, "n 4"], b: Float[Tensor, "m 4"]) -> Float[Tensor, "n m"]:
    low = torch.maximum(a[:, None, :2], b[None, :, :2])
    high = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    size = (high - low).clamp(min=0)
    common = size[..., 0] * size[..., 1]
    area_a = ((a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1]))[:, None]
    area_b = ((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1]))[None]
    return common / (area_a + area_b - common).clamp(min=1e-9)
