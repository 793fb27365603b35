"""Rows of boxes and scores, read as the manifest's `OutputReading` says."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.errors import BundleError
from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.formats.activations import logit, sigmoid, softmax
from robot_vision.formats.boxes import BoxesOf, best_class, xyxy_from_cxcywh
from robot_vision.formats.format import Candidates

_ROUNDING = 1e-2  # of probabilities in half precision


def corners_px(
    boxes: Float[np.ndarray, "n 4"], manifest: ModelManifest
) -> Float32[np.ndarray, "n 4"]:
    """Boxes in the manifest's order and units as corners in input pixels."""
    box = boxes.astype(np.float32, copy=False)
    if manifest.reading.box_order == "cxcywh":
        box = xyxy_from_cxcywh(box)
    elif manifest.reading.box_order == "yxyx":
        box = box[:, [1, 0, 3, 2]]
    return in_pixels(box, manifest)


def in_pixels(
    box: Float[np.ndarray, "n 4"], manifest: ModelManifest
) -> Float32[np.ndarray, "n 4"]:
    """Boxes, by corners or by centre and size, in input pixels if `box_units` are fractions."""
    box = box.astype(np.float32, copy=False)
    return box * input_size_px(manifest) if manifest.reading.box_units == "fractions" else box


def input_size_px(manifest: ModelManifest) -> Float32[np.ndarray, "4"]:
    """Width and height of the input, twice: the factors for boxes given as fractions."""
    return np.array((manifest.input.width_px, manifest.input.height_px) * 2, np.float32)


def columns_of_scores(manifest: ModelManifest) -> int:
    """The scores of a row: one a class, and one for the background where there is one."""
    return len(manifest.classes) + (manifest.reading.background != "none")


def without_background(
    scores: Float32[np.ndarray, "n k"], manifest: ModelManifest
) -> Float32[np.ndarray, "n c"]:
    """The scores of the manifest's classes."""
    first = int(manifest.reading.background == "first")
    return scores[:, first : first + len(manifest.classes)]


def class_scores(
    scores: Float[np.ndarray, "n k"], manifest: ModelManifest
) -> Float32[np.ndarray, "n c"]:
    """Probabilities of the classes; logits of rows with a background compete by softmax."""
    known = scores.astype(np.float32, copy=False)
    if manifest.reading.scores == "logits":
        known = sigmoid(known) if manifest.reading.background == "none" else softmax(known)
    return without_background(known, manifest)


def check_kind_of_scores(
    scores: Float[np.ndarray, "..."], manifest: ModelManifest, *, axis: int
) -> None:
    """Raise `BundleError` where logits are read as probabilities, or these as logits.

    Probabilities sum to one along `axis`, or lie from 0 to 1 where there is only one. Read as
    the other kind, scores look plausible and are wrong.
    """
    known = scores.astype(np.float64)
    total = known.sum(axis=axis)
    in_range = bool(((known >= -_ROUNDING) & (known <= 1 + _ROUNDING)).all())
    is_share = known.shape[axis] == 1 or bool((np.abs(total - 1) < _ROUNDING).all())
    kind = "probabilities" if in_range and is_share else "logits"
    if kind != manifest.reading.scores:
        raise BundleError(
            f"bundle {manifest.name!r}: its scores lie from {known.min():.3g} to "
            f"{known.max():.3g} and sum to {float(total.flat[0]):.3g}; these are {kind}, and the "
            f"manifest's reading says scores {manifest.reading.scores!r}"
        )


def surest(
    scores: Float[np.ndarray, "n c"],
    boxes_of: BoxesOf,
    *,
    min_score: float,
    logits: bool = False,
) -> Candidates:
    """Each row's best class, if it reaches `min_score`; only then is its box decoded.

    `logits`: scores are taken before a sigmoid.
    """
    least = logit(min_score) if logits else min_score
    row = np.flatnonzero(scores.max(axis=1) >= least)
    known = scores[row].astype(np.float32, copy=False)
    found = best_class(sigmoid(known) if logits else known, boxes_of(row), min_score)
    return replace(found, row=row[found.row])
