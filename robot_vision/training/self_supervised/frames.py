"""Frames without labels, each decoded once at one size into a file that is mapped into memory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8

from robot_vision.codecs.stretch import stretched
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.files.disk import writing_to
from robot_vision.models.card import Size
from robot_vision.training.data.caches.picture_cache import spread
from robot_vision.training.data.samples.samples import open_array
from robot_vision.training.self_supervised.frame_sources import FrameSource, open_sources

_IS_DECODED, _IS_BAD = 1, 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Frames:
    """Frames of one size, a row each. Unused ones stay on disk.

    `places` has, for each, its `planes` and the row in them; `notes` lists frames that could
    not be read.
    """

    size: Size
    planes: tuple[UInt8[np.ndarray, "_ h w 3"], ...]
    places: Int64[np.ndarray, "n 2"]
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, row: int) -> UInt8[np.ndarray, "h w 3"]:
        file, inside = self.places[row]
        return self.planes[file][inside]


def open_frames(
    sets: Sequence[str],
    size: Size,
    *,
    every: int = 1,
    most_frames: int = 0,
    topics: Sequence[str] = (),
    cache_dir: str = "",
    on_progress: Callable[[int, int], object] | None = None,
) -> Frames:
    """Frames of folders of pictures, labelled sets, bags and datasets, decoded once.

    Of each set every `every`-th frame is taken; `most_frames` (0: all) of these, evenly spread
    over all sets. A frame keeps its aspect ratio and is centre-cropped to the size. The files
    lie in `cache_dir`, else in `cache` inside the set, or beside a bag or dataset; decoding that
    was interrupted resumes. An unreadable frame is left out, with a note.

    Raises `ConfigError`, `BagError` or `DatasetError` for a set that cannot be read or has no
    readable frame, `DiskFullError` if there is no room.
    """
    caches = [_Cache(source, size, cache_dir) for source in open_sources(sets, topics)]
    rows = _chosen([cache.count() for cache in caches], every=every, most=most_frames)
    decoded, done, total = list[_Decoded](), 0, sum(map(len, rows))
    for cache, own in zip(caches, rows, strict=True):
        decoded.append(cache.decoded(own, _shifted(on_progress, done, total)))
        done += len(own)
    notes = tuple(part.note for part in decoded if part.note)
    places = [(file, row) for file, part in enumerate(decoded) for row in part.readable]
    if not places:
        raise ConfigError(f"{', '.join(sets)}: no frame can be read; {'; '.join(notes)}")
    planes = tuple(part.planes for part in decoded)
    return Frames(size=size, planes=planes, places=np.array(places, np.int64), notes=notes)


def _shifted(
    on_progress: Callable[[int, int], object] | None, before: int, total: int
) -> Callable[[int], None]:
    """Progress within one source, converted to that over all; `before` frames precede it."""

    def shown(done: int) -> None:
        if on_progress is not None:
            on_progress(before + done, total)

    return shown


def _chosen(counts: Sequence[int], *, every: int, most: int) -> list[list[int]]:
    """Numbers of the frames of each source that are taken."""
    rows = [list(range(0, count, every)) for count in counts]
    kept = np.array(spread(sum(map(len, rows)), most))
    ends = np.cumsum([0, *map(len, rows)])
    return [
        [own[place] for place in kept[(kept >= first) & (kept < last)] - first]
        for own, first, last in zip(rows, ends, ends[1:], strict=False)
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Decoded:
    """Frames of one source; `readable` are the rows that could be decoded."""

    planes: UInt8[np.ndarray, "n h w 3"]
    readable: list[int]
    note: str = ""


class _Cache:
    """The files of one source."""

    def __init__(self, source: FrameSource, size: Size, cache_dir: str) -> None:
        self.source, self._size = source, size
        named = Path(cache_dir) / source.path.name
        self._folder = named if cache_dir else source.cache_folder
        self._known = source.fingerprint()

    def count(self) -> int:
        """Stored once known: a bag must be read through for it."""
        file = self._folder / f"frames-{_digest(self._known)}.count"
        with writing_to(file):
            self._folder.mkdir(parents=True, exist_ok=True)
            if file.is_file() and file.read_text().isdecimal():
                return int(file.read_text())
            found = self.source.count()
            file.write_text(str(found))
            return found

    def decoded(self, rows: Sequence[int], on_progress: Callable[[int], object]) -> _Decoded:
        """The frames with these numbers; decoded ones are kept."""
        if not rows:
            empty = np.zeros((0, self._size.height_px, self._size.width_px, 3), np.uint8)
            return _Decoded(planes=empty, readable=[])
        size = f"{self._size.width_px}x{self._size.height_px}"
        name = f"frames-{size}-{_digest(self._known, str(rows))}"
        shape = (len(rows), self._size.height_px, self._size.width_px, 3)
        planes = open_array(self._folder / f"{name}.rgb", shape)
        marks = open_array(self._folder / f"{name}.marks", shape[:1])
        todo = np.flatnonzero(marks == 0).tolist()
        fault = ""
        reads = self.source.frames([rows[place] for place in todo])
        for place, read in zip(todo, reads, strict=False):
            try:
                planes[place] = fitted(read(), self._size)
                marks[place] = _IS_DECODED
            except RobotVisionError as error:
                marks[place] = _IS_BAD
                fault = fault or str(error)
            on_progress(place + 1)
        readable = np.flatnonzero(marks == _IS_DECODED).tolist()
        return _Decoded(planes=planes, readable=readable, note=self._note(rows, readable, fault))

    def _note(self, rows: Sequence[int], readable: Sequence[int], fault: str) -> str:
        lost = len(rows) - len(readable)
        if not lost:
            return ""
        return (
            f"{lost} of {len(rows)} frames of {self.source.path} cannot be read and are left out"
            + (f": {fault}" if fault else "")
        )


def fitted(rgb: UInt8[np.ndarray, "h w 3"], size: Size) -> UInt8[np.ndarray, "h2 w2 3"]:
    """A picture scaled to cover the size, and centre-cropped."""
    height, width = rgb.shape[:2]
    scale = max(size.width_px / width, size.height_px / height)
    large = stretched(
        rgb,
        width_px=max(size.width_px, round(width * scale)),
        height_px=max(size.height_px, round(height * scale)),
    )
    top = (large.shape[0] - size.height_px) // 2
    left = (large.shape[1] - size.width_px) // 2
    return np.ascontiguousarray(large[top : top + size.height_px, left : left + size.width_px])


def _digest(*texts: str) -> str:
    digest = blake2b(digest_size=8)
    for text in texts:
        digest.update(text.encode())
    return digest.hexdigest()
