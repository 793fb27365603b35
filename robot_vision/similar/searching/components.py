"""Colours cells of feature maps by their main differences: similar parts get similar colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.core.types import Features
from robot_vision.similar.store import SimilarError

# Shares of the cells clipped to black or full in a component: a few outliers would dim the rest.
_DARKEST, _BRIGHTEST = 0.02, 0.98


@dataclass(frozen=True, kw_only=True, eq=False)
class Components:
    """`mean` and the three directions in which cells vary most; their ranges, black to full."""

    mean: Float32[np.ndarray, " c"]
    directions: Float32[np.ndarray, "c 3"]
    low: Float32[np.ndarray, " 3"]
    high: Float32[np.ndarray, " 3"]
    explained: Float32[np.ndarray, " 3"]

    def colours(self, features: Features) -> UInt8[np.ndarray, "h w 3"]:
        """A colour per cell: the first component is red, the second green, the third blue."""
        channels, height, width = features.grid.shape
        along = (features.grid.reshape(channels, -1).T - self.mean) @ self.directions
        shares = (along - self.low) / np.maximum(self.high - self.low, 1e-12)
        return (shares.clip(0, 1) * 255).round().astype(np.uint8).reshape(height, width, 3)


def principal_components(maps: Sequence[Features]) -> Components:
    """Components over the cells of all maps together, so that colours mean the same in each.

    `explained` are the components' shares of the variance. Raises `SimilarError` if all cells
    are alike, or have fewer than three numbers.
    """
    cells = np.concatenate([each.grid.reshape(len(each.grid), -1).T for each in maps])
    mean = cells.mean(axis=0)
    around = (cells - mean).astype(np.float64)
    variances, directions = np.linalg.eigh(around.T @ around / len(cells))
    if len(variances) < 3 or not variances[-1] > 1e-12:
        raise SimilarError(
            f"{len(cells)} cells of {len(variances)} numbers do not differ: expected pictures "
            "with something in them, and a model of three channels or more"
        )
    best = directions[:, : -3 - 1 : -1]
    # A direction is as good as its opposite: its largest number is taken as positive.
    largest = np.abs(best).argmax(axis=0)
    best = best * np.sign(best[largest, range(3)])
    low, high = np.quantile(around @ best, (_DARKEST, _BRIGHTEST), axis=0)
    shares = variances[: -3 - 1 : -1] / variances.sum()
    arrays = (mean, best, low, high, shares)
    names = ("mean", "directions", "low", "high", "explained")
    return Components(**{n: a.astype(np.float32) for n, a in zip(names, arrays, strict=True)})


def draw_components(
    rgb: UInt8[np.ndarray, "h w 3"], colours: UInt8[np.ndarray, "hc wc 3"]
) -> UInt8[np.ndarray, "h w2 3"]:
    """The picture, with its coloured cells beside it."""
    size = rgb.shape[1], rgb.shape[0]
    return np.hstack([rgb, cv2.resize(colours, size, interpolation=cv2.INTER_NEAREST)])
