"""Frames to measure with: from a recording, or made up."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from robot_vision.core.config import ServiceConfig
from robot_vision.core.types import Camera, Frame

FRAME_ID = "camera_color_optical_frame"
_FOCAL_PER_WIDTH = 0.9
_STEP_NS = 33_333_333


def load_frames(
    recording: Path | None, *, count: int, width_px: int, height_px: int
) -> list[Frame]:
    """Up to `count` frames of `recording`; without one, made up at the size given."""
    if recording is None:
        return list(made_up_frames(count=count, width_px=width_px, height_px=height_px))
    from robot_vision.replay.bag import BagOptions
    from robot_vision.replay.frames import decode
    from robot_vision.replay.sources import open_source

    source = open_source(recording, config=ServiceConfig(), options=BagOptions())
    frames = (decode(raw, source.health.problems) for raw in source.raw_frames())
    return list(islice((frame for frame in frames if frame is not None), count))


def made_up_frames(*, count: int, width_px: int, height_px: int) -> Iterator[Frame]:
    """Boxes that move over a textured plane, with depth: work for every stage, no real scene."""
    rng = np.random.default_rng(0)
    texture = rng.integers(60, 120, (height_px, width_px, 3), dtype=np.uint8)
    sizes_px = rng.integers(width_px // 12, width_px // 5, (8, 2))
    starts_px = rng.uniform(0, 1, (8, 2)) * (width_px, height_px)
    speeds_px = rng.uniform(-4, 4, (8, 2))
    colors = rng.integers(0, 256, (8, 3), dtype=np.uint8)
    camera = _camera(width_px, height_px)
    for k in range(count):
        rgb, depth_m = texture.copy(), np.full((height_px, width_px), 2.0, np.float32)
        for i, (w, h) in enumerate(sizes_px.tolist()):
            x, y = ((starts_px[i] + k * speeds_px[i]) % (width_px, height_px)).astype(int).tolist()
            rgb[y : y + h, x : x + w] = colors[i]
            depth_m[y : y + h, x : x + w] = 0.8 + 0.1 * i
        yield Frame(
            stamp_ns=(k + 1) * _STEP_NS,
            frame_id=FRAME_ID,
            rgb=rgb,
            camera=camera,
            depth_m=depth_m,
            depth_stamp_ns=(k + 1) * _STEP_NS,
        )


def _camera(width_px: int, height_px: int) -> Camera:
    focal_px = _FOCAL_PER_WIDTH * width_px
    cx_px, cy_px = (width_px - 1) / 2, (height_px - 1) / 2
    return Camera(
        frame_id=FRAME_ID,
        width_px=width_px,
        height_px=height_px,
        intrinsics_px=np.array([[focal_px, 0, cx_px], [0, focal_px, cy_px], [0, 0, 1.0]]),
    )
