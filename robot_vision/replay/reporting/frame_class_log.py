"""Results over a replay other than objects: most likely classes and their probabilities, shares
of pixels, detections of prompts."""

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from robot_vision.core.results.frame_classes import NONE_LABEL, shares_of, top_classes
from robot_vision.core.types import Classification, Grounded, Perception, SemanticMap
from robot_vision.replay.reporting.comparison.figure_drift import Drift, number_drift

# Smaller means are left out: a thousand classes share the rest.
_LEAST_PROBABILITY, _LEAST_SHARE = 0.01, 0.001

CLASS_TOLERANCES: dict[str, float] = {
    "class_top1_share": 0.05,
    "class_probability": 0.05,
    "class_pixel_share": 0.02,
    "phrase_frames_share": 0.05,
    "phrase_score": 0.05,
    "window_top_probability": 0.1,
    "window_labelled_share": 0.05,
}


class FrameClassLog:
    """Add every frame; `as_dict` has the results: empty without such models."""

    def __init__(self) -> None:
        self._top: Counter[str] = Counter()
        self._probability: defaultdict[str, float] = defaultdict(float)
        self._share: defaultdict[str, float] = defaultdict(float)
        self._found: Counter[str] = Counter()
        self._score: defaultdict[str, float] = defaultdict(float)
        self._models: dict[str, str] = {}
        self._frames: Counter[str] = Counter()

    def add(self, perception: Perception) -> None:
        if perception.classification is not None:
            self._add_classes(perception.classification)
        if perception.segmentation is not None:
            self._add_shares(perception.segmentation)
        if perception.grounding is not None:
            self._add_phrases(perception.grounding.found)

    def as_dict(self) -> dict[str, Any]:
        figures: dict[str, Any] = {}
        if "classification" in self._models:
            figures["classification"] = {
                **self._about("classification"),
                "top1": dict(sorted(self._top.items())),
                "probability": self._means(
                    "classification", self._probability, _LEAST_PROBABILITY
                ),
            }
        if "segmentation" in self._models:
            figures["segmentation"] = {
                **self._about("segmentation"),
                "share": self._means("segmentation", self._share, _LEAST_SHARE),
            }
        if "grounding" in self._models:
            figures["grounding"] = {
                **self._about("grounding"),
                "found": dict(sorted(self._found.items())),
                "score": {
                    phrase: round(total / max(self._found[phrase], 1), 6)
                    for phrase, total in sorted(self._score.items())
                },
            }
        return figures

    def _add_phrases(self, found: Grounded) -> None:
        """Count how often each phrase was found, and the mean score of its first box."""
        self._models["grounding"] = found.model_id
        self._frames["grounding"] += 1
        for row, phrase in enumerate(found.prompt.sought):
            scores = found.detections.score[found.detections.class_id == row]
            self._found[phrase] += len(scores) > 0
            self._score[phrase] += float(scores.max(initial=0.0))

    def _add_classes(self, found: Classification) -> None:
        self._models["classification"] = found.model_id
        self._frames["classification"] += 1
        classes = top_classes(found, most=len(found.class_id))
        for name, probability in classes:
            self._probability[name] += probability
        for name, _ in classes[:1]:
            self._top[name] += 1

    def _add_shares(self, found: SemanticMap) -> None:
        self._models["segmentation"] = found.model_id
        self._frames["segmentation"] += 1
        for _, name, share in shares_of(found):
            self._share[name] += share

    def _about(self, what: str) -> dict[str, Any]:
        return {"model": self._models[what], "frames": self._frames[what]}

    def _means(self, what: str, sums: dict[str, float], least: float) -> dict[str, float]:
        means = {name: total / self._frames[what] for name, total in sorted(sums.items())}
        return {name: round(mean, 6) for name, mean in means.items() if mean >= least}


def class_values(perception: Perception) -> dict[str, float]:
    """Values of a frame's classes for the timeline; missing if there are none."""
    values: dict[str, float] = {}
    classes, parts = perception.classification, perception.segmentation
    if classes is not None and len(classes.probability):
        values["top_probability"] = float(classes.probability[0])
    if parts is not None:
        values["labelled_share"] = float(np.mean(parts.class_id + 1 != NONE_LABEL))
    return values


def class_drifts(
    expected: dict[str, Any], actual: dict[str, Any], tolerances: dict[str, float]
) -> list[Drift]:
    """Drifts of frame classes; older golden files have none."""
    drifts: list[Drift] = []
    for what in _FIGURES:
        before, after = expected.get(what), actual.get(what)
        if before is None and after is None:
            continue
        frames = before["frames"] if before else 0, after["frames"] if after else 0
        drifts += number_drift(f"frames with {what}", *frames, tolerances["frames"])
        if before is None or after is None:
            continue
        for figure, named, tolerance, of_frames in _FIGURES[what]:
            allowed = tolerances[tolerance] * (before["frames"] if of_frames else 1)
            for name in sorted({*before[named], *after[named]}):
                a, b = before[named].get(name, 0.0), after[named].get(name, 0.0)
                drifts += number_drift(f"{figure} {name}", a, b, allowed)
    return drifts


# Description of a figure, its name, its tolerance, and whether that is a share of the frames.
_FIGURES = {
    "classification": (
        ("frames that show most likely", "top1", "class_top1_share", True),
        ("mean probability of", "probability", "class_probability", False),
    ),
    "segmentation": (("mean share of pixels of", "share", "class_pixel_share", False),),
    "grounding": (
        ("frames that show the words", "found", "phrase_frames_share", True),
        ("mean score of the words", "score", "phrase_score", False),
    ),
}
