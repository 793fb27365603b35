"""The grid head of YOLO (arXiv:1506.02640): each cell predicts some boxes and one class for them.

On any encoder: maps as fine as the grid and coarser are summed in it, so that a cell sees its
surroundings. The size of the grid follows that of the picture.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.layers.separable import ConvNorm, separable_stack

# Initial boxes: hardly any confidence, and a quarter of the picture's sides.
_FIRST_CONFIDENCE_LOGIT = -2.0
_FIRST_ROOT_SIZE_LOGIT = -0.5


class GridHead(nn.Module):
    """Maps of an encoder → boxes, confidence and class scores of a grid of cells.

    `boxes_xyxy` f32 [b,n,4] in pixels of the picture, `confidence` f32 [b,n] and `class_scores`
    f32 [b,n,classes]; n runs over cells row by row, and over the `boxes` of each. Raises
    `ConfigError` if the encoder has no map of `stride_px`.
    """

    def __init__(
        self,
        *,
        strides: Sequence[int],
        channels: Sequence[int],
        stride_px: int,
        boxes: int,
        classes: int,
        width: int,
        depth: int,
    ) -> None:
        super().__init__()
        if stride_px not in strides:
            raise ConfigError(
                f"stride_px = {stride_px}: expected one of the encoder's strides, "
                f"{', '.join(map(str, strides))}"
            )
        self.stride_px, self.boxes, self.classes = stride_px, boxes, classes
        self._used = [level for level, stride in enumerate(strides) if stride >= stride_px]
        self.lateral = nn.ModuleList(
            ConvNorm(channels[level], width, activation=nn.Identity) for level in self._used
        )
        self.tower = separable_stack(width, depth, kernel=5)
        self.cells = nn.Conv2d(width, 5 * boxes + classes, 1)
        _begin(self.cells, boxes)

    def forward(
        self, maps: Sequence[Float[Tensor, "b _c _h _w"]]
    ) -> dict[str, Float[Tensor, "b n ..."]]:
        rows, columns = maps[self._used[0]].shape[2:]
        cells = self.cells(self.tower(F.relu(self._summed(maps, (rows, columns)))))
        return self._decoded(cells.permute(0, 2, 3, 1).float())

    def _summed(
        self, maps: Sequence[Float[Tensor, "b _c _h _w"]], size: tuple[int, int]
    ) -> Float[Tensor, "b c rows columns"]:
        finest, *coarser = (
            lateral(maps[level]) for level, lateral in zip(self._used, self.lateral, strict=True)
        )
        for level in coarser:
            finest = finest + F.interpolate(level, size, mode="nearest")
        return finest

    def _decoded(
        self, cells: Float[Tensor, "b rows columns numbers"]
    ) -> dict[str, Float[Tensor, "b n ..."]]:
        """Decode position in the cell, square root of the size, confidence and classes."""
        rows, columns = cells.shape[1:3]
        boxes, classes = cells.split([5 * self.boxes, self.classes], dim=3)
        place, root_size, confidence = (
            boxes.unflatten(3, (self.boxes, 5)).sigmoid().split([2, 2, 1], dim=4)
        )
        corner = _corners(rows, columns, device=cells.device)
        size_px = cells.new_tensor([columns * self.stride_px, rows * self.stride_px])
        centre_px = (corner + place) * self.stride_px
        half_px = root_size.square() * size_px / 2
        scores = classes.softmax(dim=3).unsqueeze(3).expand(-1, -1, -1, self.boxes, -1)
        return {
            "boxes_xyxy": torch.cat([centre_px - half_px, centre_px + half_px], 4).flatten(1, 3),
            "confidence": confidence.squeeze(4).flatten(1),
            "class_scores": scores.flatten(1, 3),
        }


def _corners(
    rows: int, columns: int, *, device: torch.device
) -> Float[Tensor, "{rows} {columns} 1 2"]:
    """Column and row of each cell."""
    y, x = torch.meshgrid(
        torch.arange(rows, device=device), torch.arange(columns, device=device), indexing="ij"
    )
    return torch.stack([x, y], dim=-1).unsqueeze(2).float()


def _begin(cells: nn.Conv2d, boxes: int) -> None:
    assert cells.bias is not None
    with torch.no_grad():
        cells.weight.normal_(std=0.01)
        cells.bias.zero_()
        of_boxes = cells.bias[: 5 * boxes].view(boxes, 5)
        of_boxes[:, 2:4] = _FIRST_ROOT_SIZE_LOGIT
        of_boxes[:, 4] = _FIRST_CONFIDENCE_LOGIT
