"""Errors of actions against the taught ones: by dimension, by step, at a chunk's end."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.training.metrics.decisions import (
    GRIPPER,
    POSITION,
    ROTATION,
    Decisions,
    trivial_answers,
)
from robot_vision.training.metrics.gripper_timing import gripper_timing_figures

_OPEN = 0.5


@dataclass(frozen=True, kw_only=True)
class ErrorScale:
    """Scales that make errors of different units comparable, and the kinds of columns.

    Tool chunks have end positions; joint chunks are positions themselves.
    """

    statistics: ActionStatistics
    is_tool: bool


def step_errors(decisions: Decisions) -> Float64[np.ndarray, "t a"]:
    """Mean absolute error by step of the chunk and dimension; NaN if no step was taught."""
    error = np.abs(decisions.predicted - decisions.taught).astype(np.float64)
    weight = decisions.valid[..., None].astype(np.float64)
    with np.errstate(invalid="ignore"):
        return (error * weight).sum(axis=0) / weight.sum(axis=0)


def reached_errors(decisions: Decisions) -> Float64[np.ndarray, "t 2"]:
    """Distance (m) and angle (rad) between the tool poses that both chunks reach at each step.

    R' = exp(Δ)R in base axes, so the common initial orientation cancels.
    """
    error = (decisions.predicted - decisions.taught)[..., POSITION].cumsum(axis=1)
    distance_m = np.linalg.norm(error, axis=-1)
    count, steps = decisions.valid.shape
    angle_rad = np.zeros((count, steps))
    predicted, taught = Rotation.identity(count), Rotation.identity(count)
    for step in range(steps):
        predicted = Rotation.from_rotvec(decisions.predicted[:, step, ROTATION]) * predicted
        taught = Rotation.from_rotvec(decisions.taught[:, step, ROTATION]) * taught
        angle_rad[:, step] = (predicted * taught.inv()).magnitude()
    weight = decisions.valid.astype(np.float64)
    both = np.stack([distance_m, angle_rad], axis=-1) * weight[..., None]
    with np.errstate(invalid="ignore"):
        return both.sum(axis=0) / weight.sum(axis=0)[:, None]


def action_figures(decisions: Decisions, scale: ErrorScale) -> dict[str, float]:
    """Metrics of a policy, those of the trivial baselines by suffix, and `skill` over them.

    `error` is the mean absolute error in scales of the statistics; `skill` is 1 minus the fraction
    of the best trivial baseline's error that remains: 0 is no better than it, 1 is perfect.
    """
    figures = _figures(decisions, scale)
    trivial = {name: _figures(each, scale) for name, each in trivial_answers(decisions).items()}
    best = min(each["error"] for each in trivial.values())
    skill = 1 - figures["error"] / best if best > 0 else float("nan")
    beside = {
        f"{figure}_{name}": value
        for figure in figures
        for name, each in trivial.items()
        for value in [each[figure]]
    }
    return {"skill": skill, **figures, **beside, **gripper_timing_figures(decisions)}


def _figures(decisions: Decisions, scale: ErrorScale) -> dict[str, float]:
    error = np.abs(decisions.predicted - decisions.taught)[decisions.valid].astype(np.float64)
    is_right = (decisions.predicted[..., GRIPPER] > _OPEN) == (
        decisions.taught[..., GRIPPER] > _OPEN
    )
    figures = {
        "error": float((error / np.array(scale.statistics.scale)).mean()),
        "gripper_accuracy": float(is_right[decisions.valid].mean()),
    }
    if not scale.is_tool:
        return figures | {"joints": float(error[:, :GRIPPER].mean())}
    reached = reached_errors(decisions)
    last = int(np.flatnonzero(decisions.valid.any(axis=0))[-1])
    return figures | {
        "step_m": float(error[:, POSITION].mean()),
        "step_rad": float(error[:, ROTATION].mean()),
        "end_m": float(reached[last, 0]),
        "end_rad": float(reached[last, 1]),
    }
