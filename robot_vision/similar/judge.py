"""Pictures of a source against an index: how far each is from all that was seen."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import EncodingError
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.similar.embedder import Embedder
from robot_vision.similar.frames import open_pictures
from robot_vision.similar.novelty import Usual
from robot_vision.similar.search import nearest
from robot_vision.similar.sheets import thumbnail
from robot_vision.similar.store import Index


@dataclass(frozen=True, kw_only=True, eq=False)
class Judged:
    """A picture: its distance to the k-th neighbour, the share of the index's own rows that lie
    less far from the rest, and the row of the index that is nearest."""

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
    """Each `every`-th picture of a source that can be decoded. Raises `BagError`."""
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
