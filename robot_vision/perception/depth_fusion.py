"""Metric depth from the sensor where it is valid and from a model, aligned to it, elsewhere."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32

from robot_vision.core.config import DepthConfig
from robot_vision.core.types import Depth, DepthSource

DepthKind = Literal["metric", "relative"]

# Fewer common pixels than this say too little to align by.
_MIN_COMMON = 64
_MAX_COMMON = 1024
_IRLS_STEPS = 16


def fuse_depth(
    *,
    stamp_ns: int,
    sensor_m: Float32[np.ndarray, "h w"] | None,
    model_depth: Float32[np.ndarray, "hm wm"] | None,
    kind: DepthKind,
    config: DepthConfig,
) -> Depth | None:
    """The depth map of a frame, and where it comes from; None if nothing metric is known.

    A `metric` model is scaled to the sensor, or taken as it is without one. A `relative` model
    (inverse depth up to scale and shift, as MiDaS and Depth Anything) needs the sensor. Both maps
    show the same view. The result has the sensor's size, or the model's if that stands alone.
    """
    aligned_m = None
    if model_depth is not None and config.mode != "sensor":
        aligned_m = _align(sensor_m, model_depth, kind, config)
    if sensor_m is None or config.mode == "model":
        return _depth(stamp_ns, aligned_m, "model") if aligned_m is not None else None
    if aligned_m is None:
        return _depth(stamp_ns, _in_range(sensor_m, config), "sensor")
    return _fill(stamp_ns, sensor_m, aligned_m, config)


def scale_to(reference_m: Float32[np.ndarray, " n"], depth: Float32[np.ndarray, " n"]) -> float:
    """The factor that brings `depth` to `reference_m`: the median of their ratios."""
    ratio = np.sort(reference_m / depth)
    # np.median, whose own work takes longer than sorting these few.
    return float((ratio[(ratio.size - 1) // 2] + ratio[ratio.size // 2]) / 2)


def scale_and_shift_to(
    reference: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """`a`, `b` of `a · values + b ≈ reference` in least absolute deviations.

    Iteratively reweighted least squares; up to a third of the points may be wrong.
    """
    weight = np.ones_like(values)
    slope, shift = 0.0, 0.0
    for _ in range(_IRLS_STEPS):
        total = weight.sum()
        mean_x, mean_y = (weight @ values) / total, (weight @ reference) / total
        spread = weight @ (values - mean_x) ** 2
        slope = float(weight @ ((values - mean_x) * (reference - mean_y)) / max(spread, 1e-12))
        shift = float(mean_y - slope * mean_x)
        residual = np.abs(reference - slope * values - shift)
        weight = 1 / np.maximum(residual, 1e-3 * max(float(np.median(reference)), 1e-9))
    return slope, shift


def _align(
    sensor_m: np.ndarray | None, model_depth: np.ndarray, kind: DepthKind, config: DepthConfig
) -> np.ndarray | None:
    """The model's depth in metres, on its own grid; None if it cannot be made metric."""
    sensor, model = _common(sensor_m, model_depth, config)
    enough = sensor.size >= _MIN_COMMON
    if kind == "metric":
        scale = np.float32(scale_to(sensor, model) if enough else 1.0)
        return _in_range(model_depth * scale, config)
    if not enough:
        return None
    slope, shift = scale_and_shift_to(1 / sensor.astype(np.float64), model.astype(np.float64))
    if slope <= 0:  # farther would be nearer: the model says nothing about this view
        return None
    inverse = model_depth * np.float32(slope) + np.float32(shift)
    return _in_range(1 / np.where(inverse > 0, inverse, np.float32(np.nan)), config)


def _common(
    sensor_m: np.ndarray | None, model_depth: np.ndarray, config: DepthConfig
) -> tuple[np.ndarray, np.ndarray]:
    """Depths of both where both have one, on the model's grid, thinned to bounded work."""
    if sensor_m is None:
        return np.zeros(0, np.float32), np.zeros(0, np.float32)
    height, width = model_depth.shape
    sensor = cv2.resize(sensor_m, (width, height), interpolation=cv2.INTER_NEAREST)
    both = np.flatnonzero(_valid(sensor, config) & (model_depth > 0) & (model_depth < np.inf))
    both = both[:: max(1, both.size // _MAX_COMMON)]
    return sensor.ravel()[both], model_depth.ravel()[both]


def _fill(stamp_ns: int, sensor_m: np.ndarray, model_m: np.ndarray, config: DepthConfig) -> Depth:
    """The sensor's map with its holes filled from the model's."""
    valid = _valid(sensor_m, config)
    count = np.count_nonzero(valid)
    if count == valid.size:
        return _depth(stamp_ns, sensor_m, "sensor")
    source: DepthSource = "fused" if count else "model"
    height, width = sensor_m.shape
    filled = cv2.resize(model_m, (width, height), interpolation=cv2.INTER_LINEAR)
    # OpenCV's masked copy takes half the time of NumPy's.
    return _depth(stamp_ns, cv2.copyTo(sensor_m, valid.view(np.uint8), filled), source)


def _valid(depth_m: np.ndarray, config: DepthConfig) -> Bool[np.ndarray, "h w"]:
    return (depth_m >= config.min_m) & (depth_m <= config.max_m)


def _in_range(depth_m: np.ndarray, config: DepthConfig) -> np.ndarray:
    """NaN where depth is missing or outside the configured range."""
    return np.where(_valid(depth_m, config), depth_m, np.float32(np.nan))


def _depth(stamp_ns: int, depth_m: np.ndarray, source: DepthSource) -> Depth:
    valid = np.count_nonzero(np.isfinite(depth_m)) / depth_m.size
    return Depth(stamp_ns=stamp_ns, depth_m=depth_m, source=source, valid_fraction=float(valid))
