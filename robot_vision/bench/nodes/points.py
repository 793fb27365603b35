"""`bench points`: point clouds of measured depth: ours against a Python loop over the pixels."""

import struct
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import cv2
import numpy as np

from robot_vision.bench.stages import percentiles_ms
from robot_vision.core.errors import RobotVisionError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Depth, Frame, Perception
from robot_vision.machine import describe_machine
from robot_vision.memory import keep_large_blocks_apart
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.topics.content.cloud import POINT, Rays
from robot_vision.topics.content.points import CloudWriter

_ROUNDS, _LOOPS = 200, 3


class NoDepthError(RobotVisionError, ValueError):
    """There is no depth to make points from."""


def bench_points(config: ServiceConfig, frames: list[Frame]) -> dict[str, Any]:
    """Processor time of a cloud, of the objects' points with it, and of the first cloud.

    Raises `NoDepthError`.
    """
    keep_large_blocks_apart()
    cv2.setNumThreads(1)
    pipeline = build_pipeline(config)
    seen = [pipeline.process(frame) for frame in frames if frame.camera is not None]
    seen = [perception for perception in seen if perception.depth is not None]
    if len(seen) < 2:
        raise NoDepthError(
            "fewer than 2 frames have depth and intrinsics; expected a recording with both"
        )
    writer = CloudWriter(FileMessages(), config.points)
    first_ms = _ms(lambda: writer.scene(seen[0]))
    rows = [_row(writer, seen[number % len(seen)]) for number in range(1, _ROUNDS + 1)]
    return {
        "bench": "points",
        "machine": describe_machine(),
        "stride": config.points.stride,
        "first cloud, ms": round(first_ms, 1),
        "stage_ms": percentiles_ms(rows) | percentiles_ms(_loops(seen[0])),
    }


def _row(writer: CloudWriter, perception: Perception) -> dict[str, float]:
    return {
        "~/points": _ms(lambda: writer.scene(perception)),
        "~/objects/points with it": _ms(lambda: writer.objects(perception)),
    }


def _ms(work: Callable[[], object]) -> float:
    start_s = process_time()
    work()
    return (process_time() - start_s) * 1e3


def _loops(perception: Perception) -> Iterator[dict[str, float]]:
    frame, depth = perception.frame, perception.depth
    assert frame.camera is not None
    assert depth is not None
    height_px, width_px = depth.depth_m.shape
    x, y = Rays().of(frame.camera, (height_px, width_px), 1)
    for _ in range(_LOOPS):
        yield {"~/points by a loop, rays given": _ms(lambda: _loop(frame, depth, x, y))}


def _loop(frame: Frame, depth: Depth, x: np.ndarray, y: np.ndarray) -> bytes:
    """One point at a time, packed as in `sensor_msgs_py`."""
    height_px, width_px = depth.depth_m.shape
    rgb, measured = frame.rgb, depth.measured
    point, data = struct.Struct("<fffI"), bytearray(height_px * width_px * POINT.itemsize)
    for v in range(height_px):
        for u in range(width_px):
            z_m = depth.depth_m[v, u] if measured[v, u] else np.nan
            red, green, blue = rgb[v, u]
            color = int(red) << 16 | int(green) << 8 | int(blue)
            at = (v * width_px + u) * POINT.itemsize
            point.pack_into(data, at, x[v, u] * z_m, y[v, u] * z_m, z_m, color)
    return bytes(data)
