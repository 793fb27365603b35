"""DETR-style set predictions as the network gives them (Carion et al. 2020, arXiv:2005.12872).

`logits` [1, N, C] and `boxes` [1, N, 4] as cxcywh in fractions of the input, one box per object,
as Hugging Face exports them. `manifest.activation`: sigmoid per class, or softmax over C + 1 with
the last for no object.
"""

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.formats.boxes import best_class, checked_boxes, xyxy_from_cxcywh
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Candidates, Detection, Format, Outputs
from robot_vision.formats.habits import IMAGENET
from robot_vision.formats.registry import register_format


def _decode(outputs: Outputs, manifest: ModelManifest, *, min_score: float) -> Candidates:
    boxes, logits = checked_boxes(outputs, "boxes", manifest), outputs["logits"]
    softmax = manifest.activation == "softmax"
    shape = (1, boxes.shape[1], len(manifest.classes) + softmax)
    if logits.shape != shape:
        raise misfit(manifest, "logits", logits, str(list(shape)))
    activate = _softmax if softmax else _sigmoid
    scores = activate(logits[0].astype(np.float32, copy=False))[:, : len(manifest.classes)]
    size = np.array((manifest.input.width_px, manifest.input.height_px) * 2, np.float32)
    return best_class(
        scores, xyxy_from_cxcywh(boxes[0].astype(np.float32, copy=False) * size), min_score
    )


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)  # no overflow at either end


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


register_format(
    Format(
        name="detr_logits",
        task="detection",
        roles=("logits", "boxes"),
        detection=Detection(decode=_decode, needs_nms=False),
        habits={"resize": "stretch", **IMAGENET},
        other_names={"pred_boxes": "boxes"},
    )
)
