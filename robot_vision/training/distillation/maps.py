"""Maps: a linear projection of the student's features should align with the teacher's."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from robot_vision.core.cameras.placement import Placement


class MapProjection(nn.Module):
    """The regressor of FitNets (arXiv:1412.6550), linear; only training needs it."""

    def __init__(self, student_channels: int, teacher_channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(student_channels, teacher_channels, 1)

    def forward(
        self,
        student: Float[Tensor, "b c h w"],
        teacher: Float[Tensor, "b d rows columns"],
        placement: Placement,
        input_px: tuple[int, int],
    ) -> Float[Tensor, ""]:
        """Mean over cells of 1 − cosine, from 0 to 2, of the cells that the teacher sees.

        `placement` is where the pictures lie in the teacher's input, of `input_px` width and
        height. The length of a feature is free: norms of layers differ between models, and matter
        less.
        """
        taught, is_seen = at_cells(teacher, placement, input_px, cells=student.shape[2:])
        apart = 1 - F.cosine_similarity(self.project(student), taught, dim=1)
        return apart[:, is_seen].mean()


def at_cells(
    teacher: Float[Tensor, "b d rows columns"],
    placement: Placement,
    input_px: tuple[int, int],
    *,
    cells: torch.Size,
) -> tuple[Float[Tensor, "b d h w"], Bool[Tensor, "h w"]]:
    """A teacher's map at the centres of the cells of a map over the pictures alone.

    Letterboxed pictures fill a part of its input, cropped ones exceed it: the second result says
    which cells it sees.
    """
    rows, columns = teacher.shape[2:]
    width_px, height_px = input_px
    y, sees_row = _along(
        cells[0], placement.top_px, placement.height_px, of_px=height_px, cells=rows
    )
    x, sees_column = _along(
        cells[1], placement.left_px, placement.width_px, of_px=width_px, cells=columns
    )
    places = torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).to(teacher)
    taught = F.grid_sample(
        teacher, places.expand(len(teacher), -1, -1, -1), "bilinear", "border", align_corners=False
    )
    return taught, (sees_row[:, None] & sees_column).to(teacher.device)


def _along(
    count: int, start_px: int, length_px: int, *, of_px: int, cells: int
) -> tuple[Float[Tensor, " n"], Bool[Tensor, " n"]]:
    """Centres of `count` cells over the pictures along one side of the input, from −1 to 1, and
    which lie in it. Those beside padding are read half a cell of the teacher further inside."""
    centre = start_px + (torch.arange(count, dtype=torch.float64) + 0.5) * length_px / count
    half = min(of_px / cells, length_px) / 2
    low, high = max(start_px, 0) + half, min(start_px + length_px, of_px) - half
    inside = centre.clamp(low, max(low, high))
    return 2 * inside / of_px - 1, (centre >= 0) & (centre <= of_px)
