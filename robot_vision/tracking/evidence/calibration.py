"""What the tracker learns from all objects together: how the camera moves, how good boxes are."""

import math

import numpy as np
from jaxtyping import Float

from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.tracking.kalman import AxisStates
from robot_vision.tracking.motion import noise_px2

# Common motion of fewer objects may be chance.
LEAST_WITNESSES = 3
MEDIAN_OF_CHI2 = 2 * math.log(2)  # Of two degrees of freedom.
LARGEST_STEP = 4.0
UNREST_MEMORY_S, NOISE_MEMORY_S = 0.1, 1.0
LEAST_NOISE, LARGEST_NOISE = 0.03, 0.1


def learn(
    unrest: float,
    expected: AxisStates,
    seen_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    dt_s: float,
    config: TrackerConfig,
) -> tuple[float, TrackerConfig]:
    """The camera's unsteadiness, and the configuration with the observed `box_noise`.

    Where all boxes move unexpectedly, the camera moved: expect more of it. Sizes
    hardly change between two frames, so their errors are the detector's.
    """
    if len(seen_cxcywh_px) < LEAST_WITNESSES:
        return unrest, config
    variance = expected.var_position + noise_px2(expected.position, config=config)
    d2 = (seen_cxcywh_px - expected.position) ** 2 / variance
    unrest *= _surprise(d2[:, 0] + d2[:, 1]) ** _pace(dt_s, memory_s=UNREST_MEMORY_S)
    noise = config.box_noise * _surprise(d2[:, 2] + d2[:, 3]) ** (
        _pace(dt_s, memory_s=NOISE_MEMORY_S) / 2
    )
    bounded = min(max(noise, LEAST_NOISE), LARGEST_NOISE)
    return (
        min(max(unrest, 1.0), config.unrest_limit),
        config.model_copy(update={"box_noise": bounded}),
    )


def common_move(moves: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2"]:
    """The motion that all share: their median, shrunk the more they disagree."""
    if len(moves) < LEAST_WITNESSES:
        return np.zeros(2)
    middle = _median(moves)
    spread = 1.4826 * _median(np.abs(moves - middle))
    # The variance of a median of normals is pi / 2 that of their mean.
    doubt = np.pi / 2 * (spread**2).sum() / len(moves)
    return middle * max(0.0, 1 - doubt / max((middle**2).sum(), 1e-12))


def _pace(dt_s: float, *, memory_s: float) -> float:
    return 1 - math.exp(-dt_s / memory_s)


def _surprise(d2: Float[np.ndarray, " n"]) -> float:
    """The median of squared normalised innovations over its expected value, within bounds."""
    ratio = float(_median(d2)) / MEDIAN_OF_CHI2
    return min(max(ratio, 1 / LARGEST_STEP), LARGEST_STEP)


def _median(
    values: Float[np.ndarray, " n"] | Float[np.ndarray, "n k"],
) -> Float[np.ndarray, "*k"]:
    """The median of each column: NumPy's own takes longer than everything else here."""
    n, ordered = len(values), np.sort(values, axis=0)
    return np.asarray((ordered[(n - 1) // 2] + ordered[n // 2]) / 2)
