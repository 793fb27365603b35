"""Novelty: the distance of the k-th neighbour, compared with the usual one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Float64

from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import EncodingError
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.similar.embedder import Embedder
from robot_vision.similar.frames import open_pictures
from robot_vision.similar.search import Apart, Places, nearest
from robot_vision.similar.sheets import thumbnail
from robot_vision.similar.store import Index, SimilarError

NEIGHBOURS = 5
# Rows for calibrating the index, spread over it.
_CALIBRATED = 2000
_TOGETHER = 256


@dataclass(frozen=True, kw_only=True, eq=False)
class Usual:
    """Distances of the index's own rows to their k-th neighbours, ascending."""

    distance: Float32[np.ndarray, " n"]
    neighbours: int

    def share(self, distance: Float32[np.ndarray, " q"]) -> Float64[np.ndarray, " q"]:
        """The share of the index's rows that are closer to the rest: 1 is farther than all."""
        return np.searchsorted(self.distance, distance, side="left") / len(self.distance)


def usual_distances(index: Index, *, neighbours: int = NEIGHBOURS, apart_s: float = 1.0) -> Usual:
    """Distances for rows spread over the index; rows close in time do not count as neighbours.

    Consecutive frames look the same: compared with them, everything else would be new. Raises
    `SimilarError` if too few rows are far enough apart.
    """
    rows = np.unique(np.linspace(0, max(0, len(index) - 1), _CALIBRATED).astype(int))
    rows = rows[: len(index)]
    found = [
        kth_distance(
            index, np.array(index.vectors[part]), neighbours=neighbours,
            places=places_of(index, part), apart_s=apart_s,
        )
        for part in (rows[i : i + _TOGETHER] for i in range(0, len(rows), _TOGETHER))
    ]  # fmt: skip
    distance = np.concatenate(found) if found else np.zeros(0, np.float32)
    distance = np.sort(distance[np.isfinite(distance)])
    if not len(distance):
        raise SimilarError(
            f"no picture of the index has {neighbours} others more than {apart_s:g} s "
            "apart: index more, or give smaller --neighbours or --apart"
        )
    return Usual(distance=distance, neighbours=neighbours)


def kth_distance(
    index: Index,
    queries: Float32[np.ndarray, "q d"],
    *,
    neighbours: int,
    places: Places | None = None,
    apart_s: float = 0.0,
) -> Float32[np.ndarray, " q"]:
    """1 − cosine of the k-th neighbour; infinite where there are fewer."""
    apart = None
    if places is not None:
        apart = Apart(
            queries=places,
            rows=places_of(index, np.arange(len(index))),
            apart_ns=round(apart_s * 1e9),
        )
    cosine, _ = nearest(index.vectors, queries, count=neighbours, apart=apart)
    if cosine.shape[1] < neighbours:
        return np.full(len(queries), np.inf, np.float32)
    return 1 - cosine[:, neighbours - 1]


def places_of(index: Index, rows: np.ndarray) -> Places:
    known = index.rows[rows]
    return Places(
        source=known["source"].astype(np.int64), stamp_ns=known["stamp_ns"].astype(np.int64)
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A picture: its distance to the k-th neighbour, the share of the index's own rows that are
    closer to the rest, and its nearest row in the index."""

    source: str
    name: str
    distance: float
    share: float
    nearest: int
    thumbnail: bytes


def judge_novelty(
    index: Index,
    embedder: Embedder,
    usual: Usual,
    path: Path,
    *,
    config: ServiceConfig,
    options: BagOptions,
    every: int = 1,
) -> Iterator[Judged]:
    """Every `every`-th decodable picture of a source. Raises `BagError`."""
    source = open_pictures(path, config=config, options=options)
    for place, picture in enumerate(source.pictures()):
        if place % every:
            continue
        try:
            rgb = picture.read()
        except EncodingError:
            continue
        vector = embedder.look(rgb)[None]
        cosine, rows = nearest(index.vectors, vector, count=usual.neighbours)
        distance = 1 - cosine[:, usual.neighbours - 1]
        yield Judged(
            source=str(path),
            name=picture.name,
            distance=float(distance[0]),
            share=float(usual.share(distance)[0]),
            nearest=int(rows[0, 0]),
            thumbnail=thumbnail(rgb),
        )
