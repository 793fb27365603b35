"""DETR-style set predictions: one box per query, no suppression needed.

`detr` has post-processing in the graph (RT-DETR, D-FINE exports); `detr_logits` has not
(DETR, Carion et al. 2020; Hugging Face exports).
"""

from collections.abc import Mapping

import numpy as np

from robot_vision.core.manifest import ModelManifest
from robot_vision.perception.decoding import (
    DECODERS,
    Candidates,
    best_class,
    misfit,
    xyxy_from_cxcywh,
)


class DetrDecoder:
    """`labels` [1, N], `boxes` [1, N, 4] as xyxy in input pixels, `scores` [1, N].

    A graph that scales boxes to `orig_target_sizes` is given the size of its input.
    """

    roles = ("labels", "boxes", "scores")
    needs_nms = False
    weighs_overlaps = False

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates:
        labels, boxes, scores = (outputs[role] for role in self.roles)
        _check_boxes(manifest, boxes)
        for role in ("labels", "scores"):
            if outputs[role].shape != boxes.shape[:2]:
                raise misfit(manifest, role, outputs[role], str(list(boxes.shape[:2])))
        class_id = labels[0].astype(np.int64)
        # Labels outside the bundle's classes (a padding class) are nobody's detections.
        known = (class_id >= 0) & (class_id < len(manifest.classes))
        row = np.flatnonzero((scores[0] >= min_score) & known)
        return Candidates(
            box_xyxy_px=boxes[0, row].astype(np.float32, copy=False),
            score=scores[0, row].astype(np.float32, copy=False),
            class_id=class_id[row],
            row=row,
        )


class DetrLogitsDecoder:
    """`logits` [1, N, C] and `boxes` [1, N, 4] as cxcywh in fractions of the input.

    `manifest.activation`: sigmoid per class, or softmax over C + 1 with the last for no object.
    """

    roles = ("logits", "boxes")
    needs_nms = False
    weighs_overlaps = False

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates:
        logits, boxes = outputs["logits"], outputs["boxes"]
        _check_boxes(manifest, boxes)
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


def _check_boxes(manifest: ModelManifest, boxes: np.ndarray) -> None:
    if boxes.ndim != 3 or boxes.shape[0] != 1 or boxes.shape[2] != 4:
        raise misfit(manifest, "boxes", boxes, "[1, N, 4]")


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (np.tanh(0.5 * x) + 1)  # no overflow at either end


def _softmax(x: np.ndarray) -> np.ndarray:
    powers = np.exp(x - x.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


DECODERS.register("detr")(DetrDecoder())
DECODERS.register("detr_logits")(DetrLogitsDecoder())
