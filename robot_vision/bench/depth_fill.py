"""Compares methods of filling depth holes, and their speed: ours, a model's, and standard ones."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from time import process_time
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float32

from robot_vision.bench.depth_holes import CUTS
from robot_vision.core.parameters.config import DepthConfig, ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.machine import describe_machine
from robot_vision.memory import keep_large_blocks_apart
from robot_vision.perception.depth.baselines import FILLS
from robot_vision.perception.perceiver import build_perceiver

# Bands of distance to a measured pixel with separate errors.
BANDS_PX = (0, 4, 10, 20, 40)
_ROUNDS = 60

FillFrame = Callable[[Frame], Float32[np.ndarray, "h w"]]


def bench_depth_fill(
    sets: Mapping[str, list[Frame]], *, model: str, cuts: int, seed: int = 0
) -> dict[str, Any]:
    """AbsRel in cut holes, by set, kind of hole and distance; and processor time per map.

    `cuts` holes of each kind are cut into every frame. `model` is the bundle compared with.
    """
    keep_large_blocks_apart()
    cv2.setNumThreads(1)
    fills = _fills(model)
    errors: dict[str, Any] = {}
    for name, frames in sets.items():
        rng = np.random.default_rng(seed)
        others = [frame.depth_m for frame in frames if frame.depth_m is not None]
        for kind, cut in CUTS.items():
            holed = [
                (frame, cut(rng, frame.depth_m, others))
                for frame in frames
                if frame.depth_m is not None
                for _ in range(cuts)
            ]
            found = _errors(holed, fills)
            if found["pixels"]:
                errors[f"{name}, {kind}"] = found
    frame = next(iter(sets.values()))[0]
    return {"machine": describe_machine(), "absrel": errors, "time": _times(frame)}


def _fills(model: str) -> dict[str, FillFrame]:
    """All fillings of a frame; the model's is aligned as in the service."""
    config = ServiceConfig(model=model, threads=1, depth=DepthConfig(fill="model"))
    perceiver = build_perceiver(config)

    def by_model(frame: Frame) -> Float32[np.ndarray, "h w"]:
        depth = perceiver.perceive(frame).depth
        assert depth is not None
        return depth.depth_m

    def by(name: str) -> FillFrame:
        return lambda frame: FILLS[name](np.asarray(frame.depth_m), frame.rgb)

    return {name: by(name) for name in FILLS} | {model: by_model}


def _errors(
    holed: Iterable[tuple[Frame, Bool[np.ndarray, "h w"]]], fills: Mapping[str, FillFrame]
) -> dict[str, Any]:
    """AbsRel of each method over all cut pixels, and in bands of distance."""
    total = {name: np.zeros(len(BANDS_PX)) for name in fills}
    pixels = np.zeros(len(BANDS_PX))
    for frame, hole in holed:
        true_m = np.asarray(frame.depth_m)
        cut = hole & np.isfinite(true_m)
        left_m = np.where(hole, np.float32(np.nan), true_m)
        if not cut.any() or np.isnan(left_m).all():
            continue
        away_px = cv2.distanceTransform(np.isnan(left_m).view(np.uint8), cv2.DIST_L2, 5)[cut]
        band = np.searchsorted(BANDS_PX, away_px) - 1
        pixels += np.bincount(band, minlength=len(BANDS_PX))
        for name, fill in fills.items():
            guess_m = fill(replace(frame, depth_m=left_m))[cut]
            error = np.nan_to_num(np.abs(guess_m / true_m[cut] - 1), nan=1.0)
            total[name] += np.bincount(band, error, minlength=len(BANDS_PX))
    count = max(pixels.sum(), 1)
    return {
        "pixels": int(pixels.sum()),
        "all": {name: round(float(one.sum() / count), 4) for name, one in total.items()},
        "by_distance": {
            name: (one / np.maximum(pixels, 1)).round(4).tolist() for name, one in total.items()
        },
    }


def _times(frame: Frame) -> dict[str, Any]:
    """Milliseconds of processor time per map, interleaved, so that a busy machine does not
    change the ratio."""
    depth_m = np.asarray(frame.depth_m)
    spent: dict[str, list[float]] = {"guided": [], "nearest": []}
    for _ in range(_ROUNDS):
        for name, times in spent.items():
            start_s = process_time()
            FILLS[name](depth_m, frame.rgb)
            times.append((process_time() - start_s) * 1e3)
    median = {name: float(np.median(times)) for name, times in spent.items()}
    return {
        "size": f"{depth_m.shape[1]}×{depth_m.shape[0]}",
        "median_ms": {name: round(ms, 2) for name, ms in median.items()},
        "least_ms": {name: round(min(times), 2) for name, times in spent.items()},
        "guided_to_nearest": round(median["guided"] / median["nearest"], 2),
    }
