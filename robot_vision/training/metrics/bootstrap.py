"""Confidence intervals of metrics on a held-out set, by resampling its pictures with replacement.

Percentile bootstrap (Efron, Annals of Statistics 7, 1979). Every figure of a set is computed from
the same draws, so that metrics of one model can be combined.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float64

_ROUNDS, _LEAST_ROUNDS = 1000, 200
# Size of one table of draws: with many pictures there are fewer rounds, to bound memory.
_MOST_CELLS = 10_000_000
# Views of a scene and frames of a video are adjacent in a set, and are right or wrong
# together: neighbours are drawn together.
_NEIGHBOURS, _LEAST_GROUPS = 5, 10
_PERCENT = (2.5, 97.5)


def draws(pictures: int) -> Float64[np.ndarray, "b {pictures}"]:
    """How often each of `pictures`, in the order of the set, is drawn in each round.

    The same on every call. Neighbours are drawn in groups of five, or fewer in a small set.
    """
    size = min(_NEIGHBOURS, max(1, pictures // _LEAST_GROUPS))
    groups = -(-pictures // size)
    rounds = int(np.clip(_MOST_CELLS // pictures, _LEAST_ROUNDS, _ROUNDS))
    drawn = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), size=rounds)
    return np.repeat(drawn, size, axis=1)[:, :pictures].astype(np.float64)


def resampled_share(
    counted: Float64[np.ndarray, "n ..."], of: Float64[np.ndarray, "n ..."]
) -> Float64[np.ndarray, "b ..."]:
    """In each round the sum of `counted` over that of `of`; NaN if the latter is 0."""
    times = draws(len(of))
    with np.errstate(invalid="ignore", divide="ignore"):
        return (times @ counted) / (times @ of)


def nanmean(
    values: Float64[np.ndarray, "k b"],
) -> Float64[np.ndarray, " b"]:
    """The mean over the first axis, ignoring NaN; NaN if nothing is left."""
    is_there = np.isfinite(values)
    total = np.where(is_there, values, 0.0).sum(axis=0)
    return np.where(is_there.any(axis=0), total / np.maximum(is_there.sum(axis=0), 1), np.nan)


def resampled_mean(values: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " b"]:
    """In each round the mean of the pictures' known values."""
    return resampled_share(values, np.ones(len(values)))


def bounds(resampled: Mapping[str, Float64[np.ndarray, " b"]]) -> dict[str, float]:
    """`<name>_low` and `<name>_high` of each metric: its 95 % confidence bounds.

    Rounds without the metric (NaN) do not count; a metric that is the same in all
    gives no information on its uncertainty, as for a single picture, and has none.
    """
    found: dict[str, float] = {}
    for name, values in resampled.items():
        known = values[np.isfinite(values)]
        if len(known) and np.ptp(known) > 0:
            low, high = np.percentile(known, _PERCENT)
            found |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return found
