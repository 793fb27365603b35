"""What rules say of models of whole pictures: their format, kind of scores and background.

Pictures decide where a model knows what they show; where neither decides, it is asked.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.semantic import holds_classes
from robot_vision.importing.class_names import names_background

TASKS = ("classification", "segmentation")


def has_background_named(task: str, classes: Sequence[str]) -> bool:
    """Whether the first name is of none of the classes."""
    return task in TASKS and len(classes) > 1 and names_background(classes[0])


def without_others(
    starts: Sequence[ModelManifest], output: np.ndarray, *, named_by_user: bool
) -> list[ModelManifest]:
    """What stays of the formats that fit an `output` by shape alone.

    Depth and features have no names of classes: they go where the user gave such, where there
    are as many maps as names, or where numbers are whole.
    """
    kept = [m for m in starts if m.task not in ("depth", "features")]
    if named_by_user or len(kept[0].classes) > 1 or holds_classes(output):
        return kept
    return list(starts)


def reason_for(start: ModelManifest, output: np.ndarray) -> str:
    """What of an `output` says that it is of a format of whole pictures."""
    named = f"and there are {len(start.classes)} names of classes"
    if start.task == "classification":
        return f"{start.format}: a row of {output.size} scores, {named}"
    if holds_classes(output):
        return f"{start.format}: a map of whole numbers ({output.dtype}), as those of classes are"
    shape = "×".join(map(str, output.shape[1:]))
    return f"{start.format}: maps of scores, {shape}, {named}"


def question_on_sigmoids(
    file: Path, starts: Sequence[ModelManifest], scores: Sequence[np.ndarray]
) -> str:
    """Asks where scores of all pictures lie from 0 to 1 and do not sum to one: no logits do."""
    if not any(m.task in TASKS and m.reading.scores == "logits" for m in starts):
        return ""
    lowest, highest = min(s.min() for s in scores), max(s.max() for s in scores)
    if holds_classes(scores[0]) or lowest < 0 or highest > 1:
        return ""
    return (
        f"{file}: its scores lie from {lowest:.3g} to {highest:.3g} in all pictures and do not "
        "sum to one: each class seems to be judged by itself (a sigmoid), but classes of this "
        "format exclude each other. Export it with softmax or without an activation; if these "
        "are logits all the same: --reading scores=logits"
    )


def question_on_maps_without_names(file: Path, maps: np.ndarray, *, names: int) -> str:
    """Asks what maps are that may be scores of classes as well as features."""
    count, height, width = maps.shape[1:]
    known = f"; there are {names} names" if names else ""
    return (
        f"{file}: its output of {count} maps of {width}×{height} may be scores of {count} classes "
        f"for each pixel, or features{known}: give a name for each class (--classes names.txt), "
        "or --format features"
    )


def question_on_background(file: Path, readings: Sequence[ModelManifest]) -> str:
    """Asks which of these readings holds, that differ in where the background stands."""
    classes = readings[0].classes
    said = {m.reading.background for m in readings}
    meanings = {
        "none": f"0 is {classes[0]!r}",
        "first": f"0 is none of the classes and 1 is {classes[0]!r}",
        "last": f"0 is {classes[0]!r} and {len(classes)} is none of the classes",
    }
    choices = [f"--reading background={which} if {meanings[which]}" for which in meanings]
    known = "; ".join(c for which, c in zip(meanings, choices, strict=True) if which in said)
    return (
        f"{file}: whether its {len(classes)} classes begin at 0 or behind a background, neither "
        f"its outputs nor the pictures say: {known}. If a name is missing, give one for each"
    )
