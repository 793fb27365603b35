"""Novelty: the distance of the k-th neighbour, compared with the usual one."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64

from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.similar.embedder import Embedder, mean_of
from robot_vision.similar.frames import open_pictures
from robot_vision.similar.searching.search import Apart, Places
from robot_vision.similar.searching.yardstick import Yardstick, nearest_by, yardstick_of
from robot_vision.similar.sheets import thumbnail
from robot_vision.similar.store import Index, SimilarError

NEIGHBOURS = 5
# Rows for calibrating the index, spread over it.
_CALIBRATED = 2000
_TOGETHER = 256
_JUDGED_TOGETHER = 64
_PARTS = 5


@dataclass(frozen=True, kw_only=True, eq=False)
class Usual:
    """Distances of the index's own rows to their k-th neighbours, ascending."""

    distance: Float32[np.ndarray, " n"]
    neighbours: int
    yardstick: Yardstick

    def share(self, distance: Float32[np.ndarray, " q"]) -> Float64[np.ndarray, " q"]:
        """The share of the index's rows that are closer to the rest: 1 is farther than all."""
        return np.searchsorted(self.distance, distance, side="left") / len(self.distance)


def usual_distances(index: Index, *, neighbours: int = NEIGHBOURS, apart_s: float = 1.0) -> Usual:
    """Distances for rows spread over the index; rows close in time do not count as neighbours.

    Frames beside each other look the same: by them, everything else would be new. Every other
    fifth of the index makes the yardstick, and the rest is measured by it: rows that made it, and
    frames beside them, lie nearer by it than any later picture does. Raises `SimilarError` where
    too few are apart.
    """
    rows = np.unique(np.linspace(0, max(0, len(index) - 1), _CALIBRATED).astype(int))
    rows = rows[: len(index)]
    makes = makes_yardstick(len(rows))
    measured = rows[~makes]
    if makes.sum() < 2 or not len(measured):
        raise SimilarError(f"the index has {len(index)} pictures: too few, index more")
    yardstick = yardstick_of(index.means(rows[makes]))
    found = [
        kth_distance(
            index, yardstick, index.means(part), neighbours=neighbours,
            places=places_of(index, part), apart_s=apart_s,
        )
        for part in (measured[i : i + _TOGETHER] for i in range(0, len(measured), _TOGETHER))
    ]  # fmt: skip
    distance = np.concatenate(found)
    distance = np.sort(distance[np.isfinite(distance)])
    if not len(distance):
        raise SimilarError(
            f"no picture of the index has {neighbours} others more than {apart_s:g} s "
            "apart: index more, or give smaller --neighbours or --apart"
        )
    return Usual(distance=distance, neighbours=neighbours, yardstick=yardstick)


def makes_yardstick(count: int) -> Bool[np.ndarray, " n"]:
    """Which of so many rows, in their order, make the yardstick of an index."""
    return np.arange(count) * min(_PARTS, count) // max(1, count) % 2 == 0


def kth_distance(
    index: Index,
    yardstick: Yardstick,
    means: Float32[np.ndarray, "q c"],
    *,
    neighbours: int,
    places: Places,
    apart_s: float,
) -> Float32[np.ndarray, " q"]:
    """To the k-th neighbour of rows of the index; infinite where there are fewer."""
    apart = Apart(
        queries=places,
        rows=places_of(index, np.arange(len(index))),
        apart_ns=round(apart_s * 1e9),
    )
    distance, _ = nearest_by(yardstick, index, means, count=neighbours, apart=apart)
    if distance.shape[1] < neighbours:
        return np.full(len(means), np.inf, np.float32)
    return distance[:, neighbours - 1]


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
    damaged: list[str],
    every: int = 1,
) -> Iterator[Judged]:
    """Every `every`-th picture of a source; `damaged` gets the names of those left out.

    Raises `BagError`.
    """
    source = open_pictures(path, config=config, options=options)
    waiting: list[tuple[str, bytes, np.ndarray]] = []
    for place, picture in enumerate(source.pictures()):
        if place % every:
            continue
        try:
            rgb = picture.read()
        except EncodingError:
            damaged.append(picture.name)
            continue
        waiting.append((picture.name, thumbnail(rgb), mean_of(embedder.features(rgb))))
        if len(waiting) == _JUDGED_TOGETHER:
            yield from _judged(index, usual, str(path), waiting)
            waiting = []
    if waiting:
        yield from _judged(index, usual, str(path), waiting)


def _judged(
    index: Index, usual: Usual, source: str, seen: list[tuple[str, bytes, np.ndarray]]
) -> Iterator[Judged]:
    """Pictures by name and thumbnail, with the means of their maps."""
    means = np.stack([mean for _, _, mean in seen])
    found, rows = nearest_by(usual.yardstick, index, means, count=usual.neighbours)
    distance = found[:, usual.neighbours - 1]
    for (name, small, _), far, share, row in zip(
        seen, distance, usual.share(distance), rows, strict=True
    ):
        yield Judged(
            source=source,
            name=name,
            distance=float(far),
            share=float(share),
            nearest=int(row[0]),
            thumbnail=small,
        )
