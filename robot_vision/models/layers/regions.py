"""Regions of a picture: boxes that may hold a thing, and what is seen in them.

Proposals are those of a dense head on a pyramid (FCOS, arXiv:1904.01355), one a peak. What is seen
in a box is read at the centres of its bins (RoIAlign, arXiv:1703.06870) from the level that its
size calls for; it needs no torchvision and is plain ONNX.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.models.layers.attention import NEVER
from robot_vision.models.layers.separable import separable_stack
from robot_vision.models.multitask.native_parts import boxes_from_distances, cell_centers_px

_FIRST_LOGIT = -4.6  # a hundredth of the cells hold a thing
_FIRST_DISTANCE = 1.5
# A box of so many cells of a level is read there; smaller ones a level finer.
_CELLS_OF_A_BOX = 6.0


class ProposalHead(nn.Module):
    """Whether each cell of a level is of a thing, f32 [b,1,h,w], and its box, f32 [b,h·w,4] px."""

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

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        seen = self.tower(level)
        distances = self.distances(seen).flatten(2).transpose(1, 2).float()
        rows, columns = level.shape[2:]
        centers = cell_centers_px(rows, columns, self.stride, device=level.device)
        return self.thing(seen).float(), boxes_from_distances(centers, distances, self.stride)


def peaks(logits: Tensor) -> Tensor:
    """Logits f32 [b,h·w] of a map [b,1,h,w], hardly any where a neighbour has more."""
    highest = F.max_pool2d(logits, 3, stride=1, padding=1)
    return torch.where(logits < highest, logits + NEVER, logits).flatten(1)


def surest(logits: Tensor, boxes_xyxy: Tensor, count: int) -> Tensor:
    """The boxes [b,count,4] of the highest of logits [b,a], in the order of their cells: which of
    two alike is higher is a matter of rounding."""
    rows = logits.topk(min(count, logits.shape[1]), dim=1).indices.sort(dim=1).values
    return boxes_xyxy.gather(1, rows[..., None].expand(-1, -1, 4))


def seen_in(
    levels: Sequence[Tensor], strides: Sequence[int], boxes_xyxy: Tensor, *, bins: int
) -> Tensor:
    """What is in boxes [b,k,4] px: f32 [b,k,channels·bins²], of levels with these strides."""
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


def _bin_centers(boxes_xyxy: Tensor, bins: int) -> Tensor:
    """[b,k,bins²,2] px."""
    part = (torch.arange(bins, device=boxes_xyxy.device) + 0.5) / bins
    y, x = torch.meshgrid(part, part, indexing="ij")
    place = torch.stack([x, y], dim=-1).reshape(-1, 2)
    low, high = boxes_xyxy[:, :, None, :2], boxes_xyxy[:, :, None, 2:]
    return low + (high - low) * place


def _level_of(boxes_xyxy: Tensor, strides: Sequence[int]) -> Tensor:
    """The row of the level for each box, [b,k]."""
    side = (boxes_xyxy[..., 2:] - boxes_xyxy[..., :2]).clamp(min=1.0).prod(dim=2).sqrt()
    ends = [_CELLS_OF_A_BOX * stride for stride in strides[:-1]]
    return sum(((side > end).long() for end in ends), torch.zeros_like(side, dtype=torch.long))
