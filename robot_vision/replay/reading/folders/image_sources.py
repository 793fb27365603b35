"""Video files and folders of images as sources of frames, with or without depth."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from robot_vision.codecs.bounded import check_size, read_image
from robot_vision.codecs.depth import metres_from_raw
from robot_vision.codecs.header import is_video
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import EncodingError
from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.config import DepthConfig, ServiceConfig
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.replay.reading.folders.folder_pairs import (
    DEFAULT_RATE_HZ,
    IMAGE_SUFFIXES,
    camera_beside,
    folder_pairs,
    images_of,
)
from robot_vision.replay.reading.folders.video_depth import depth_of_frames
from robot_vision.replay.reading.frames import InputHealth, RawFrame, Stream
from robot_vision.replay.reading.messages import BagError, refuse_lfs_pointer

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
FRAME_ID = "camera"
TUM_UNIT_M = 1 / 5000
# Number of damaged frames after which a video is not read further.
MOST_LOST = 1000
_MOST_NAMES = 8


class VideoSource:
    """Frames of a video file; stamps are its presentation times, from 0.

    Depth, if any, is in a folder `<video without suffix>_depth` of 16-bit PNGs, one per frame.
    Raises `BagError` if the pairing is uncertain; to check this, a video with depth is decoded
    twice.
    """

    def __init__(self, path: Path, *, config: ServiceConfig) -> None:
        self.name = path.name
        self.health = InputHealth()
        self._path = path
        self._stream = Stream(path.name, "rgb")
        self.health.streams = [self._stream]
        self._depth_files = images_of(path.with_name(f"{path.stem}_depth"))
        self._config = config
        self._count = self._read = 0
        video = self._open()
        self._count = max(int(video.get(cv2.CAP_PROP_FRAME_COUNT)), 1)
        self._rate_hz = video.get(cv2.CAP_PROP_FPS) or DEFAULT_RATE_HZ
        self._size_px = _size_px(video)
        turned_deg = int(video.get(cv2.CAP_PROP_ORIENTATION_META))
        video.release()
        self._depth_of_frames = self._pair_depth(turned_deg)

    @property
    def done(self) -> float:
        return min(self._read / self._count, 1.0)

    @property
    def format(self) -> str:
        """Size, length and rate that the file states, and whether depth lies beside it."""
        width_px, height_px = self._size_px
        depth = "with depth" if self.has_depth else "no depth"
        return f"{width_px}×{height_px}, {self._count} frames, {self._rate_hz:.4g} Hz, {depth}"

    @property
    def has_depth(self) -> bool:
        return bool(self._depth_files)

    def raw_frames(self) -> Iterator[RawFrame]:
        self._read = lost = 0
        size: tuple[int, ...] = ()
        for stamp_ns, bgr, lost_before in self._decoded():
            if lost_before:
                detail = f"{self.name}: before the frame at {stamp_ns} ns"
                self.health.problems.add("video frame damaged", detail, times=lost_before)
                lost += lost_before
            if bgr.shape != (size := size or bgr.shape):
                detail = f"{self.name}: from {size[1]}×{size[0]} to {bgr.shape[1]}×{bgr.shape[0]}"
                self.health.problems.add("video changes its size", detail)
                break
            self._stream.add(stamp_ns, "video")
            depth = None
            if self._depth_of_frames:
                depth = self._depth_files[self._depth_of_frames[self._read]]
            self._read += 1
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            yield _raw_frame(stamp_ns, lambda rgb=rgb: rgb, depth, self._config, self.health)
        if self._read + lost < self._count:
            detail = f"{self.name}: {self._read + lost} of {self._count} frames"
            self.health.problems.add("video ends early", detail)

    def _decoded(self) -> Iterator[tuple[int, np.ndarray, int]]:
        """Stamp and picture (BGR) of each decodable frame, and how many before it were damaged:
        reading continues after a damaged one."""
        video, last_ns = self._open(), -1
        good_frames = lost = reported = 0
        try:
            while lost <= MOST_LOST and good_frames + lost <= self._count:
                is_good, bgr = video.read()
                if not is_good:
                    lost += 1
                    continue
                good_frames += 1
                stamp_ns = round(video.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
                if stamp_ns <= last_ns:  # some containers have no presentation times
                    stamp_ns = last_ns + round(NS_PER_S / self._rate_hz)
                last_ns = stamp_ns
                yield stamp_ns, bgr, lost - reported
                reported = lost
        finally:
            video.release()

    def _pair_depth(self, turned_deg: int) -> list[int]:
        """The depth file of each frame by its number; empty if there is no depth."""
        if not self._depth_files:
            return []
        if turned_deg:
            raise BagError(
                f"{self._path} is rotated by {turned_deg}° according to its metadata; whether "
                "its depth is rotated, too, is unknown. Rotate the frames themselves, or move "
                "the depth folder away"
            )
        stamps_ns = [stamp_ns for stamp_ns, _, _ in self._decoded()]
        return depth_of_frames(stamps_ns, files=len(self._depth_files), rate_hz=self._rate_hz)

    def _open(self) -> cv2.VideoCapture:
        try:
            with self._path.open("rb") as file:
                is_known = is_video(file.read(16))
        except OSError as error:
            raise BagError(f"{self._path} cannot be opened as a video: {error}") from error
        refuse_lfs_pointer(self._path)
        # Each of FFmpeg's threads would buffer pictures.
        options = [cv2.CAP_PROP_N_THREADS, 1]
        video = cv2.VideoCapture(str(self._path), cv2.CAP_FFMPEG, options) if is_known else None
        if video is None or not video.isOpened():
            raise BagError(f"{self._path} cannot be opened as a video (MP4, MOV, Matroska or AVI)")
        video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # OpenCV 4 does not rotate by itself
        width_px, height_px = _size_px(video)
        try:
            check_size(
                width_px, height_px, limits=self._config.limits, what=f"{self._path}: video"
            )
        except EncodingError as error:
            video.release()
            raise BagError(str(error)) from error
        return video


class FolderSource:
    """Frames of a folder of images, selected and paired by `folder_pairs`. Intrinsics come from
    a file in the folder, if there is one."""

    def __init__(self, path: Path, *, config: ServiceConfig) -> None:
        self.name = path.name
        self.health = InputHealth()
        self._config = config
        self.pairs = folder_pairs(path, tolerance_s=config.sync.tolerance_s)
        if not self.pairs.frames:
            raise BagError(_nothing_in(path))
        self._stream = Stream(self.pairs.frames[0].rgb.parent.name, "rgb")
        self.health.streams = [self._stream]
        for detail in self.pairs.unpaired:
            self.health.problems.add("depth files without their colour", detail)
        self._camera = camera_beside(path, FRAME_ID, self.health.problems)
        self._unit_m = self._depth_unit_m()
        self._read = 0

    @property
    def done(self) -> float:
        return self._read / len(self.pairs.frames)

    @property
    def has_intrinsics(self) -> bool:
        return self._camera is not None

    def raw_frames(self) -> Iterator[RawFrame]:
        for index, frame in enumerate(self.pairs.frames):
            self._read = index + 1
            self._stream.add(frame.stamp_ns, frame.rgb.suffix.lower())
            limits = self._config.limits
            self.health.add_pair(frame.stamp_ns, frame.depth_stamp_ns)
            depth = frame.depth
            yield RawFrame(
                stamp_ns=frame.stamp_ns,
                frame_id=FRAME_ID,
                read_rgb=partial(_read_rgb, frame.rgb, limits),
                read_depth=partial(_read_depth, depth, self._unit_m, limits) if depth else None,
                depth_stamp_ns=frame.depth_stamp_ns,
                camera=self._camera,
            )

    def _depth_unit_m(self) -> float:
        unit_m = self._config.depth.raw_unit_m
        is_default = unit_m == DepthConfig().raw_unit_m
        if not (self.pairs.is_tum and is_default and any(f.depth for f in self.pairs.frames)):
            return unit_m
        detail = f"1/5000 m, as in TUM's sets, instead of {unit_m} m (depth.raw_unit_m)"
        self.health.problems.add("depth unit by layout", detail)
        return TUM_UNIT_M


def _size_px(video: cv2.VideoCapture) -> tuple[int, int]:
    width, height = cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT
    return int(video.get(width)), int(video.get(height))


def _nothing_in(folder: Path) -> str:
    inside = sorted(brief(item.name, most=60) for item in folder.iterdir() if item.is_dir())
    hint = f"; it has the folders {', '.join(inside[:_MOST_NAMES])}" if inside else ""
    images = ", ".join(IMAGE_SUFFIXES)
    return f"{folder} contains no images ({images}), recording or dataset{hint}"


def _raw_frame(
    stamp_ns: int,
    read_rgb: Callable[[], np.ndarray],
    depth: Path | None,
    config: ServiceConfig,
    health: InputHealth,
) -> RawFrame:
    health.add_pair(stamp_ns, stamp_ns if depth else None)
    return RawFrame(
        stamp_ns=stamp_ns,
        frame_id=FRAME_ID,
        read_rgb=read_rgb,
        read_depth=partial(_read_depth, depth, config.depth.raw_unit_m, config.limits)
        if depth
        else None,
        depth_stamp_ns=stamp_ns if depth else None,
    )


def _read_rgb(file: Path, limits: InputLimits) -> np.ndarray:
    return cv2.cvtColor(read_image(file, cv2.IMREAD_COLOR, limits=limits), cv2.COLOR_BGR2RGB)


def _read_depth(file: Path, raw_unit_m: float, limits: InputLimits) -> np.ndarray:
    raw = read_image(file, cv2.IMREAD_UNCHANGED, limits=limits)
    if raw.dtype != np.uint16 or raw.ndim != 2:
        raise EncodingError(f"{file} is {raw.dtype} {raw.shape}; expected 16 bits, one channel")
    return metres_from_raw(raw, raw_unit_m=raw_unit_m)
