"""An index on disk: a row per picture, append-only.

`index.json` names the model and the sources; `vectors.f32` holds unit vectors,
`rows.bin` their origin, `pictures.bin` their names and thumbnails. Rows are written last: if
the writer is killed, data without a row are truncated when the index is next written to. One
process writes at a time, while it holds `lock`.
"""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import ForeignFileError, RobotVisionError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import read_json

_HEAD, _VECTORS, _ROWS, _PICTURES = "index.json", "vectors.f32", "rows.bin", "pictures.bin"
_LOCK = "lock"
_FORMAT = 2
LOOK_PARTS = 3  # embedding, mean and spread of the map: each of unit norm and of equal say
ROW = np.dtype(
    [
        ("source", "<u4"),
        ("stamp_ns", "<i8"),
        ("copy_similarity", "<f4"),  # to an altered copy of itself; NaN where not measured
        ("mean_length", "<f4"),  # of the mean of its map, which has unit norm in the look
        ("begins", "<u8"),  # of its name in pictures.bin, with its thumbnail behind it
        ("name_bytes", "<u4"),
        ("thumbnail_bytes", "<u4"),
    ]
)


class SimilarError(RobotVisionError, ValueError):
    """An index is missing, damaged, of another model, or has nothing to answer with."""


@dataclass(frozen=True, kw_only=True)
class IndexedModel:
    """The model of an index: where to find it (`bundle`), its name, its file's sha256."""

    bundle: str
    model_id: str
    sha256: str
    dimensions: int
    channels: int


@dataclass(frozen=True, kw_only=True)
class Source:
    """The source of rows. `fingerprint` is empty until all of it has been read, at `read_ns`.

    `view` is the camera or topic that was asked for: another one is a source of its own, as names
    of its frames may be the same.
    """

    path: str
    view: str = ""
    fingerprint: str = ""
    read_ns: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Entry:
    """A picture to append. `thumbnail` is a JPEG."""

    source: int
    stamp_ns: int
    name: str
    vector: Float32[np.ndarray, " d"]
    mean_length: float
    thumbnail: bytes
    copy_similarity: float = float("nan")


@dataclass(eq=False)
class Index:
    """An open index; `vectors` [n,d] and `rows` [n] (fields of `ROW`) stay on disk."""

    folder: Path
    model: IndexedModel
    sources: list[Source] = field(default_factory=list)

    def __len__(self) -> int:
        file = self.folder / _ROWS
        return file.stat().st_size // ROW.itemsize if file.is_file() else 0

    @property
    def vectors(self) -> Float32[np.ndarray, "n d"]:
        """Looks of unit norm, memory-mapped."""
        shape = (len(self), self.model.dimensions)
        return _mapped(self.folder / _VECTORS, np.dtype("<f4"), shape)

    def means(self, rows: slice | Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "n c"]:
        """Means of the maps of some rows, as long as the model gave them."""
        first = self.model.dimensions - 2 * self.model.channels
        looks = np.asarray(self.vectors[rows])[:, first : first + self.model.channels]
        length = np.asarray(self.rows["mean_length"][rows])
        return looks * np.float32(np.sqrt(LOOK_PARTS)) * length[:, None]

    @property
    def rows(self) -> np.ndarray:
        """The origin of each vector, memory-mapped."""
        return _mapped(self.folder / _ROWS, ROW, (len(self),))

    def name(self, row: int) -> str:
        """The file of a picture in its source, or its frame and stamp."""
        known = self.rows[row]
        return self._read(int(known["begins"]), int(known["name_bytes"])).decode()

    def thumbnail(self, row: int) -> bytes:
        """A small JPEG of the picture."""
        known = self.rows[row]
        begins = int(known["begins"]) + int(known["name_bytes"])
        return self._read(begins, int(known["thumbnail_bytes"]))

    def names_of(self, source: int) -> set[str]:
        """Names of all rows of a source."""
        known = self.rows[self.rows["source"] == source]
        if not len(known):
            return set()
        names = set[str]()
        with (self.folder / _PICTURES).open("rb") as file:
            for row in known:
                file.seek(int(row["begins"]))
                names.add(file.read(int(row["name_bytes"])).decode())
        return names

    @contextmanager
    def written_to(self) -> Iterator[None]:
        """Keep other writers out; begin with what they have added, and truncate what a killed one
        left half written. Raises `SimilarError` if another process is writing."""
        with writing_to(self.folder / _LOCK):
            lock = (self.folder / _LOCK).open("w")
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise SimilarError(
                    f"another process is adding to the index {self.folder}: wait until it has "
                    "ended, then repeat the command"
                ) from error
            self.sources = open_index(self.folder).sources
            _cut(self)
            yield

    def source_number(self, path: str, view: str = "") -> int:
        """The number of a source; a new source is added."""
        known = [(source.path, source.view) for source in self.sources]
        if (path, view) not in known:
            self.sources.append(Source(path=path, view=view))
            self.save()
            return len(known)
        return known.index((path, view))

    def finish(self, number: int, fingerprint: str, *, read_ns: int) -> None:
        """Record that a source is complete; reading it began at `read_ns`."""
        known = self.sources[number]
        self.sources[number] = replace(known, fingerprint=fingerprint, read_ns=read_ns)
        self.save()

    def append(self, entries: list[Entry]) -> None:
        """Write entries; if it raises `DiskFullError`, earlier entries remain readable."""
        pictures = self.folder / _PICTURES
        begins = pictures.stat().st_size if pictures.is_file() else 0
        rows, blobs = np.zeros(len(entries), ROW), list[bytes]()
        for place, entry in enumerate(entries):
            name = entry.name.encode()
            sizes = len(name), len(entry.thumbnail)
            where = entry.source, entry.stamp_ns, entry.copy_similarity, entry.mean_length
            rows[place] = (*where, begins, *sizes)
            blobs += [name, entry.thumbnail]
            begins += sum(sizes)
        vectors = np.stack([entry.vector for entry in entries]).astype("<f4")
        with writing_to(self.folder / _ROWS):
            for file, data in (
                (_PICTURES, b"".join(blobs)),
                (_VECTORS, vectors.tobytes()),
                (_ROWS, rows.tobytes()),  # last: only entries with a row exist
            ):
                with (self.folder / file).open("ab") as out:
                    out.write(data)

    def save(self) -> None:
        """Write `index.json` atomically."""
        head = {
            "format": _FORMAT,
            "model": asdict(self.model),
            "sources": [asdict(source) for source in self.sources],
        }
        partial = self.folder / f"{_HEAD}.partial"
        with writing_to(self.folder / _HEAD):
            partial.write_text(json.dumps(head, indent=1) + "\n")
            partial.replace(self.folder / _HEAD)

    def _read(self, begins: int, size: int) -> bytes:
        with (self.folder / _PICTURES).open("rb") as file:
            file.seek(begins)
            return file.read(size)


def create_index(folder: Path, model: IndexedModel) -> Index:
    """A new, empty index; raises `SimilarError` if the folder holds something else."""
    if folder.exists() and any(folder.iterdir()):
        raise SimilarError(f"{folder} is not empty and not an index: name a new folder")
    folder.mkdir(parents=True, exist_ok=True)
    index = Index(folder=folder, model=model)
    index.save()
    return index


def is_index(folder: Path) -> bool:
    return (folder / _HEAD).is_file()


def written_at(folder: Path) -> tuple[int, int] | None:
    """Differs whenever sources were added to the index since; None if there is none."""
    try:
        known = (folder / _HEAD).stat()
    except OSError:
        return None
    return known.st_ino, known.st_mtime_ns


def open_index(folder: Path) -> Index:
    """The index in a folder.

    Raises `SimilarError` if there is none, or it is damaged.
    """
    if not is_index(folder):
        raise SimilarError(
            f"{folder} is not an index: it has no {_HEAD}; create one with `robot-vision similar "
            "index`"
        )
    try:
        said: Any = read_json(folder / _HEAD)
        if said["format"] != _FORMAT:
            raise SimilarError(
                f"{folder} is of format {said['format']!r}; expected {_FORMAT}: make it anew in "
                "another folder, by `robot-vision similar index`"
            )
        index = Index(
            folder=folder,
            model=IndexedModel(**said["model"]),
            sources=[Source(**source) for source in said["sources"]],
        )
    except (ForeignFileError, KeyError, TypeError) as error:
        raise SimilarError(f"{folder / _HEAD} is damaged: {error!r}") from error
    _check_sizes(index)
    if len(index) and int(index.rows["source"].max()) >= len(index.sources):
        raise SimilarError(f"{folder / _HEAD} is damaged: it lacks sources of rows; rebuild it")
    return index


def _sizes(index: Index) -> dict[str, int]:
    """How many bytes of each file have rows."""
    count = len(index)
    last = index.rows[count - 1] if count else None
    pictures = 0
    if last is not None:
        pictures = int(last["begins"]) + int(last["name_bytes"]) + int(last["thumbnail_bytes"])
    return {
        _ROWS: count * ROW.itemsize,
        _VECTORS: count * index.model.dimensions * 4,
        _PICTURES: pictures,
    }


def _check_sizes(index: Index) -> None:
    for name, size in _sizes(index).items():
        file = index.folder / name
        found = file.stat().st_size if file.is_file() else 0
        if found < size:
            raise SimilarError(
                f"{file} has {found} bytes, and the {len(index)} rows of the index say {size}: it "
                "is damaged; rebuild it"
            )


def _cut(index: Index) -> None:
    for name, size in _sizes(index).items():
        file = index.folder / name
        if file.is_file() and file.stat().st_size > size:
            os.truncate(file, size)


def _mapped(file: Path, kind: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    if shape[0] == 0:
        return np.zeros(shape, kind)
    return np.memmap(file, kind, mode="r", shape=shape)
