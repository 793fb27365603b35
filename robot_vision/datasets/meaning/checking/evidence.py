"""How well commanded motion explains observed motion, and with which delay."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Real

LAGS = range(-4, 9)
_LEAST_PAIRS = 12
# Steps over which motion is summed to compare distances: an arm spreads a command over time.
_WINDOW = 6
_LEAST_MOTION = 1e-18
_OPPOSITE, _LEAST_SHARE = 0.6, 0.02
_FOLLOWS, _FOLLOWS_NOT = 0.8, 0.3

# Episodes are of different lengths.
Motion = Float[np.ndarray, "_ _"]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Correlation at the best lag, and the gain of the observed motion over the command.

    `lag_steps` above 0: the observation follows the command by that many steps. `mirrored` are
    the dimensions that move opposite to the command, `swapped` pairs of a command's dimension and
    that which follows it instead of its own.
    """

    correlation: float
    gain: float
    lag_steps: int
    pairs: int
    mirrored: tuple[int, ...] = ()
    swapped: tuple[tuple[int, int], ...] = ()


def best_fit(commanded: Sequence[Motion], seen: Sequence[Motion]) -> Fit | None:
    """Over episodes with a row per step; None if there is too little data, or no motion.

    A lag other than 0 must be better by a clear margin.
    """
    fits = {lag: _correlation(commanded, seen, lag) for lag in LAGS}
    known = {lag: fit for lag, fit in fits.items() if fit is not None}
    if 0 not in known:
        return None
    lag = max(known, key=lambda each: known[each][0])
    if known[lag][0] < known[0][0] + 0.05:
        lag = 0
    correlation, pairs = known[lag]
    found = _correlations(commanded, seen, lag)
    return Fit(
        correlation=correlation,
        gain=_gain(commanded, seen, lag),
        lag_steps=lag,
        pairs=pairs,
        mirrored=_mirrored(found),
        swapped=_swapped(found),
    )


def steps_of(values: Sequence[Motion]) -> list[Motion]:
    """The changes from row to row of each episode."""
    return [np.diff(each, axis=0) for each in values]


def centred_correlation(
    first: Sequence[Real[np.ndarray, " _n"]], second: Sequence[Real[np.ndarray, " _n"]], lag: int
) -> float | None:
    """Pearson's correlation of one number per row; None if either hardly moves."""
    pairs = [_paired(a[:, None], b[:, None], lag) for a, b in zip(first, second, strict=True)]
    a = np.concatenate([each[0][:, 0] for each in pairs])
    b = np.concatenate([each[1][:, 0] for each in pairs])
    if len(a) < _LEAST_PAIRS or a.std() < 1e-3 or b.std() < 1e-3:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _correlation(
    commanded: Sequence[Motion], seen: Sequence[Motion], lag: int
) -> tuple[float, int] | None:
    """Not centred: zero motion is also something both must agree on."""
    xy = xx = yy = 0.0
    pairs = 0
    for one, other in zip(commanded, seen, strict=True):
        x, y = _paired(one, other, lag)
        good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
        xy += float((x[good] * y[good]).sum())
        xx += float((x[good] ** 2).sum())
        yy += float((y[good] ** 2).sum())
        pairs += int(good.sum())
    if pairs < _LEAST_PAIRS or min(xx, yy) < _LEAST_MOTION * pairs:
        return None
    return xy / float(np.sqrt(xx * yy)), pairs


def _mirrored(found: Float[np.ndarray, "c c"]) -> tuple[int, ...]:
    """Of the dimensions that move, at the lag of all together."""
    return tuple(np.flatnonzero(np.diag(found) < -_OPPOSITE).tolist())


def _swapped(found: Float[np.ndarray, "c c"]) -> tuple[tuple[int, int], ...]:
    best = found.argmax(axis=1)
    return tuple(
        (one, int(other))
        for one, other in enumerate(best)
        if found[one, other] > _FOLLOWS and found[one, one] < _FOLLOWS_NOT
    )


def _correlations(
    commanded: Sequence[Motion], seen: Sequence[Motion], lag: int
) -> Float[np.ndarray, "c c"]:
    """Of each dimension of the command with each observed one; 0 for those that hardly move."""
    pairs = [_paired(one, other, lag) for one, other in zip(commanded, seen, strict=True)]
    x, y = (np.concatenate(side) for side in zip(*pairs, strict=True))
    good = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
    x, y = x[good], y[good]
    xx, yy = (x**2).sum(axis=0), (y**2).sum(axis=0)
    moves = np.outer(xx > _LEAST_SHARE * xx.sum(), yy > _LEAST_SHARE * yy.sum())
    norm = np.where(moves, np.sqrt(np.outer(xx, yy)), 1.0)
    return np.where(moves, x.T @ y / norm, 0.0)


def _gain(commanded: Sequence[Motion], seen: Sequence[Motion], lag: int) -> float:
    xx = yy = 0.0
    for one, other in zip(commanded, seen, strict=True):
        x, y = _paired(one, other, lag)
        known = (np.isfinite(x) & np.isfinite(y)).all(axis=1, keepdims=True)
        x, y = (_summed(np.where(known, each, 0.0)) for each in (x, y))
        xx, yy = xx + float((x**2).sum()), yy + float((y**2).sum())
    return float(np.sqrt(yy / xx)) if xx > 0 else float("nan")


def _summed(motion: Motion) -> Motion:
    """The sums over all windows of about a second."""
    width = min(_WINDOW, len(motion))
    if width == 0:
        return motion
    sums = np.cumsum(np.concatenate([np.zeros_like(motion[:1]), motion]), axis=0)
    return sums[width:] - sums[:-width]


def _paired(one: Motion, other: Motion, lag: int) -> tuple[Motion, Motion]:
    """Rows of `one` with the rows of `other` that are `lag` later."""
    count = min(len(one), len(other)) - abs(lag)
    if count <= 0:
        return one[:0], other[:0]
    first, second = max(0, -lag), max(0, lag)
    return one[first : first + count], other[second : second + count]
