"""Cuts holes into measured depth, to judge methods of filling them."""

from collections.abc import Callable, Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float32

Cut = Callable[
    [np.random.Generator, Float32[np.ndarray, "h w"], Sequence[Float32[np.ndarray, "h w"]]],
    Bool[np.ndarray, "h w"],
]
# Depth belongs to one surface while it changes by less than this between pixels (log).
_SAME_SURFACE = 0.012
# An object's share of the picture, and the largest share of the picture that is cut.
_OBJECT_SHARES, _MOST_CUT = (0.001, 0.04), 0.12
_TRIES = 60


def rectangles(
    rng: np.random.Generator,
    depth_m: Float32[np.ndarray, "h w"],
    others: Sequence[Float32[np.ndarray, "h w"]],  # noqa: ARG001 (one shape for all)
) -> Bool[np.ndarray, "h w"]:
    """Three to seven rectangles of up to a quarter of the picture's sides."""
    cut = np.zeros(depth_m.shape, bool)
    height, width = depth_m.shape
    for _ in range(rng.integers(3, 8)):
        high, wide = rng.integers(height // 24, height // 4), rng.integers(width // 24, width // 4)
        top, left = rng.integers(0, height - high), rng.integers(0, width - wide)
        cut[top : top + high, left : left + wide] = True
    return cut


def objects(
    rng: np.random.Generator,
    depth_m: Float32[np.ndarray, "h w"],
    others: Sequence[Float32[np.ndarray, "h w"]],  # noqa: ARG001
) -> Bool[np.ndarray, "h w"]:
    """Whole surfaces bounded by depth edges, including their rims: nothing of them stays
    visible."""
    cut = np.zeros(depth_m.shape, bool)
    log_m = np.log(np.maximum(cv2.medianBlur(np.nan_to_num(depth_m), 5), 1e-3))
    known = np.argwhere(np.isfinite(depth_m))
    for row, column in rng.permutation(known)[:_TRIES].tolist():
        found = np.zeros(np.add(depth_m.shape, 2), np.uint8)
        count = cv2.floodFill(
            log_m.copy(),
            found,
            (column, row),
            (0,),
            loDiff=(_SAME_SURFACE,),
            upDiff=(_SAME_SURFACE,),
            flags=cv2.FLOODFILL_MASK_ONLY,
        )[0]
        if _OBJECT_SHARES[0] < count / cut.size < _OBJECT_SHARES[1]:
            cut |= cv2.dilate(found[1:-1, 1:-1], np.ones((9, 9), np.uint8)) > 0
        if cut.mean() > _MOST_CUT:
            break
    return cut


def patterns(
    rng: np.random.Generator,
    depth_m: Float32[np.ndarray, "h w"],
    others: Sequence[Float32[np.ndarray, "h w"]],
) -> Bool[np.ndarray, "h w"]:
    """The holes of another picture of the same sensor, mirrored and shifted around."""
    cut = np.isnan(others[int(rng.integers(len(others)))])[:, :: int(rng.choice([-1, 1]))]
    shifts = [int(rng.integers(size)) for size in depth_m.shape]
    return np.roll(cut, shifts, axis=(0, 1))


CUTS: dict[str, Cut] = {"rectangles": rectangles, "objects": objects, "real patterns": patterns}
