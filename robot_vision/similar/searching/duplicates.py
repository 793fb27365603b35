"""Near-duplicates: pictures as similar as a picture and an altered copy of it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.similar.store import Index, SimilarError

# This share of altered copies is found.
FOUND_COPIES = 0.95
_LEAST_COPIES = 8
_BLOCK = 1024
# Cosines of a vector with itself differ from 1 by this much: vectors are of single precision.
_ROUNDING = 2e-6


@dataclass(frozen=True, kw_only=True, eq=False)
class Group:
    """Rows that look the same: `kept` came first, `others` are `threshold` similar or more."""

    kept: int
    others: Int64[np.ndarray, " n"]
    similarity: Float32[np.ndarray, " n"]


def duplicate_threshold(index: Index) -> float:
    """The cosine that `FOUND_COPIES` of the pictures have with an altered copy of themselves.

    The index measured it on one in eight of its pictures (`altered`). Raises `SimilarError`
    if these are too few.
    """
    known = index.rows["copy_similarity"]
    known = known[np.isfinite(known)]
    if len(known) < _LEAST_COPIES:
        raise SimilarError(
            f"{len(index)} pictures are too few to choose a threshold: it is measured on one "
            f"in eight, and {_LEAST_COPIES} are needed. Give --threshold (a cosine, as 0.98)"
        )
    return float(np.quantile(known, 1 - FOUND_COPIES))


def duplicate_groups(vectors: Float32[np.ndarray, "n d"], *, threshold: float) -> list[Group]:
    """Groups by falling size. Each row joins the first kept row that it resembles, or is kept.

    Rows are compared with kept rows, not in chains: along a slow pan, chains would make
    one group of all.
    """
    kept_rows = list[int]()
    members: dict[int, list[tuple[int, float]]] = {}
    kept = np.zeros((0, vectors.shape[1]), np.float32)
    for begins in range(0, len(vectors), _BLOCK):
        block = np.array(vectors[begins : begins + _BLOCK])
        before = len(kept_rows)
        known = block @ kept.T if before else np.zeros((len(block), 0), np.float32)
        within = block @ block.T
        fresh = list[int]()  # rows of the block that are kept
        for row in range(len(block)):
            cosine = np.concatenate([known[row], within[row, fresh]])
            alike = np.flatnonzero(cosine >= threshold - _ROUNDING)
            if len(alike):
                first = int(alike[0])
                members.setdefault(kept_rows[first], []).append(
                    (begins + row, float(cosine[first]))
                )
            else:
                fresh.append(row)
                kept_rows.append(begins + row)
        kept = np.concatenate([kept, block[fresh]])
    groups = [
        Group(
            kept=row,
            others=np.array([other for other, _ in found], np.int64),
            similarity=np.array([cosine for _, cosine in found], np.float32),
        )
        for row, found in members.items()
    ]
    return sorted(groups, key=lambda group: (-len(group.others), group.kept))
