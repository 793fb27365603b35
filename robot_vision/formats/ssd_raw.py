"""Scores and boxes of every anchor, before suppression: SSD (Liu et al. 2016, arXiv:1512.02325).

`scores` [1, N, C + 1], the background among them, and `boxes` [1, N, 4] in fractions of the input:
so do UltraFace, pytorch-ssd and TensorFlow's `raw_detection_*` export. Boxes that are still
relative to their anchors (`grid` encoded) need these as a third output, `anchors` [N, 4] or
[1, N, 4], by centre and size in the same units; they are decoded with SSD's variances.
"""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.boxes import checked_boxes, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.reading import (
    class_scores,
    columns_of_scores,
    corners_px,
    input_size_px,
    surest,
)
from robot_vision.formats.registry import register_format

_CENTRE_VARIANCE = 0.1
_SIZE_VARIANCE = 0.2


def _roles_by_shape(tensors: Outputs, manifest: ModelManifest) -> dict[str, str]:
    """Boxes have four values in a row, scores as many as there are classes."""
    found = {}
    for role, values in (("boxes", 4), ("scores", columns_of_scores(manifest))):
        fits = [n for n, t in tensors.items() if t.ndim == 3 and t.shape[2] == values]
        if len(fits) == 1:
            found[role] = fits[0]
    return found


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes, scores = checked_boxes(outputs, "boxes", manifest), outputs["scores"]
    shape = (1, boxes.shape[1], columns_of_scores(manifest))
    if scores.shape != shape:
        raise misfit(manifest, "scores", scores, str(list(shape)))
    if manifest.reading.grid == "decoded":

        def boxes_of(row: np.ndarray) -> np.ndarray:
            return corners_px(boxes[0, row], manifest)
    else:
        anchors = _anchors(outputs, manifest, rows=boxes.shape[1])

        def boxes_of(row: np.ndarray) -> np.ndarray:
            return _at_anchors(boxes[0, row].astype(np.float32), anchors[row], manifest)

    return surest(class_scores(scores[0], manifest), boxes_of, min_score=min_score)


def _anchors(outputs: Outputs, manifest: ModelManifest, *, rows: int) -> np.ndarray:
    anchors = outputs.get("anchors")
    if anchors is None:
        raise BundleError(
            f"bundle {manifest.name!r}: its boxes are relative to anchors, and the model has no "
            "output 'anchors'; export it with them, or with its boxes decoded (grid=decoded)"
        )
    if anchors.shape not in ((rows, 4), (1, rows, 4)):
        raise misfit(manifest, "anchors", anchors, f"[{rows}, 4] or [1, {rows}, 4]")
    return anchors.reshape(rows, 4).astype(np.float32, copy=False)


@np.errstate(over="ignore")  # infinite boxes are dropped by the caller
def _at_anchors(relative: np.ndarray, anchor: np.ndarray, manifest: ModelManifest) -> np.ndarray:
    centre = anchor[:, :2] + relative[:, :2] * _CENTRE_VARIANCE * anchor[:, 2:]
    size = anchor[:, 2:] * np.exp(relative[:, 2:] * _SIZE_VARIANCE)
    corners = xyxy_from_cxcywh(np.concatenate([centre, size], axis=1))
    in_fractions = manifest.reading.box_units == "fractions"
    return corners * input_size_px(manifest) if in_fractions else corners


register_format(
    Format(
        name="ssd_raw",
        task="detection",
        roles=("scores", "boxes"),
        optional_roles=("anchors",),
        detection=Detection(decode=_decode, needs_nms=True),
        roles_by_shape=_roles_by_shape,
        habits={
            "resize": "stretch",
            "scale": 1.0,
            "mean": (127.0, 127.0, 127.0),
            "std": (128.0, 128.0, 128.0),
        },
        other_names={
            "raw_detection_boxes": "boxes",
            "raw_detection_scores": "scores",
            "priors": "anchors",
        },
        readings={
            "box_units": ("fractions", "pixels"),
            "box_order": ("xyxy", "yxyx", "cxcywh"),
            "scores": ("probabilities", "logits"),
            "grid": ("decoded", "encoded"),
            "background": ("first", "none"),
        },
    )
)
