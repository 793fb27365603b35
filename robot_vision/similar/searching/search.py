"""The nearest rows by cosine, exactly, in blocks: memory does not grow with the index."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Int64

BLOCK = 16_384


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """The origin of vectors: the number of the source, −1 for none, and the stamp in it."""

    source: Int64[np.ndarray, " n"]
    stamp_ns: Int64[np.ndarray, " n"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Apart:
    """Rows of a query's own source within `apart_ns` do not count as its neighbours."""

    queries: Places
    rows: Places
    apart_ns: int


def nearest(
    vectors: Float32[np.ndarray, "n d"],
    queries: Float32[np.ndarray, "q d"],
    *,
    count: int,
    apart: Apart | None = None,
) -> tuple[Float32[np.ndarray, "q k"], Int64[np.ndarray, "q k"]]:
    """Cosines, descending, and rows of the `count` nearest of each query; k is at most n.

    If fewer rows qualify, the rest have the cosine −inf.
    """
    count = min(count, len(vectors))
    best = np.full((len(queries), 0), -np.inf, np.float32)
    rows = np.zeros((len(queries), 0), np.int64)
    for begins in range(0, len(vectors), BLOCK):
        block = np.asarray(vectors[begins : begins + BLOCK])
        cosine = queries @ block.T
        if apart is not None:
            cosine[is_near(apart, slice(begins, begins + len(block)))] = -np.inf
        numbers = np.broadcast_to(np.arange(begins, begins + len(block)), cosine.shape)
        best = np.concatenate([best, cosine], axis=1)
        rows = np.concatenate([rows, numbers], axis=1)
        if best.shape[1] > count:
            kept = np.argpartition(-best, count - 1, axis=1)[:, :count]
            best, rows = (np.take_along_axis(each, kept, axis=1) for each in (best, rows))
    # By descending cosine, then by row, so that results are reproducible.
    order = np.lexsort((rows, -best), axis=1)
    return np.take_along_axis(best, order, axis=1), np.take_along_axis(rows, order, axis=1)


def is_near(apart: Apart, block: slice) -> Bool[np.ndarray, "q b"]:
    """Which rows of a block are of a query's own source, and too near in time to count."""
    same = apart.queries.source[:, None] == apart.rows.source[block][None]
    gap_ns = np.abs(apart.queries.stamp_ns[:, None] - apart.rows.stamp_ns[block][None])
    return same & (gap_ns <= apart.apart_ns)
