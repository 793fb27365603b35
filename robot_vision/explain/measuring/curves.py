"""Deletion and insertion (arXiv:1806.07421): how fast confidence falls and rises with a map.

The most important places of a map are blurred first; with a faithful map confidence falls fast.
Cells of one colour would be visible patterns themselves: scattered at random they disturb a
network more than a hidden object does.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from robot_vision.explain.filling import blurred, hidden
from robot_vision.explain.heat import Heat
from robot_vision.explain.question import Question

# Cells across the shorter side, hidden one after the other.
_CELLS = 12
_STEPS = 12

Grid = Float32[np.ndarray, "rows columns"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """The model's confidence at each step, relative to that for the whole picture.

    From the whole picture to nothing (`deletion`), and from nothing to all of it (`insertion`).
    """

    deletion: Float32[np.ndarray, " steps"]
    insertion: Float32[np.ndarray, " steps"]

    @property
    def deletion_area(self) -> float:
        """Small if the map is faithful."""
        return float(self.deletion.mean())

    @property
    def insertion_area(self) -> float:
        """Large if the map is faithful."""
        return float(self.insertion.mean())


def curves(question: Question, importance: Grid, *, steps: int = _STEPS) -> Curves:
    """Curves of a map over cells, as `cells_of` and `random_cells` return it."""
    height, width = question.size
    order = np.argsort(-importance, axis=None, kind="stable")
    rank = np.empty(order.size, np.float32)
    rank[order] = np.arange(order.size)
    large = cv2.resize(
        rank.reshape(importance.shape), (width, height), interpolation=cv2.INTER_NEAREST
    )
    limits = np.linspace(0, order.size, steps + 1)
    first = torch.from_numpy(np.stack([large < limit for limit in limits]))
    picture = question.inputs[question.picture]
    blank = blurred(picture, question)
    gone, come = hidden(question, first, blank), hidden(question, ~first, blank)
    before = max(float(question.shares(question.inputs)[0]), 1e-6)
    deletion = question.shares(gone).numpy() / before
    insertion = question.shares(come).numpy() / before
    return Curves(deletion=deletion.clip(0, 1), insertion=insertion.clip(0, 1))


def cells_of(heat: Heat, question: Question) -> Grid:
    """The map's mean in each cell; a cell is hidden as a whole."""
    rows, columns = _grid(question)
    height, width = question.size
    whole = heat.at_size(width_px=width, height_px=height)
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def random_cells(question: Question, draw: np.random.Generator) -> Grid:
    """Random importance: the baseline."""
    return draw.random(_grid(question), np.float32)


def _grid(question: Question) -> tuple[int, int]:
    height, width = question.size
    short = min(height, width)
    return round(_CELLS * height / short), round(_CELLS * width / short)
