"""Pictures of any source by name: a folder of pictures, a video, a recording, a dataset."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.bounded import read_image
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.folders.image_sources import FolderSource
from robot_vision.replay.reading.frames import FrameSource, RawFrame
from robot_vision.replay.reading.sources import open_source


@dataclass(frozen=True, kw_only=True, eq=False)
class NamedPicture:
    """A picture not decoded yet. `name` is unique within its source.

    `changed_ns` is when its own file last changed, 0 if it has none. `read` gives u8 [h,w,3] and
    raises `EncodingError`.
    """

    name: str
    stamp_ns: int
    changed_ns: int = 0
    read: Callable[[], UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureSource:
    """An open source: `frames` reads its health and progress."""

    path: Path
    frames: FrameSource

    def pictures(self) -> Iterator[NamedPicture]:
        """Pictures in order, read on demand."""
        if isinstance(self.frames, FolderSource):
            pairs = zip(self.frames.raw_frames(), self.frames.pairs.frames, strict=True)
            for raw, file in pairs:
                name = file.rgb.relative_to(self.path).as_posix()
                changed_ns = _changed_ns(file.rgb)
                yield NamedPicture(
                    name=name, stamp_ns=raw.stamp_ns, changed_ns=changed_ns, read=raw.read_rgb
                )
            return
        for raw in self.frames.raw_frames():
            yield NamedPicture(name=_name(raw), stamp_ns=raw.stamp_ns, read=raw.read_rgb)


def open_pictures(path: Path, *, config: ServiceConfig, options: BagOptions) -> PictureSource:
    """Raises `BagError` for a source that cannot be read."""
    return PictureSource(path=path, frames=open_source(path, config=config, options=options))


def read_picture(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    """Raises `EncodingError` for a file that is not a picture, or cannot be read."""
    return read_image(file, cv2.IMREAD_COLOR_RGB)


def fingerprint(path: Path) -> str:
    """Changes if a file of the source is added, removed, resized or modified."""
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    digest = blake2b(digest_size=16)
    for file in files:
        known = file.stat()
        of_file = (file.relative_to(path).as_posix(), known.st_size, known.st_mtime_ns)
        digest.update(repr(of_file).encode())
    return digest.hexdigest()


def _changed_ns(file: Path) -> int:
    """0 if it is gone."""
    try:
        return file.stat().st_ctime_ns
    except OSError:
        return 0


def _name(raw: RawFrame) -> str:
    if raw.recorded is not None:
        return f"{raw.frame_id}, step {raw.recorded.step_index}"
    return f"{raw.stamp_ns / 1e9:.9f} s"
