"""Adds sources to an index: only new pictures, resuming where it was interrupted."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import time_ns

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.sources import is_bag
from robot_vision.similar.embedder import Embedder, check_same_model, look_of, mean_of
from robot_vision.similar.frames import NamedPicture, fingerprint, open_pictures
from robot_vision.similar.sheets import decoded, jpeg, thumbnail
from robot_vision.similar.store import (
    Entry,
    Index,
    SimilarError,
    create_index,
    is_index,
    open_index,
)

_FLUSHED = 64
# One in this many pictures is also embedded as an altered copy, to calibrate duplicates.
COPIED_EVERY = 8
# As copies arise in practice: re-encoded, and slightly cropped.
_COPY_QUALITY, _COPY_CROP = 60, 0.03
_STALE = "indexed picture changed or gone since (a new index has only what is there)"


@dataclass(frozen=True, kw_only=True)
class Added:
    """The outcome for a source: pictures added, already present, and damaged."""

    path: Path
    new: int
    known: int
    problems: dict[str, int]


def index_for(folder: Path, embedder: Embedder) -> Index:
    """The index in this folder, or a new one; raises `SimilarError` if it is of another model."""
    if not is_index(folder):
        return create_index(folder, embedder.model)
    index = open_index(folder)
    check_same_model(index.model, embedder)
    return index


def add_source(
    index: Index,
    embedder: Embedder,
    path: Path,
    *,
    config: ServiceConfig,
    options: BagOptions,
    every: int = 1,
    on_progress: Callable[[float], None] | None = None,
) -> Added:
    """Add every `every`-th picture of a source, unless the index has it.

    A source that was read completely and has not changed is not read again. Memory does not grow
    with the source. Rows of pictures that changed or are gone stay, and are counted. Raises
    `BagError` for what cannot be read, `SimilarError` if another process is adding to the index.
    """
    path = path.resolve()
    if not path.exists():
        raise SimilarError(
            f"{path} does not exist; expected a folder of pictures, a video, a recording or a "
            "dataset"
        )
    with index.written_to():
        return _added(
            index,
            embedder,
            path,
            config=config,
            options=options,
            every=every,
            on_progress=on_progress,
        )


def _added(
    index: Index,
    embedder: Embedder,
    path: Path,
    *,
    config: ServiceConfig,
    options: BagOptions,
    every: int,
    on_progress: Callable[[float], None] | None,
) -> Added:
    begun_ns = time_ns()
    view = options.episodes.camera or (options.topics.rgb if is_bag(path) else "")
    number, state = index.source_number(str(path), view), f"{fingerprint(path)}/{every}"
    known, read_ns = index.names_of(number), index.sources[number].read_ns
    if index.sources[number].fingerprint == state:
        return Added(path=path, new=0, known=len(known), problems={})
    source = open_pictures(path, config=config, options=options)
    problems, waiting, new = source.frames.health.problems, list[Entry](), 0
    unchanged = set[str]()
    for place, picture in enumerate(source.pictures()):
        if on_progress is not None:
            on_progress(source.frames.done)
        if picture.name in known:
            if not 0 < read_ns < picture.changed_ns:
                unchanged.add(picture.name)
            continue
        if place % every:
            continue
        try:
            is_copied = (len(index) + len(waiting)) % COPIED_EVERY == 0
            waiting.append(_entry(number, picture, embedder, is_copied=is_copied))
        except EncodingError as error:
            problems.add("picture not decoded", f"{picture.name}: {error}")
            continue
        new += 1
        if len(waiting) == _FLUSHED:
            index.append(waiting)
            waiting = []
    if waiting:
        index.append(waiting)
    for name in sorted(known - unchanged):
        problems.add(_STALE, name)
    index.finish(number, state, read_ns=begun_ns)
    counts = {kind: seen["count"] for kind, seen in problems.as_dict().items()}
    return Added(path=path, new=new, known=len(known), problems=counts)


def _entry(source: int, picture: NamedPicture, embedder: Embedder, *, is_copied: bool) -> Entry:
    rgb = picture.read()
    features = embedder.features(rgb)
    vector, copied = look_of(features), float("nan")
    if is_copied:
        copied = float(vector @ embedder.look(altered_copy(rgb)))
    return Entry(
        source=source,
        stamp_ns=picture.stamp_ns,
        name=picture.name,
        vector=vector,
        mean_length=float(np.linalg.norm(mean_of(features))),
        thumbnail=thumbnail(rgb),
        copy_similarity=copied,
    )


def altered_copy(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "rows columns 3"]:
    """Crops 3 % from each side, and re-encodes as a JPEG of quality 60."""
    height, width = rgb.shape[:2]
    down, across = round(height * _COPY_CROP), round(width * _COPY_CROP)
    kept = jpeg(rgb[down : height - down, across : width - across], _COPY_QUALITY)
    return decoded(kept)
