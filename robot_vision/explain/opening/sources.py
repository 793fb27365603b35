"""One picture from any source: a file, a recording or dataset, a webcam or a stream."""

from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Event

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.capture.address import address_of
from robot_vision.capture.live_source import LiveSource
from robot_vision.codecs.bounded import read_image
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.source_config import SourceConfig
from robot_vision.core.types import Camera
from robot_vision.explain.heat import ExplainError
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.sources import open_source

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_LIVE_S = 15.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SourcePicture:
    """A picture as the service would get it: with depth and camera if the source has them."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "h w"] | None = None
    camera: Camera | None = None


def one_picture(source: str, *, frame: int, options: BagOptions) -> SourcePicture:
    """The `frame`-th of a source, or a camera's current picture; raises `BagError` and others."""
    path = Path(source).expanduser()
    is_picture = path.suffix.lower() in _PICTURES and path.is_file()
    is_live = source.isdecimal() or source.startswith("/dev/") or "://" in source
    if frame and (is_picture or is_live):
        raise ConfigError(f"frame {frame}: {source} has no numbered frames; leave --frame out")
    if is_picture:
        return SourcePicture(rgb=read_image(path, cv2.IMREAD_COLOR_RGB))
    if is_live:
        return SourcePicture(rgb=_grabbed(source))
    opened = open_source(path, config=ServiceConfig(), options=options)
    raw = next(islice(opened.raw_frames(), frame, None), None)
    if raw is None:
        raise ConfigError(f"{source} has no frame {frame}; frames are counted from 0")
    depth_m = raw.read_depth() if raw.read_depth else None
    return SourcePicture(rgb=raw.read_rgb(), depth_m=depth_m, camera=raw.camera)


def _grabbed(source: str) -> UInt8[np.ndarray, "h w 3"]:
    """The first frame of a webcam or a stream."""
    came, kept = Event(), list[UInt8[np.ndarray, "h w 3"]]()

    def keep(bgr: UInt8[np.ndarray, "h w 3"], _stamp_ns: int) -> None:
        if not kept:
            kept.append(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
            came.set()

    live = LiveSource(address_of(source), SourceConfig(), on_frame=keep, log=lambda _: None)
    try:
        if not came.wait(_LIVE_S):
            raise ExplainError(f"no picture arrived within {_LIVE_S:g} s: {live.state.problem}")
    finally:
        live.close()
    return kept[0]
