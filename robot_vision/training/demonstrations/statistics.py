"""Statistics that normalise actions and states to unit size."""

from typing import Literal

import numpy as np
from jaxtyping import Float32, Float64

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.datasets.errors import DatasetError
from robot_vision.training.demonstrations.demonstrations import Demonstrations

Kind = Literal["mean_std", "quantiles"]
# Below this a dimension is constant: dividing by it would amplify noise. With a scale of 1 the
# noise of a network would move it by centimetres per step.
_LEAST_SCALE, _CONSTANT_SCALE = 1e-6, 1e-3
# Quantiles that are this much narrower than the deviation miss a rare motion.
_NARROW = 0.1
_LEAST_STATE_SCALE = 1e-3


def statistics(source: Demonstrations, *, kind: Kind = "mean_std") -> ActionStatistics:
    """Over all valid steps: mean and deviation, or centre and half-width of q01 to q99.

    The gripper always becomes -1 closed to 1 open. A constant dimension has a scale of 0.001, and
    one whose motion is rarer than the quantiles show has mean and deviation. Raises
    `DatasetError` if a number is not finite or there is none: an action that is not normalised
    would drive the arm by numbers with another meaning (lerobot#1763).
    """
    mean, scale = _centre_and_scale(_taught(source), kind)
    mean[-1], scale[-1] = 0.5, 0.5
    scale[scale < _LEAST_SCALE] = _CONSTANT_SCALE
    return ActionStatistics.model_validate(
        {"mean": tuple(mean.tolist()), "scale": tuple(scale.tolist())}
    )


def state_statistics(
    source: Demonstrations, *, kind: Kind = "mean_std"
) -> tuple[Float32[np.ndarray, " s"], Float32[np.ndarray, " s"]]:
    """Mean and scale of the state; raises `DatasetError` if a number is not finite."""
    mean, scale = _centre_and_scale(_finite(np.asarray(source.state), "the state"), kind)
    scale = np.where(scale < _LEAST_STATE_SCALE, 1.0, scale)
    return mean.astype(np.float32), scale.astype(np.float32)


def track_statistics(
    tokens: Float32[np.ndarray, "n o"],
) -> tuple[Float32[np.ndarray, " o"], Float32[np.ndarray, " o"]]:
    """Mean and deviation of object tokens; absent or constant ones have scale 1."""
    if not len(tokens):
        width = tokens.shape[1]
        return np.zeros(width, np.float32), np.ones(width, np.float32)
    mean, scale = _centre_and_scale(_finite(tokens, "perception's tracks"), "mean_std")
    scale = np.where(scale < _LEAST_STATE_SCALE, 1.0, scale)
    return mean.astype(np.float32), scale.astype(np.float32)


def _taught(source: Demonstrations) -> Float64[np.ndarray, "n a"]:
    return _finite(np.asarray(source.action)[np.asarray(source.valid)], "the actions")


def _finite(values: np.ndarray, what: str) -> Float64[np.ndarray, "n c"]:
    if not len(values):
        raise DatasetError(f"no statistics of {what}: there is no step to learn from")
    bad = int((~np.isfinite(values)).any(axis=1).sum())
    if bad:
        raise DatasetError(f"no statistics of {what}: {bad} of {len(values)} rows are not finite")
    return values.astype(np.float64)


def _centre_and_scale(
    values: Float64[np.ndarray, "n c"], kind: Kind
) -> tuple[Float64[np.ndarray, " c"], Float64[np.ndarray, " c"]]:
    if kind == "mean_std":
        return values.mean(axis=0), values.std(axis=0)
    if kind != "quantiles":
        raise DatasetError(f"statistics {kind!r}; available: mean_std, quantiles")
    low, high = np.quantile(values, (0.01, 0.99), axis=0)
    mean, deviation = values.mean(axis=0), values.std(axis=0)
    is_rare = (high - low) / 2 < _NARROW * deviation
    centre = np.where(is_rare, mean, (low + high) / 2)
    return centre, np.where(is_rare, deviation, (high - low) / 2)
