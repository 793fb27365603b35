"""Methods over a held-out set: figures with intervals, and a sheet of pictures."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float64, UInt8

from robot_vision.explain.drawing import over_picture, tile
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.measuring.cases import Case
from robot_vision.explain.measuring.judged import Judged, chance_of, judge
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.question import WAYS, Way
from robot_vision.explain.targets import ClassTarget
from robot_vision.training.metrics.bootstrap import bounds, resampled_mean, resampled_share
from robot_vision.training.metrics.tiles import write_tiles

_log = logging.getLogger(__name__)
_DRAWN = 8
GOAL_ENERGY, GOAL_RATIO = 0.6, 2.0


@dataclass(frozen=True, kw_only=True, eq=False)
class Measured:
    """A method's figures over a set; `refused` counts missing maps by reason.

    `is_of_classes`: the targets were classes of pictures, not boxes or actions.
    """

    way: str
    cases: int
    figures: dict[str, float]
    refused: dict[str, int]
    is_of_classes: bool = False

    @property
    def reaches_goal(self) -> bool | None:
        """Whether maps of a classifier lie on its objects; None for other targets."""
        if not self.is_of_classes or not self.figures:
            return None
        energy, ratio = self.figures["energy_inside"], self.figures["energy_ratio"]
        return energy >= GOAL_ENERGY and ratio >= GOAL_RATIO


def measure(
    subject: Subject,
    cases: Iterable[Case],
    ways: Sequence[str],
    *,
    sheet: Path | None = None,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Measured]:
    """Each method on the same cases; `sheet` is a picture of the first ones.

    Raises `ExplainError` if no method has a map of any case.
    """
    chosen = [WAYS.get(name) for name in ways]
    random = subject.with_random_weights(seed=1) if subject.card is not None else None
    rows: dict[str, list[Judged]] = {way.name: [] for way in chosen}
    refused: dict[str, Counter[str]] = {way.name: Counter() for way in chosen}
    tiles: list[UInt8[np.ndarray, "h w 3"]] = []
    of_classes = True
    for number, case in enumerate(cases):
        drawn = [_picture(case)]
        of_classes &= isinstance(case.question.target, ClassTarget)
        chance = chance_of(case.question, np.random.default_rng(number))
        for way in chosen:
            try:
                judged = judge(way, case, random, chance)
            except ExplainError as error:
                refused[way.name][_kind(error)] += 1
                drawn.append(tile(case.rgb, f"{way.name}: refused"))
                continue
            rows[way.name].append(judged)
            drawn.append(_map(case, judged, way))
        if number < _DRAWN:
            tiles += drawn
        progress(number + 1)
    if not any(rows.values()):
        reasons = "; ".join(reason for counts in refused.values() for reason in counts)
        raise ExplainError(f"no map of {subject.name}: {reasons or 'no case'}")
    if sheet is not None:
        write_tiles(sheet, tiles, columns=1 + len(chosen))
    return [
        Measured(
            way=way.name,
            cases=len(rows[way.name]),
            figures=figures_of(rows[way.name]),
            refused=dict(refused[way.name]),
            is_of_classes=of_classes,
        )
        for way in chosen
    ]


def figures_of(rows: Sequence[Judged]) -> dict[str, float]:
    """Means, with bootstrap intervals of the headline figures."""
    if not rows:
        return {}
    energy = np.array([row.energy for row in rows])
    share = np.array([row.share for row in rows])
    deletion = np.array([row.chance.deletion_area - row.curves.deletion_area for row in rows])
    insertion = np.array([row.curves.insertion_area - row.chance.insertion_area for row in rows])
    random = np.array([row.random_weights_energy for row in rows])
    likeness = np.array([row.random_weights_likeness for row in rows])
    figures = {
        "energy_inside": float(energy.mean()),
        "mask_share": float(share.mean()),
        "energy_ratio": float(energy.sum() / share.sum()),
        "centre_spot_energy": float(np.mean([row.centre for row in rows])),
        "random_weights_energy": _mean(random),
        "random_weights_likeness": _mean(likeness),
        "deletion_area": float(np.mean([row.curves.deletion_area for row in rows])),
        "deletion_area_random": float(np.mean([row.chance.deletion_area for row in rows])),
        "deletion_margin": float(deletion.mean()),
        "insertion_margin": float(insertion.mean()),
    }
    if len(rows) > 1:
        figures |= bounds(
            {
                "energy_inside": resampled_mean(energy),
                "energy_ratio": resampled_share(energy, share),
                "deletion_margin": resampled_mean(deletion),
                "insertion_margin": resampled_mean(insertion),
            }
        )
    return figures


def _mean(values: Float64[np.ndarray, " n"]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")


def _kind(error: ExplainError) -> str:
    """A reason without the details of a picture."""
    return str(error).partition(":")[0]


def _picture(case: Case) -> UInt8[np.ndarray, "h w 3"]:
    drawn = case.rgb.copy()
    edges, _ = cv2.findContours(
        case.mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE
    )
    cv2.drawContours(drawn, edges, -1, (255, 255, 255), 1)
    return tile(drawn, case.question.target.words)


def _map(case: Case, judged: Judged, way: Way) -> UInt8[np.ndarray, "h w 3"]:
    return tile(
        over_picture(case.rgb, judged.heat),
        f"{way.name}: {judged.energy:.0%} ({judged.share:.1%})",
    )
