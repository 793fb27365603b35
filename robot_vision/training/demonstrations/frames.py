"""Pictures of episodes, decoded ahead by processes at one size into files with a row per step.

A file has its full size before the first picture is written, so a full disk is reported and
nothing stops halfway; an episode is marked once it is complete, so a killed run
resumes where it stopped.
"""

import errno
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float16, Int64, UInt8

from robot_vision.codecs.stretch import stretched, stretched_depth
from robot_vision.core.errors import RobotVisionError, WorkerError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import brief
from robot_vision.core.manifests.observation_spec import CameraInput
from robot_vision.core.types import Frame
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.open_dataset import open_dataset

_FRAMES_AT_ONCE = 32
_IS_DECODED, _IS_BAD = 1, 2
_MOST_FAULT = 300


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A camera of an observation, and its name in each folder's set."""

    camera: CameraInput
    names: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Job:
    """An episode to decode: its folder, its number there and in the cache, its rows."""

    folder: int
    number: int
    place: int
    first_row: int
    length: int


@dataclass(frozen=True, kw_only=True)
class FrameCache:
    """The files of each camera's rows, and the rates for reading sets without one."""

    root: Path
    folders: tuple[Path, ...]
    rates_hz: tuple[float, ...]
    cameras: tuple[Wanted, ...]
    rows: int
    episodes: int

    def shape(self, camera: CameraInput) -> tuple[int, int, int]:
        return self.rows, camera.height_px, camera.width_px

    def rgb(self, camera: CameraInput) -> UInt8[np.ndarray, "r h w 3"]:
        """u8 [R,h,w,3]."""
        return _mapped(self.root / f"{camera.name}.rgb", np.uint8, (*self.shape(camera), 3))

    def depth_m(self, camera: CameraInput) -> Float16[np.ndarray, "r h w"]:
        """f16 [R,h,w], 0 invalid."""
        return _mapped(self.root / f"{camera.name}.depth", np.float16, self.shape(camera))

    def stamps_ns(self) -> Int64[np.ndarray, " r"]:
        """i64 [R]."""
        return _mapped(self.root / "stamps", np.int64, (self.rows,))

    def marks(self) -> UInt8[np.ndarray, " e"]:
        """u8 [E]: 0 to be decoded, 1 decoded, 2 undecodable."""
        return _mapped(self.root / "marks", np.uint8, (self.episodes,))

    def files(self) -> Iterator[tuple[Path, int]]:
        """Each file with its size in bytes."""
        for wanted in self.cameras:
            size = int(np.prod(self.shape(wanted.camera)))
            yield self.root / f"{wanted.camera.name}.rgb", 3 * size
            if wanted.camera.has_depth:
                yield self.root / f"{wanted.camera.name}.depth", 2 * size
        yield self.root / "stamps", 8 * self.rows
        yield self.root / "marks", self.episodes


def fill(
    cache: FrameCache,
    jobs: Sequence[Job],
    *,
    workers: int,
    on_progress: Callable[[int, int], object] | None = None,
) -> dict[int, str]:
    """Decode missing episodes; returns faults by the index of each undecodable one.

    Raises `DiskFullError` if the disk has no room; decoded episodes are kept.
    """
    with writing_to(cache.root):
        cache.root.mkdir(parents=True, exist_ok=True)
        for path, size in cache.files():
            _reserve(path, size)
        marks = cache.marks()
        waiting = [job for job in jobs if marks[job.place] == 0]
        done = len(jobs) - len(waiting)
        for _ in _decoded(cache, waiting, workers=workers):
            done += 1
            if on_progress is not None:
                on_progress(done, len(jobs))
    marks = cache.marks()
    bad = [job.place for job in jobs if marks[job.place] == _IS_BAD]
    return {place: _fault_file(cache, place).read_text(encoding="utf-8") for place in bad}


def _decoded(cache: FrameCache, jobs: Sequence[Job], *, workers: int) -> Iterator[int]:
    workers = min(workers, len(jobs))
    if workers <= 1:
        decoder = _Decoder(cache)
        try:
            for job in jobs:
                yield decoder.decode(job)
        finally:
            decoder.close()
        return
    spawn = get_context("spawn")  # a fork of a process with threads may hang
    with ProcessPoolExecutor(workers, spawn, initializer=_begin, initargs=(cache,)) as pool:
        try:
            yield from pool.map(_decode, jobs)
        except BrokenProcessPool as error:
            raise WorkerError from error


class _Decoder:
    """Decodes episodes into the files of a cache; keeps the required sets open."""

    def __init__(self, cache: FrameCache) -> None:
        self._cache = cache
        self._sets: dict[int, EpisodeSet] = {}

    def decode(self, job: Job) -> int:
        """Decode an episode, and mark it as decoded or bad; returns its index."""
        mark = _IS_DECODED
        try:
            self._write(job)
        except RobotVisionError as error:
            mark = _IS_BAD
            words = brief(f"{self._cache.folders[job.folder]}, {error}", most=_MOST_FAULT)
            _fault_file(self._cache, job.place).write_text(words, encoding="utf-8")
        _write_at(self._cache.root / "marks", job.place, bytes([mark]))
        return job.place

    def close(self) -> None:
        for episodes in self._sets.values():
            episodes.close()

    def _write(self, job: Job) -> None:
        for first in range(0, job.length, _FRAMES_AT_ONCE):
            steps = range(first, min(first + _FRAMES_AT_ONCE, job.length))
            for index, wanted in enumerate(self._cache.cameras):
                frames = [self._frame(job, step, wanted.names[job.folder]) for step in steps]
                self._put(job.first_row + first, wanted.camera, frames)
                if index == 0:
                    stamps = np.array([frame.stamp_ns for frame in frames], np.int64)
                    at = 8 * (job.first_row + first)
                    _write_at(self._cache.root / "stamps", at, stamps.tobytes())
        if not self._cache.cameras:
            step_ns = 1e9 / self._set(job).fps
            stamps = np.round(np.arange(job.length) * step_ns).astype(np.int64)
            _write_at(self._cache.root / "stamps", 8 * job.first_row, stamps.tobytes())

    def _frame(self, job: Job, step: int, camera: str) -> Frame:
        try:
            return self._set(job).frame(job.number, step, camera)
        except RobotVisionError as error:
            raise RobotVisionError(
                f"episode {job.number}, step {step}, camera {camera}: {error}"
            ) from error

    def _put(self, row: int, camera: CameraInput, frames: Sequence[Frame]) -> None:
        size = {"width_px": camera.width_px, "height_px": camera.height_px}
        pixels = row * camera.width_px * camera.height_px
        rgb = b"".join(stretched(frame.rgb, **size).tobytes() for frame in frames)
        at = 3 * pixels
        _write_at(self._cache.root / f"{camera.name}.rgb", at, rgb)
        if camera.has_depth:
            depth = b"".join(_depth(frame, size).tobytes() for frame in frames)
            at = 2 * pixels
            _write_at(self._cache.root / f"{camera.name}.depth", at, depth)

    def _set(self, job: Job) -> EpisodeSet:
        if job.folder not in self._sets:
            folder, rate_hz = self._cache.folders[job.folder], self._cache.rates_hz[job.folder]
            self._sets[job.folder] = open_dataset(folder, fps=rate_hz)
        return self._sets[job.folder]


_decoders: list[_Decoder] = []


def _begin(cache: FrameCache) -> None:
    """In each process, which ends with its sets open."""
    cv2.setNumThreads(1)
    _decoders.append(_Decoder(cache))


def _decode(job: Job) -> int:
    return _decoders[0].decode(job)


def _depth(frame: Frame, size: Mapping[str, int]) -> np.ndarray:
    """f16 [h,w], zeros if a frame has no depth."""
    if frame.depth_m is None:
        return np.zeros((size["height_px"], size["width_px"]), np.float16)
    return stretched_depth(frame.depth_m, **size).astype(np.float16)


def _fault_file(cache: FrameCache, place: int) -> Path:
    return cache.root / f"fault-{place}.txt"


def _reserve(path: Path, size: int) -> None:
    with path.open("ab") as file:
        if size and os.fstat(file.fileno()).st_size != size:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            file.truncate(size)


def _write_at(path: Path, offset: int, data: bytes) -> None:
    with ExitStack() as stack:
        file = os.open(path, os.O_WRONLY)
        stack.callback(os.close, file)
        written = os.pwrite(file, data, offset)
    if written != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _mapped(path: Path, dtype: type, shape: tuple[int, ...]) -> np.ndarray:
    if 0 in shape:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", shape=shape)
