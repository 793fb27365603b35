"""Networks whose reasons are known, and pictures of known content."""

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.explain.opening.subject import Subject
from robot_vision.models.card import Size
from robot_vision.models.picture import picture_input

SIDE_PX = 48
RED, BLUE = (slice(6, 18), slice(6, 18)), (slice(30, 42), slice(30, 42))


class ColorNet(nn.Module):
    """Two classes: how much red there is, and how much blue; of nothing else.

    Made by hand: one layer of cells of 4 px, each of which counts one colour.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cells = nn.Conv2d(3, 2, 4, stride=4)
        self.active = nn.ReLU()
        with torch.no_grad():
            self.cells.weight.fill_(0)
            self.cells.weight[0, 0], self.cells.weight[0, 1:] = 1 / 16, -1 / 16
            self.cells.weight[1, 2], self.cells.weight[1, :2] = 1 / 16, -1 / 16
            self.cells.bias.fill_(-0.1)  # pyright: ignore[reportOptionalMemberAccess]

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        found = self.active(self.cells(rgb.permute(0, 3, 1, 2).float() / 255))
        return {"output": 40 * found.mean(dim=(2, 3))}


def color_subject(*, width_px: int = SIDE_PX, height_px: int = SIDE_PX) -> Subject:
    """`ColorNet` as a subject."""
    net = ColorNet().eval()
    return Subject(
        name="colors",
        image=picture_input(Size(width_px=width_px, height_px=height_px)),
        classes=("red", "blue"),
        run=lambda inputs: net(inputs["rgb"]),
        model=net,
    )


def two_squares() -> np.ndarray:
    """A red square above the middle, a blue one below, on grey."""
    rgb = np.full((SIDE_PX, SIDE_PX, 3), 90, np.uint8)
    rgb[RED], rgb[BLUE] = (250, 20, 20), (20, 20, 250)
    return rgb


def mask_of(square: tuple[slice, slice]) -> np.ndarray:
    """True inside one of them."""
    mask = np.zeros((SIDE_PX, SIDE_PX), bool)
    mask[square] = True
    return mask
