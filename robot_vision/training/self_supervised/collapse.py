"""Detects an encoder that no longer distinguishes pictures, and ends its run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.training.engine.task import StoppedError


class CollapsedError(StoppedError):
    """The encoder answers the same for every picture; the round's weights are not saved."""


class CollapseOptions(Params):
    """When a run is stopped because it has collapsed."""

    spread: float = param(
        0.03,
        "smallest spread of embeddings that is not a collapse; 1: all directions equally",
        ge=0,
    )
    one_prototype: float = param(
        0.05,
        "lower limit of the mean answer's entropy (of 1): below it, one prototype has everything",
        ge=0,
        le=1,
    )
    no_prototype: float = param(
        0.999,
        "upper limit of an answer's entropy (of 1): above it, prototypes are not distinguished",
        ge=0,
        le=1,
    )
    evaluations: int = param(5, "evaluations in a row until the run stops", ge=1)


def spread_of(embeddings: Float32[np.ndarray, "n d"]) -> float:
    """Standard deviation of unit-norm embeddings in a dimension, by 1/√d: 0 where all pictures
    have the same, 1 where they have all directions (SimSiam, arXiv:2011.10566)."""
    units = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True).clip(1e-12)
    return float(units.std(axis=0).mean() * np.sqrt(units.shape[1]))


def entropies(share: Float[np.ndarray, "n k"]) -> dict[str, float]:
    """Entropy of answers over k prototypes, as a part of log k.

    `teacher_entropy` is the mean over answers: 1 if the teacher distinguishes no prototypes.
    `teacher_mean_entropy` is that of the mean answer: 0 if all answers are the same prototype.
    """
    return {
        "teacher_entropy": float(_entropy(share).mean()),
        "teacher_mean_entropy": float(_entropy(share.mean(axis=0))),
    }


def _entropy(share: np.ndarray) -> np.ndarray | np.floating:
    surprise = -np.log(np.maximum(share, 1e-30))
    return (share * surprise).sum(axis=-1) / np.log(share.shape[-1])


@dataclass(frozen=True, kw_only=True)
class Symptom:
    """A figure out of bounds, and how to fix it."""

    text: str
    advice: str


def symptoms(figures: Mapping[str, float], options: CollapseOptions) -> list[Symptom]:
    """Which figures say that the encoder has collapsed."""
    found = []
    for name, what in (("spread", "embeddings"), ("projection_spread", "projections")):
        if figures.get(name, 1.0) >= options.spread:
            continue
        found.append(
            Symptom(
                text=f"the spread of {what} is {figures[name]:.3g}, below "
                f"options.collapse.spread = {options.spread:g}: all pictures have nearly the same",
                advice="raise run.batch_size, lower optimizer.learning_rate, raise "
                "optimizer.warmup_steps, or make the views differ more (options.views)",
            )
        )
    if figures.get("teacher_mean_entropy", 1.0) < options.one_prototype:
        found.append(
            Symptom(
                text="the teacher answers one prototype for all pictures (entropy of the mean "
                f"answer {figures['teacher_mean_entropy']:.3g} of 1)",
                advice="lower options.centre_momentum or raise options.teacher_temperature, so "
                "that centring keeps up; lower optimizer.learning_rate",
            )
        )
    if figures.get("teacher_entropy", 0.0) > options.no_prototype:
        found.append(
            Symptom(
                text="the teacher distinguishes no prototypes (entropy of an answer "
                f"{figures['teacher_entropy']:.4g} of 1)",
                advice="lower options.teacher_temperature, which sharpens; raise "
                "run.batch_size or optimizer.learning_rate",
            )
        )
    return found


class CollapseWatch(nn.Module):
    """Counts evaluations in a row that show a collapse; a checkpoint holds the count."""

    in_a_row: Int64[torch.Tensor, ""]

    def __init__(self, options: CollapseOptions) -> None:
        super().__init__()
        self._options = options
        self.register_buffer("in_a_row", torch.zeros((), dtype=torch.int64))

    def check(self, figures: Mapping[str, float]) -> None:
        """Record an evaluation; raises `CollapsedError` that says what to change."""
        found = symptoms(figures, self._options)
        self.in_a_row.copy_(self.in_a_row + 1 if found else torch.zeros_like(self.in_a_row))
        if int(self.in_a_row) >= self._options.evaluations:
            raise CollapsedError(
                _words(found, int(self.in_a_row), is_judged="knn_top1" in figures)
            )


def _words(found: Sequence[Symptom], evaluations: int, *, is_judged: bool) -> str:
    kept = (
        "weights.safetensors of this one holds the weights with the best knn_top1 before"
        if is_judged
        else "the weights of this one have collapsed too: without options.labelled_set no earlier "
        "ones are kept"
    )
    return (
        f"the encoder has collapsed, over {evaluations} evaluations: "
        f"{'; '.join(s.text for s in found)}. To change: {'; '.join(s.advice for s in found)}. "
        f"Train into another folder; {kept}"
    )
