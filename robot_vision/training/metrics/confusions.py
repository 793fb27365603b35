"""Confusions: whether a model's mistakes are wrong names, wrong places or missed objects."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64

from robot_vision.training.metrics.calibration import (
    RIGHT_IOU,
    is_hardly_visible,
    object_overlap,
    taken_objects,
)
from robot_vision.training.metrics.selected import FoundBoxes

NOT_FOUND = "not found"
FOUND_BEFORE, NO_OBJECT = "found before", "no object"


@dataclass(frozen=True, kw_only=True, eq=False)
class Confusions:
    """`counts` of objects [C+2,C+1]: a row for each true class, a column for each predicted name.

    The last column counts objects that were not found; the last rows detections of objects that
    a higher-scoring one had already found, under any name, and of no object.
    """

    class_names: tuple[str, ...]
    counts: Int64[np.ndarray, "rows columns"]

    def summary(self) -> str:
        """Summary text: the shares, and the three most frequent confusions."""
        of_objects, (again, alarms) = self.counts[:-2], self.counts[-2:].sum(axis=1)
        named = of_objects[:, :-1]
        wrong = named - np.diag(named.diagonal())
        worst = np.argsort(-wrong, axis=None, kind="stable")[: min(3, np.count_nonzero(wrong))]
        pairs = [
            f"{self.class_names[truth]} for {self.class_names[name]} ({wrong[truth, name]})"
            for truth, name in zip(*np.unravel_index(worst, wrong.shape), strict=True)
        ]
        return (
            f"of {of_objects.sum()} objects {named.trace()} found and named, {wrong.sum()} "
            f"misnamed, {of_objects[:, -1].sum()} not found; {again} found twice, {alarms} false "
            f"alarms; most often confused: {', '.join(pairs) or 'none'}"
        )

    def write(self, file: Path) -> None:
        """As CSV: truth down, names across."""
        with file.open("w", newline="") as opened:
            rows = csv.writer(opened)
            rows.writerow(["truth", *self.class_names, NOT_FOUND])
            truths = (*self.class_names, FOUND_BEFORE, NO_OBJECT)
            rows.writerows(
                [truth, *counts]
                for truth, counts in zip(truths, self.counts.tolist(), strict=True)
            )


def confusions(
    found: Sequence[FoundBoxes], class_names: tuple[str, ...], *, threshold: float
) -> Confusions:
    """Names predicted by detections with a score of `threshold` or more, whatever their class.

    By falling score each takes the free object that it overlaps most, with an IoU of 0.5 or more.
    Detections of hardly visible objects do not count.
    """
    counts = np.zeros((len(class_names) + 2, len(class_names) + 1), np.int64)
    of_objects, again, alarms = counts[:-2], counts[-2], counts[-1]
    for f in found:
        truth, overlap = f.sample.class_id, object_overlap(f)
        sure, taken = f.score >= threshold, taken_objects(overlap)
        first, other = sure & (taken >= 0), sure & (taken < 0)
        seen = overlap.max(axis=1, initial=0) >= RIGHT_IOU
        np.add.at(of_objects, (truth[taken[first]], f.class_id[first]), 1)
        np.add.at(of_objects[:, -1], np.delete(truth, taken[first]), 1)
        np.add.at(again, f.class_id[other & seen], 1)
        np.add.at(alarms, f.class_id[other & ~seen & ~is_hardly_visible(f)], 1)
    return Confusions(class_names=class_names, counts=counts)
