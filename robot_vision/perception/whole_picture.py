"""Results for the whole picture: its classes, and the class of every cell.

Either comes from a dedicated model or from a detector's head: `class_probabilities` [1, C] and
`semantic` [1, C + 1, h, w], the background first.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float32

from robot_vision.core.types import Classification, SemanticMap
from robot_vision.formats.activations import softmax
from robot_vision.formats.classification import decode_classification
from robot_vision.formats.semantic import decode_semantic
from robot_vision.perception.model import ModelRun

# Tolerance for half-precision probabilities.
_ROUNDING = 1e-2


def classification_of(run: ModelRun, *, stamp_ns: int) -> Classification | None:
    """The classes of a run, most likely first; None for a model without such an output."""
    manifest = run.manifest
    with np.errstate(invalid="ignore", over="ignore"):
        if manifest.task == "classification":
            found = decode_classification(run.outputs, manifest, stamp_ns=stamp_ns)
        elif "class_probabilities" in run.outputs:
            probability = run.outputs["class_probabilities"][0].astype(np.float32)
            order = np.argsort(-probability, kind="stable")
            found = Classification(
                stamp_ns=stamp_ns, class_id=order, probability=probability[order]
            )
        else:
            return None
    return replace(found, class_names=manifest.classes, model_id=manifest.model_id)


def segmentation_of(run: ModelRun, *, stamp_ns: int) -> SemanticMap | None:
    """The class of every cell over the view; None for a model without such an output."""
    manifest = run.manifest
    with np.errstate(invalid="ignore", over="ignore"):
        if manifest.task == "segmentation":
            found = decode_semantic(
                run.outputs, manifest, stamp_ns=stamp_ns, placement=run.placement
            )
        elif (scores := run.grid("semantic")) is not None:
            share = _probabilities(scores)
            found = SemanticMap(
                stamp_ns=stamp_ns, class_id=share.argmax(axis=0) - 1, probability=share.max(axis=0)
            )
        else:
            return None
    return replace(found, class_names=manifest.classes, model_id=manifest.model_id)


def is_sound(probability: Float32[np.ndarray, "*n"] | None) -> bool:
    """Whether these are valid probabilities: finite, and from 0 to 1 within rounding."""
    if probability is None or probability.size == 0:
        return True
    return bool(probability.min() >= -_ROUNDING and probability.max() <= 1 + _ROUNDING)


def _probabilities(scores: Float32[np.ndarray, "c h w"]) -> Float32[np.ndarray, "c h w"]:
    """Scores that sum to one are kept; others are logits and go through softmax."""
    sums_to_one = np.abs(scores.sum(axis=0) - 1).max(initial=0) < _ROUNDING
    return (
        scores if sums_to_one and scores.min(initial=0) >= -_ROUNDING else softmax(scores, axis=0)
    )
