"""Our multi-task model: boxes and scores per anchor, masks as products of prototypes (YOLACT).

Shapes are in ARCHITECTURE.md. Masks are made for the boxes kept, not for every anchor.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Bool, Float

from robot_vision.core.manifest import ModelManifest
from robot_vision.perception.decoding import DECODERS, Candidates, every_class, misfit
from robot_vision.perception.preprocess import Placement

MASK_ROLES = ("mask_coefficients", "mask_prototypes")


class NativeDecoder:
    """`boxes_xyxy` [1, A, 4] in input pixels and `scores` [1, A, C], both ready to use."""

    roles = ("boxes_xyxy", "scores")
    needs_nms = True
    weighs_overlaps = True

    def decode(
        self, outputs: Mapping[str, np.ndarray], manifest: ModelManifest, *, min_score: float
    ) -> Candidates:
        boxes, scores = outputs["boxes_xyxy"], outputs["scores"]
        if boxes.ndim != 3 or boxes.shape[0] != 1 or boxes.shape[2] != 4:
            raise misfit(manifest, "boxes_xyxy", boxes, "[1, A, 4]")
        shape = (1, boxes.shape[1], len(manifest.classes))
        if scores.shape != shape:
            raise misfit(manifest, "scores", scores, str(list(shape)))
        return every_class(
            scores[0].astype(np.float32, copy=False),
            boxes[0].astype(np.float32, copy=False),
            min_score,
        )


def check_masks(outputs: Mapping[str, np.ndarray], manifest: ModelManifest) -> None:
    """Raise `BundleError` unless coefficients [1, A, K] and prototypes [1, K, h, w] fit."""
    coefficients, prototypes = (outputs[role] for role in MASK_ROLES)
    if prototypes.ndim != 4 or prototypes.shape[0] != 1:
        raise misfit(manifest, "mask_prototypes", prototypes, "[1, K, h, w]")
    shape = (1, outputs["boxes_xyxy"].shape[1], prototypes.shape[1])
    if coefficients.shape != shape:
        raise misfit(manifest, "mask_coefficients", coefficients, str(list(shape)))


def masks_of(
    coefficients: Float[np.ndarray, "n k"],
    prototypes: Float[np.ndarray, "k hm wm"],
    box_xyxy_px: Float[np.ndarray, "n 4"],
    *,
    placement: Placement,
) -> Bool[np.ndarray, "n hm wm"]:
    """Masks on the prototypes' grid over the view, cropped to boxes in pixels of the view.

    sigmoid(x) > 0.5 is x > 0, so no sigmoid is taken.
    """
    height, width = prototypes.shape[1:]
    logits = np.tensordot(coefficients, prototypes, axes=1)
    x = (np.arange(width) + 0.5) * (placement.view_width_px / width)
    y = (np.arange(height) + 0.5) * (placement.view_height_px / height)
    inside_x = (x >= box_xyxy_px[:, :1]) & (x <= box_xyxy_px[:, 2:3])
    inside_y = (y >= box_xyxy_px[:, 1:2]) & (y <= box_xyxy_px[:, 3:])
    return (logits > 0) & inside_y[:, :, None] & inside_x[:, None, :]


DECODERS.register("native")(NativeDecoder())
