"""Masks as products of coefficients and prototypes (YOLACT, Bolya et al. 2019, 1904.02689).

They are computed for the boxes kept, not for every anchor.
"""

import numpy as np
from jaxtyping import Bool, Float, Float32, Int64

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.check import misfit
from robot_vision.formats.format import Outputs

MASK_ROLES = ("mask_coefficients", "mask_prototypes")


def prototype_masks(
    outputs: Outputs,
    manifest: ModelManifest,
    *,
    row: Int64[np.ndarray, " n"],
    box_xyxy_px: Float32[np.ndarray, "n 4"],
    placement: Placement,
) -> Bool[np.ndarray, "n hm wm"] | None:
    """Masks of the boxes in these rows; None where the model has no `MASK_ROLES`."""
    if not all(role in outputs for role in MASK_ROLES):
        return None
    coefficients, whole = (outputs[role][0] for role in MASK_ROLES)
    prototypes = placement.crop(whole, input_width_px=manifest.input.width_px)
    return masks_of(
        coefficients[row],
        np.ascontiguousarray(prototypes, np.float32),
        box_xyxy_px,
        placement=placement,
    )


def check_prototypes(outputs: Outputs, manifest: ModelManifest, *, rows: int) -> None:
    """Raise `BundleError` unless coefficients [1, rows, K] and prototypes [1, K, h, w] fit."""
    if not all(role in outputs for role in MASK_ROLES):
        return
    coefficients, prototypes = (outputs[role] for role in MASK_ROLES)
    if prototypes.ndim != 4 or prototypes.shape[0] != 1:
        raise misfit(manifest, "mask_prototypes", prototypes, "[1, K, h, w]")
    shape = (1, rows, prototypes.shape[1])
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
