"""Judges one map of one case; the check that every map must pass before it is shown."""

from contextlib import suppress
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32

from robot_vision.explain.heat import ExplainError, Heat, energy_inside
from robot_vision.explain.measuring.cases import Case
from robot_vision.explain.measuring.curves import Curves, cells_of, curves, random_cells
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.question import Question, Way

_RANDOM_ORDERS = 2
_CHECKED_STEPS = 6
_CHECKED_ORDERS = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """`energy` of the map inside the mask, beside the mask's `share` of the picture.

    `centre` is the energy of a spot in the middle. `random_*` belong to the same network with
    random weights: energy and rank correlation of its map (−1 to 1; NaN without a map).
    """

    heat: Float32[np.ndarray, "h w"]
    energy: float
    share: float
    centre: float
    random_weights_energy: float
    random_weights_likeness: float
    curves: Curves
    chance: Curves


def judge(way: Way, case: Case, random: Subject | None, chance: Curves) -> Judged:
    """A method's map of a case, judged; raises `ExplainError` if it refuses one.

    `chance` are the case's curves in a random order (`chance_of`). `random` is the same network
    with random weights, if available.
    """
    heat = way.explain(case.question)
    shown, mask = _in_view(heat, case.question), case.mask
    energy, likeness = float("nan"), float("nan")
    if random is not None:
        question = case.question.of(random)
        with suppress(ExplainError):  # an empty map has no correlation
            other = _in_view(way.explain(question), question)
            energy, likeness = energy_inside(other, mask), _rank_correlation(shown, other)
    return Judged(
        heat=shown,
        energy=energy_inside(shown, mask),
        share=float(mask.mean()),
        centre=energy_inside(_spot(mask.shape), mask),
        random_weights_energy=energy,
        random_weights_likeness=likeness,
        curves=curves(case.question, cells_of(heat, case.question)),
        chance=chance,
    )


def chance_of(question: Question, draw: np.random.Generator, **steps: int) -> Curves:
    """Mean curves over several random orders of cells."""
    found = [
        curves(question, random_cells(question, draw), **steps) for _ in range(_RANDOM_ORDERS)
    ]
    return Curves(
        deletion=np.mean([one.deletion for one in found], axis=0),
        insertion=np.mean([one.insertion for one in found], axis=0),
    )


def check(heat: Heat, question: Question) -> str:
    """Figures that show that a map's places matter; raises `ExplainError` if they do not.

    On this picture, hiding the places that the map calls important must reduce confidence faster
    than hiding random places.
    """
    draw = np.random.default_rng(0)
    own = curves(question, cells_of(heat, question), steps=_CHECKED_STEPS).deletion_area
    others = [
        curves(question, random_cells(question, draw), steps=_CHECKED_STEPS).deletion_area
        for _ in range(_CHECKED_ORDERS)
    ]
    words = f"deletion area {own:.2f}, in random order {np.mean(others):.2f}"
    if own >= float(np.mean(others)):
        raise ExplainError(
            f"the map of {heat.about} fails its check: hiding its important places reduces the "
            f"confidence in {question.target.words} no more than hiding random ones ({words})"
        )
    return words


def _in_view(heat: Heat, question: Question) -> Float32[np.ndarray, "h w"]:
    height, width = question.size
    return heat.in_view(question.placement, width_px=width, height_px=height)


def _spot(shape: tuple[int, ...]) -> Float32[np.ndarray, "h w"]:
    """A Gaussian in the middle of the picture, a quarter of its side wide: a trivial map."""
    down, across = (
        np.exp(-0.5 * ((np.arange(side) + 0.5 - side / 2) / (side / 4)) ** 2) for side in shape
    )
    return np.outer(down, across).astype(np.float32)


def _rank_correlation(one: Float32[np.ndarray, "h w"], other: Float32[np.ndarray, "h w"]) -> float:
    """Spearman's, over cells of a coarse grid: neighbouring pixels are not independent."""
    small = [cv2.resize(each, (16, 16), interpolation=cv2.INTER_AREA) for each in (one, other)]
    ranks = [np.argsort(np.argsort(each, axis=None)) for each in small]
    one_ranks, other_ranks = (rank - rank.mean() for rank in ranks)
    return float((one_ranks * other_ranks).sum() / (one_ranks**2).sum())
