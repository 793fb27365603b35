"""What the tracker learns from all objects at once: how the camera moves, how good boxes are."""

import numpy as np
from jaxtyping import Float

from robot_vision.core.config import TrackerConfig
from robot_vision.tracking.kalman import AxisStates
from robot_vision.tracking.motion import noise_px2

# What fewer objects do together may be chance.
LEAST_WITNESSES = 3
MEDIAN_OF_CHI2 = 2 * np.log(2)  # Of two degrees of freedom.
LARGEST_STEP = 4.0
UNREST_MEMORY_S, NOISE_MEMORY_S = 0.1, 1.0
LEAST_NOISE, LARGEST_NOISE = 0.03, 0.1


def learn_unrest(
    unrest: float,
    expected: AxisStates,
    seen_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    dt_s: float,
    config: TrackerConfig,
) -> float:
    """Where all boxes move otherwise than expected, the camera does: expect more of it."""
    if len(seen_cxcywh_px) < LEAST_WITNESSES:
        return unrest
    ratio = _surprise(expected, seen_cxcywh_px, part=slice(0, 2), config=config)
    raised = unrest * ratio ** _pace(dt_s, memory_s=UNREST_MEMORY_S)
    return min(max(raised, 1.0), config.unrest_limit)


def learn_noise(
    expected: AxisStates,
    seen_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    dt_s: float,
    config: TrackerConfig,
) -> TrackerConfig:
    """The configuration with `box_noise` as it shows itself in this frame.

    Sizes hardly change between two frames, so that what they are off by is the detector's doing.
    """
    if len(seen_cxcywh_px) < LEAST_WITNESSES:
        return config
    ratio = _surprise(expected, seen_cxcywh_px, part=slice(2, 4), config=config)
    noise = config.box_noise * ratio ** (_pace(dt_s, memory_s=NOISE_MEMORY_S) / 2)
    bounded = min(max(noise, LEAST_NOISE), LARGEST_NOISE)
    return config.model_copy(update={"box_noise": bounded})


def common_move(moves: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2"]:
    """What all moves have in common: their median, less the more they disagree."""
    if len(moves) < LEAST_WITNESSES:
        return np.zeros(2)
    middle = np.median(moves, axis=0)
    spread = 1.4826 * np.median(np.abs(moves - middle), axis=0)
    # The variance of a median of normals is pi / 2 that of their mean.
    doubt = np.pi / 2 * (spread**2).sum() / len(moves)
    return middle * max(0.0, 1 - doubt / max((middle**2).sum(), 1e-12))


def _pace(dt_s: float, *, memory_s: float) -> float:
    return 1 - float(np.exp(-dt_s / memory_s))


def _surprise(
    expected: AxisStates,
    seen_cxcywh_px: Float[np.ndarray, "n 4"],
    *,
    part: slice,
    config: TrackerConfig,
) -> float:
    """How far off centres or sizes are from what was expected: 1 where noise explains it.

    The median over boxes of the normalised innovation squared, over its expected value.
    """
    variance = expected.var_position + noise_px2(expected.position, config=config)
    d2 = (seen_cxcywh_px - expected.position) ** 2 / variance
    ratio = float(np.median(d2[:, part].sum(axis=1)) / MEDIAN_OF_CHI2)
    return min(max(ratio, 1 / LARGEST_STEP), LARGEST_STEP)
