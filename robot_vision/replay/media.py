"""Video files and folders of images as sources of frames, with or without depth."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from robot_vision.codecs.depth import metres_from_raw
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.config import ServiceConfig
from robot_vision.core.errors import EncodingError
from robot_vision.replay.frames import InputHealth, RawFrame, Stream
from robot_vision.replay.messages import BagError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
FRAME_ID = "camera"
DEFAULT_RATE_HZ = 30.0
_HEAD_BYTES = 4096
_MOST_STAMP_NS = 2**62


class VideoSource:
    """Frames of a video file; stamps are its presentation times, from 0.

    Depth, if any, is in a folder `<video without suffix>_depth` of 16-bit PNGs, one per frame.
    """

    def __init__(self, path: Path, *, config: ServiceConfig) -> None:
        self.name = path.name
        self.health = InputHealth()
        self._path = path
        self._stream = Stream(path.name, "rgb")
        self.health.streams = [self._stream]
        self._depth_files = _images(path.with_name(f"{path.stem}_depth"))
        self._raw_unit_m = config.depth.raw_unit_m
        self._count = self._read = 0
        video = self._open()
        self._count = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
        self._rate_hz = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE_HZ
        video.release()

    @property
    def done(self) -> float:
        return min(self._read / self._count, 1.0)

    def raw_frames(self) -> Iterator[RawFrame]:
        video = self._open()
        self._read, last_ns = 0, -1
        while True:
            good, bgr = video.read()
            if not good:
                break
            stamp_ns = round(video.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
            if stamp_ns <= last_ns:  # some containers have no presentation times
                stamp_ns = last_ns + round(NS_PER_S / self._rate_hz)
            last_ns = stamp_ns
            self._stream.add(stamp_ns, "video")
            depth = self._depth_files[self._read] if self._read < len(self._depth_files) else None
            self._read += 1
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            yield _raw_frame(stamp_ns, lambda rgb=rgb: rgb, depth, self._raw_unit_m, self.health)
        video.release()
        if self._read < self._count:
            detail = f"{self.name}: {self._read} of {self._count} frames"
            self.health.problems.add("video ends early", detail)

    def _open(self) -> cv2.VideoCapture:
        _must_not_be_text(self._path)
        video = cv2.VideoCapture(str(self._path))
        if not video.isOpened():
            raise BagError(f"{self._path} cannot be opened as a video")
        return video


class FolderSource:
    """Frames of a folder of images, or of its `rgb` (or `color`) and `depth` folders.

    File names that are numbers of seconds are stamps (as in the TUM RGB-D sets); other files
    follow each other at 30 Hz in the order of their names. Depth files pair in order of names.
    """

    def __init__(self, path: Path, *, config: ServiceConfig) -> None:
        self.name = path.name
        self.health = InputHealth()
        self._raw_unit_m = config.depth.raw_unit_m
        folder = next((path / n for n in ("rgb", "color") if (path / n).is_dir()), path)
        self._files = _images(folder)
        if not self._files:
            raise BagError(f"{folder} holds no images ({', '.join(IMAGE_SUFFIXES)})")
        self._depth_files = _images(path / "depth")
        self._stream = Stream(folder.name, "rgb")
        self.health.streams = [self._stream]
        self._read = 0

    @property
    def done(self) -> float:
        return self._read / len(self._files)

    def raw_frames(self) -> Iterator[RawFrame]:
        stamps_ns = _stamps_ns(self._files)
        depth_by_stem = {file.stem: file for file in self._depth_files}
        paired_by_name = any(file.stem in depth_by_stem for file in self._files)
        for index, (stamp_ns, file) in enumerate(zip(stamps_ns, self._files, strict=True)):
            self._read = index + 1
            self._stream.add(stamp_ns, file.suffix.lower())
            if paired_by_name:
                depth = depth_by_stem.get(file.stem)
            else:
                depth = self._depth_files[index] if index < len(self._depth_files) else None
            yield _raw_frame(
                stamp_ns, partial(_read_rgb, file), depth, self._raw_unit_m, self.health
            )


def _raw_frame(
    stamp_ns: int,
    read_rgb: Callable[[], np.ndarray],
    depth: Path | None,
    raw_unit_m: float,
    health: InputHealth,
) -> RawFrame:
    health.add_pair(stamp_ns, stamp_ns if depth else None)
    return RawFrame(
        stamp_ns=stamp_ns,
        frame_id=FRAME_ID,
        read_rgb=read_rgb,
        read_depth=partial(_read_depth, depth, raw_unit_m) if depth else None,
        depth_stamp_ns=stamp_ns if depth else None,
    )


def _must_not_be_text(path: Path) -> None:
    """Raise `BagError` for a list of other files and addresses, which FFmpeg would open."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BagError(f"{path} cannot be opened as a video: {error}") from error
    if b"\0" not in head:
        raise BagError(f"{path} cannot be opened as a video: it is text")


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        file
        for file in folder.iterdir()
        if file.suffix.lower() in IMAGE_SUFFIXES and file.is_file()
    )


def _stamps_ns(files: list[Path]) -> list[int]:
    """Seconds in the names where every name is one and they rise, else 30 Hz."""
    try:
        stamps_ns = [round(float(file.stem) * NS_PER_S) for file in files]
        if not all(0 <= stamp_ns < _MOST_STAMP_NS for stamp_ns in stamps_ns):
            stamps_ns = []
    except (ValueError, OverflowError):
        stamps_ns = []
    rising = all(a < b for a, b in pairwise(stamps_ns))
    fractional = any("." in file.stem for file in files)
    if stamps_ns and rising and fractional:
        return stamps_ns
    return [round(index * NS_PER_S / DEFAULT_RATE_HZ) for index in range(len(files))]


def _read(file: Path, flags: int) -> np.ndarray:
    try:
        image = cv2.imdecode(np.fromfile(file, np.uint8), flags)
    except (OSError, cv2.error) as error:
        raise EncodingError(f"{file} cannot be read: {error}") from error
    if image is None:
        raise EncodingError(f"{file} is not an image, or is damaged")
    return image


def _read_rgb(file: Path) -> np.ndarray:
    return cv2.cvtColor(_read(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def _read_depth(file: Path, raw_unit_m: float) -> np.ndarray:
    raw = _read(file, cv2.IMREAD_UNCHANGED)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise EncodingError(f"{file} is {raw.dtype} {raw.shape}; expected 16 bits, one channel")
    return metres_from_raw(raw, raw_unit_m=raw_unit_m)
