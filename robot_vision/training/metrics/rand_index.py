"""Adjusted Rand index: agreement of two partitions of the same pixels (Hubert, Arabie 1985)."""

import numpy as np
from jaxtyping import Integer


def adjusted_rand_index(one: Integer[np.ndarray, " n"], other: Integer[np.ndarray, " n"]) -> float:
    """1 if two partitions of n pixels are equal up to names, about 0 by chance.

    Also 1 if neither separates anything (there is nothing to disagree on).
    """
    _, rows = np.unique(one, return_inverse=True)
    _, columns = np.unique(other, return_inverse=True)
    width = columns.max(initial=0) + 1
    table = np.bincount(rows * width + columns).astype(np.float64)
    pairs = _pairs(table).sum()
    pairs_one = _pairs(np.bincount(rows).astype(np.float64)).sum()
    pairs_other = _pairs(np.bincount(columns).astype(np.float64)).sum()
    by_chance = pairs_one * pairs_other / max(len(one) * (len(one) - 1) / 2, 1.0)
    most = (pairs_one + pairs_other) / 2
    return 1.0 if most == by_chance else float((pairs - by_chance) / (most - by_chance))


def _pairs(counts: np.ndarray) -> np.ndarray:
    return counts * (counts - 1) / 2
