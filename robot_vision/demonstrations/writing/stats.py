"""Feature statistics as in LeRobot: by episode, and combined over a dataset.

Names, shapes and combination follow its `compute_stats.py`: min, max, mean, std, count and the
quantiles 1, 10, 50, 90, 99 %; images by channel as [C, 1, 1] and colour divided by 255.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64, Integer

QUANTILES = {"q01": 0.01, "q10": 0.10, "q50": 0.50, "q90": 0.90, "q99": 0.99}
_MOST_IMAGES = 100

Stats = dict[str, np.ndarray]


def vector_stats(values: Float64[np.ndarray, "n d"]) -> Stats:
    """Statistics of each column; a NaN in a column makes its statistics NaN."""
    quantiles = np.quantile(values, list(QUANTILES.values()), axis=0)
    return {
        "min": values.min(axis=0),
        "max": values.max(axis=0),
        "mean": values.mean(axis=0),
        "std": values.std(axis=0),
        "count": np.array([len(values)]),
        **dict(zip(QUANTILES, quantiles, strict=True)),
    }


def image_stats(images: Sequence[Integer[np.ndarray, "_h _w ..."]], *, unit: float) -> Stats:
    """Statistics of each channel of images [H, W] or [H, W, C], divided by `unit`.

    Images hold integers (8 or 16 bits), few enough values to count each one.
    """
    counts = sum(_counts(_thinned(image)) for image in images)
    by_channel = [_counted_stats(channel, unit) for channel in np.atleast_2d(counts)]
    return {
        name: np.array([stats[name] for stats in by_channel]).reshape(-1, 1, 1)
        for name in by_channel[0]
    } | {"count": np.array([len(images)])}


def sampled(count: int) -> list[int]:
    """The images out of `count` to use: at most 100, evenly spread."""
    spread = np.linspace(0, count - 1, min(count, _MOST_IMAGES)).round().astype(int)
    return sorted(set(spread.tolist()))


def joined(parts: Sequence[Mapping[str, Mapping[str, np.ndarray]]]) -> dict[str, Stats]:
    """Statistics of all episodes together. Quantiles are bounds: they do not combine exactly."""
    features = {feature: None for part in parts for feature in part}
    return {
        feature: _joined([part[feature] for part in parts if feature in part])
        for feature in features
    }


def _joined(parts: Sequence[Mapping[str, np.ndarray]]) -> Stats:
    counts = np.array([float(part["count"][0]) for part in parts])
    weights = counts / counts.sum()
    means = np.stack([part["mean"] for part in parts])
    variances = np.stack([part["std"] for part in parts]) ** 2
    mean = np.tensordot(weights, means, axes=1)
    variance = np.tensordot(weights, variances + (means - mean) ** 2, axes=1)
    low = ("min", "q01", "q10", "q50")
    return {
        **{n: np.min([part[n] for part in parts], axis=0) for n in low},
        **{n: np.max([part[n] for part in parts], axis=0) for n in ("max", "q90", "q99")},
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([int(counts.sum())]),
    }


def _counts(image: np.ndarray) -> Int64[np.ndarray, "c levels"]:
    """The count of each value in each channel."""
    levels = np.iinfo(image.dtype).max + 1
    channels = np.atleast_3d(image).reshape(-1, image.shape[2] if image.ndim == 3 else 1).T
    return np.stack([np.bincount(channel, minlength=levels) for channel in channels])


def _counted_stats(counts: Int64[np.ndarray, " levels"], unit: float) -> dict[str, Any]:
    """As `vector_stats` of all counted values."""
    values, total = np.arange(len(counts)) / unit, int(counts.sum())
    mean = counts @ values / total
    place = np.array(list(QUANTILES.values())) * (total - 1)
    ends = np.cumsum(counts)
    low = values[np.searchsorted(ends, np.floor(place), side="right")]
    high = values[np.searchsorted(ends, np.ceil(place), side="right")]
    there = np.flatnonzero(counts)
    return {
        "min": values[there[0]],
        "max": values[there[-1]],
        "mean": mean,
        "std": np.sqrt(counts @ (values - mean) ** 2 / total),
        **dict(zip(QUANTILES, low + (place % 1) * (high - low), strict=True)),
    }


def _thinned(image: np.ndarray) -> np.ndarray:
    """About 150 pixels along the longer side: enough for statistics."""
    step = max(1, max(image.shape[:2]) // 150)
    return image[::step, ::step]
