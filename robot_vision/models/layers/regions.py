"""Region proposals: boxes that may hold an object, and the features inside them.

Proposals come from a dense head on a pyramid (FCOS, arXiv:1904.01355), one per peak. Features of
a box are sampled at the centres of its bins (RoIAlign, arXiv:1703.06870) from the level that
matches its size. This needs no torchvision and exports to plain ONNX.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from robot_vision.models.layers.separable import separable_stack
from robot_vision.models.multitask.native_parts import boxes_from_distances, cell_centers_px

_FIRST_LOGIT = -4.6  # one cell in a hundred holds an object
_FIRST_DISTANCE = 1.5
# Ranks cells beside a higher one below all peaks. Much more would round their logits to equal
# ones, among which ONNX Runtime chooses others than torch.
_BESIDE_A_PEAK = 100.0
# Boxes up to this many cells wide are sampled from a level, larger ones from a coarser level.
_CELLS_OF_A_BOX = 6.0


class ProposalHead(nn.Module):
    """Objectness logits and a box (px) for each cell of a level."""

    def __init__(self, width: int, depth: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.tower = separable_stack(width, depth)
        self.thing = nn.Conv2d(width, 1, 1)
        self.distances = nn.Conv2d(width, 4, 1)
        for layer, bias in ((self.thing, _FIRST_LOGIT), (self.distances, _FIRST_DISTANCE)):
            nn.init.normal_(layer.weight, std=0.01)
            assert layer.bias is not None
            nn.init.constant_(layer.bias, bias)

    def forward(
        self, level: Float[Tensor, "b _c h w"]
    ) -> tuple[Float[Tensor, "b 1 h w"], Float[Tensor, "b h*w 4"]]:
        seen = self.tower(level)
        distances = self.distances(seen).flatten(2).transpose(1, 2).float()
        rows, columns = level.shape[2:]
        centers = cell_centers_px(rows, columns, self.stride, device=level.device)
        return self.thing(seen).float(), boxes_from_distances(centers, distances, self.stride)


def peaks(logits: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b h*w"]:
    """Logits of all cells, suppressed where a neighbour's is higher."""
    highest = F.max_pool2d(logits, 3, stride=1, padding=1)
    return torch.where(logits < highest, logits - _BESIDE_A_PEAK, logits).flatten(1)


def surest(
    logits: Float[Tensor, "b a"], boxes_xyxy: Float[Tensor, "b a 4"], count: int
) -> Float[Tensor, "b r 4"]:
    """The `count` boxes with the highest logits.

    They keep the order of their cells: the order of near-equal logits depends on rounding.
    """
    rows = logits.topk(min(count, logits.shape[1]), dim=1).indices.sort(dim=1).values
    return boxes_xyxy.gather(1, rows[..., None].expand(-1, -1, 4))


def seen_in(
    levels: Sequence[Float[Tensor, "b c _h _w"]],
    strides: Sequence[int],
    boxes_xyxy: Float[Tensor, "b r 4"],
    *,
    bins: int,
) -> Float[Tensor, "b r c*{bins}**2"]:
    """Features inside boxes (px), sampled from levels of these strides."""
    size = boxes_xyxy.new_tensor(
        [levels[0].shape[3] * strides[0], levels[0].shape[2] * strides[0]]
    )
    points = 2 * _bin_centers(boxes_xyxy, bins) / size - 1
    chosen = _level_of(boxes_xyxy, strides)
    found = [
        F.grid_sample(level, points, align_corners=False) * (chosen == row)[:, None, :, None]
        for row, level in enumerate(levels)
    ]
    return torch.stack(found).sum(dim=0).permute(0, 2, 1, 3).flatten(2)


def _bin_centers(
    boxes_xyxy: Float[Tensor, "b r 4"], bins: int
) -> Float[Tensor, "b r {bins}**2 2"]:
    """In pixels, as x and y."""
    part = (torch.arange(bins, device=boxes_xyxy.device) + 0.5) / bins
    y, x = torch.meshgrid(part, part, indexing="ij")
    place = torch.stack([x, y], dim=-1).reshape(-1, 2)
    low, high = boxes_xyxy[:, :, None, :2], boxes_xyxy[:, :, None, 2:]
    return low + (high - low) * place


def _level_of(boxes_xyxy: Float[Tensor, "b r 4"], strides: Sequence[int]) -> Int[Tensor, "b r"]:
    """Index of the level that each box is sampled from."""
    side = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=1.0).prod(dim=2).sqrt()
    ends = [_CELLS_OF_A_BOX * stride for stride in strides[:-1]]
    return sum(((side > end).long() for end in ends), torch.zeros_like(side, dtype=torch.long))
