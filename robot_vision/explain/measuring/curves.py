"""Deletion and insertion (arXiv:1806.07421): how fast the answer goes, and comes, with a map.

What a map calls most important is blurred first; a faithful map makes the answer go fast. Cells of
one colour would themselves be something to see: scattered at random they disturb a network more
than a hidden object does.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float32

from robot_vision.explain.filling import blurred, hidden
from robot_vision.explain.heat import Heat
from robot_vision.explain.question import Question

# Cells that are hidden one after the other, across the shorter side.
_CELLS = 12
_STEPS = 12

Grid = Float32[np.ndarray, "rows columns"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves:
    """How sure the model is, as a part of what it was, at each step.

    From all to nothing (`deletion`), and from nothing to all (`insertion`).
    """

    deletion: Float32[np.ndarray, " steps"]
    insertion: Float32[np.ndarray, " steps"]

    @property
    def deletion_area(self) -> float:
        """Small where the map is faithful."""
        return float(self.deletion.mean())

    @property
    def insertion_area(self) -> float:
        """Large where the map is faithful."""
        return float(self.insertion.mean())


def curves(question: Question, importance: Grid, *, steps: int = _STEPS) -> Curves:
    """Of a map over cells, as `cells_of` and `random_cells` give it."""
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
    """The map's mean in each cell that is hidden at once."""
    rows, columns = _grid(question)
    height, width = question.size
    whole = heat.at_size(width_px=width, height_px=height)
    return cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)


def random_cells(question: Question, draw: np.random.Generator) -> Grid:
    """Importance that knows nothing."""
    return draw.random(_grid(question), np.float32)


def _grid(question: Question) -> tuple[int, int]:
    height, width = question.size
    short = min(height, width)
    return round(_CELLS * height / short), round(_CELLS * width / short)
