"""Whether the first box for a phrase is right, and whether absent objects get no report."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.boxes import pairwise_iou
from robot_vision.training.data.words.phrases import Query

RIGHT_IOU = 0.5
METRIC = "grounding"


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The first box for a phrase: its score, and whether it is right. `is_new`: training never
    showed the look that it names."""

    score: float
    is_right: bool
    is_there: bool
    is_new: bool = False


def verdict_of(
    query: Query,
    *,
    box_xyxy_px: Float32[np.ndarray, "n 4"],
    score: Float[np.ndarray, " n"],
    truth_xyxy_px: Float32[np.ndarray, "m 4"],
    is_new: bool = False,
) -> Verdict:
    """From the boxes that a model gives for a query, in any order."""
    if not len(score):
        return Verdict(score=0.0, is_right=False, is_there=query.is_there, is_new=is_new)
    first = int(score.argmax())
    overlap = pairwise_iou(box_xyxy_px[first : first + 1], truth_xyxy_px[query.rows])
    return Verdict(
        score=float(score[first]),
        is_right=bool(overlap.max(initial=0.0) >= RIGHT_IOU),
        is_there=query.is_there,
        is_new=is_new,
    )


def best_threshold(verdicts: Sequence[Verdict]) -> float:
    """The best score threshold for reporting boxes, in hundredths."""
    steps = np.arange(0.02, 0.99, 0.01)
    worth = [grounding_figures(verdicts, threshold=float(step))[METRIC] for step in steps]
    # The middle of the best ones, which are equally good.
    best = np.flatnonzero(np.array(worth) >= max(worth) - 1e-9)
    return round(float(steps[best[len(best) // 2]]), 2)


def grounding_figures(verdicts: Sequence[Verdict], *, threshold: float) -> dict[str, float]:
    """`first_right` for present objects, `nothing_reported` for absent ones, and their mean.

    `new/…` are for looks that training never showed; `first_right_any_score` has no threshold. If
    only present or only absent objects were asked for, the others' figures are left out.
    """
    figures = _figures(verdicts, threshold)
    known = [figures[name] for name in ("first_right", "nothing_reported") if name in figures]
    figures[METRIC] = sum(known) / len(known) if known else 0.0
    new = [verdict for verdict in verdicts if verdict.is_new]
    kinds = {verdict.is_there for verdict in new}
    if kinds == {True, False}:
        figures |= {f"new/{name}": value for name, value in _figures(new, threshold).items()}
    return figures


def _figures(verdicts: Sequence[Verdict], threshold: float) -> dict[str, float]:
    there = [v for v in verdicts if v.is_there]
    absent = [v for v in verdicts if not v.is_there]
    shares = {
        "first_right": [v.is_right and v.score >= threshold for v in there],
        "nothing_reported": [v.score < threshold for v in absent],
        "first_right_any_score": [v.is_right for v in there],
    }
    return {
        **{name: sum(values) / len(values) for name, values in shares.items() if values},
        "asked_there": float(len(there)),
        "asked_absent": float(len(absent)),
    }
