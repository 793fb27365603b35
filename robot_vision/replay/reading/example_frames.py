"""Frames for benchmarks: as recorded, or from the shipped recording at another size."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2

from robot_vision.core.cameras.geometry import scaled_camera
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.replay.reading.frames import decode
from robot_vision.replay.reading.sources import open_source

SHIPPED = Path(__file__).parents[2] / "data" / "tabletop"


def load_frames(
    recording: Path | None, *, count: int, width_px: int, height_px: int
) -> list[Frame]:
    """Up to `count` frames of `recording`; by default of the shipped one at the given size."""
    source = open_source(recording or SHIPPED, config=ServiceConfig(), options=BagOptions())
    decoded = (decode(raw, source.health.problems) for raw in source.raw_frames())
    frames = list(islice((frame for frame in decoded if frame is not None), count))
    if recording is not None:
        return frames
    return [_scaled(frame, width_px=width_px, height_px=height_px) for frame in frames]


def _scaled(frame: Frame, *, width_px: int, height_px: int) -> Frame:
    size = (width_px, height_px)
    camera, depth_m = frame.camera, frame.depth_m
    if camera is not None:
        camera = scaled_camera(camera, width_px=width_px, height_px=height_px)
    if depth_m is not None:
        depth_m = cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST)
    return replace(frame, rgb=cv2.resize(frame.rgb, size), camera=camera, depth_m=depth_m)
