"""Rules for whole-picture models: their format, kind of scores and background.

Pictures decide if a model knows their objects; if neither decides, the user is asked.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.semantic import holds_classes
from robot_vision.importing.reading.class_names import names_background

TASKS = ("classification", "segmentation")


def has_background_named(task: str, classes: Sequence[str]) -> bool:
    """Whether the first name is the background's."""
    return task in TASKS and len(classes) > 1 and names_background(classes[0])


def without_others(
    starts: Sequence[ModelManifest], output: Shaped[np.ndarray, "..."], *, named_by_user: bool
) -> list[ModelManifest]:
    """The formats that remain of those that fit an `output` by shape.

    Depth and features have no class names: they are ruled out if the user gave names, if there
    are as many maps as names, or if the values are integers.
    """
    kept = [m for m in starts if m.task not in ("depth", "features")]
    if named_by_user or len(kept[0].classes) > 1 or holds_classes(output):
        return kept
    return list(starts)


def reason_for(start: ModelManifest, output: Shaped[np.ndarray, "..."]) -> str:
    """Why an `output` is taken for a whole-picture format."""
    named = f"and there are {len(start.classes)} class names"
    if start.task == "classification":
        return f"{start.format}: a row of {output.size} scores, {named}"
    if holds_classes(output):
        return f"{start.format}: a map of integers ({output.dtype}), like class numbers"
    shape = "×".join(map(str, output.shape[1:]))
    return f"{start.format}: maps of scores, {shape}, {named}"


def question_on_sigmoids(
    file: Path, starts: Sequence[ModelManifest], scores: Sequence[Shaped[np.ndarray, "..."]]
) -> str:
    """Asks if all scores lie in 0 to 1 and do not sum to one: logits do not do that."""
    if not any(m.task in TASKS and m.reading.scores == "logits" for m in starts):
        return ""
    lowest, highest = min(s.min() for s in scores), max(s.max() for s in scores)
    if holds_classes(scores[0]) or lowest < 0 or highest > 1:
        return ""
    return (
        f"{file}: its scores lie from {lowest:.3g} to {highest:.3g} in all pictures and do not "
        "sum to one: each class seems to be judged independently (a sigmoid), but classes of "
        "this format exclude each other. Export it with softmax or without an activation; if "
        "these are logits after all: --reading scores=logits"
    )


def question_on_maps_without_names(
    file: Path, maps: Shaped[np.ndarray, "1 c hm wm"], *, names: int
) -> str:
    """Asks about maps that may be class scores or features."""
    count, height, width = maps.shape[1:]
    known = f"; there are {names} names" if names else ""
    return (
        f"{file}: its output of {count} maps of {width}×{height} may be scores of {count} classes "
        f"for each pixel, or features{known}: give a name for each class (--classes names.txt), "
        "or --format features"
    )


def question_on_background(file: Path, readings: Sequence[ModelManifest]) -> str:
    """Asks which of these readings holds; they differ in the place of the background."""
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
        f"{file}: neither its outputs nor the pictures show whether its {len(classes)} classes "
        f"begin at 0 or after a background: {known}. If a name is missing, give one for each"
    )
