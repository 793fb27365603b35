"""Boxes for free text: a model whose classes are the phrases of a prompt.

`boxes_xyxy` [1, A, 4] in input pixels and `scores` [1, A, P], the confidence that a box shows what
a phrase names; the columns of absent phrases mean nothing.
"""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import checked_boxes, every_class
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    """Candidates of the phrases that the manifest has as classes."""
    if manifest.prompt is None:
        raise BundleError(f"bundle {manifest.name!r} has no text encoder (`prompt`)")
    boxes, scores = checked_boxes(outputs, "boxes_xyxy", manifest), outputs["scores"]
    shape = (1, boxes.shape[1], manifest.prompt.phrases)
    if scores.shape != shape:
        raise misfit(manifest, "scores", scores, str(list(shape)))
    asked = scores[0, :, : len(manifest.classes) or manifest.prompt.phrases]
    return every_class(
        asked.astype(np.float32, copy=False), boxes[0].astype(np.float32, copy=False), min_score
    )


register_format(
    Format(
        name="grounding",
        task="grounding",
        roles=("boxes_xyxy", "scores"),
        detection=Detection(decode=_decode, needs_nms=True),
        asked_by_words=True,
    )
)
