"""A training task: batches, a loss, an evaluation, and metadata for the weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.parameters.params import Params
from robot_vision.core.registry import Registry
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.training.engine.recipes.recipe import Recipe

BatchT = TypeVar("BatchT")
# Runs one graph: takes inputs by tensor name, returns outputs by role.
Predictor = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class StoppedError(RobotVisionError, RuntimeError):
    """An evaluation shows that going on is in vain; the run keeps its best weights."""


class Task(ABC, Generic[BatchT]):
    """One kind of training. A subclass in `training/tasks/` registers itself in `TASKS`.

    The engine owns the loop, the optimiser, precision, checkpoints and processes; a task owns
    the data and the model's targets. It is constructed once per run, in every process.
    """

    options: ClassVar[type[Params]]
    # The metric of `evaluate` that selects weights, higher is better; empty: the last ones.
    metric: ClassVar[str] = ""
    # Whether a run ends with the weights that this metric selects, even the initial
    # ones: for tasks where a falling loss does not mean a better model.
    keeps_best: ClassVar[bool] = False

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        """Open the data; raises `ConfigError` if they lack what the task needs."""
        self.recipe = recipe
        self.device = device

    def spec_values(self) -> dict[str, Any]:
        """Fields of the model's spec determined by the data: the number of classes, words, …"""
        return {}

    def prepare(self, model: nn.Module) -> None:
        """Set data-dependent values in a fresh model, such as means of its inputs."""

    def notes(self) -> tuple[str, ...]:
        """Notes on these data for the user before the run starts."""
        return ()

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The initial weights, chosen from another run's weights and their metadata."""
        del travels
        return tensors

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """Modules trained or kept beside the model (learnt balances, a teacher, a queue)."""
        del model
        return {}

    def follow(self, averaged: nn.Module) -> None:
        """Use the averaged weights, which are evaluated and shipped, as a teacher."""

    @abstractmethod
    def batches(self, first_step: int, part: float) -> Generator[BatchT, None, None]:
        """Batches from a step on, on the device; closed at the end of a round.

        A batch depends only on recipe, step and process, so that a resumed run continues like an
        uninterrupted one. It holds `recipe.run.share(process_count())` samples. With
        gradient accumulation a step here is one of its parts. `part` of the run is done.
        """

    def answer(self, model: nn.Module, batch: BatchT) -> Any:
        """The model's answer for a batch; runs in the recipe's precision."""
        raise NotImplementedError

    @abstractmethod
    def loss(self, answer: Any, batch: BatchT) -> Loss:
        """The total to minimise, and its named parts, detached; runs in full precision."""

    def after_step(self, model: nn.Module, step: int) -> None:
        """Called after an optimiser step: updates an average teacher, a queue."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on held-out data, in process 0 only; empty if there are no such data.

        Raises `StoppedError` to end the run.
        """
        del model
        return {}

    def evaluate_start(self, model: nn.Module) -> dict[str, float]:
        """Metrics of the initial weights, if the run must be compared with them."""
        del model
        return {}

    def travels(self) -> dict[str, Any]:
        """Metadata to store with the weights, as JSON: classes, vocabulary, statistics."""
        return {}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        """The recipe for pictures of this size; raises `ConfigError` if the task has none."""
        raise ConfigError(
            f"task {recipe.task!r} takes no size ({size.width_px}x{size.height_px}): leave it out"
        )

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> "HeldOut":
        """Data for verifying and measuring an export; `data` replaces the recipe's."""
        raise NotImplementedError


class HeldOut(ABC):
    """Held-out data for the export; `size` is that of their pictures, if any."""

    size: Size | None = None

    @abstractmethod
    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Real inputs of a graph by the name of its file, batches of one, for parity."""

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Inputs from the training data for choosing eight-bit ranges."""
        return self.inputs(graph, count)

    @abstractmethod
    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Metrics of the export, for the manifest; predictors by the graph's file."""

    @abstractmethod
    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        """Write the bundle's manifest beside the files in `folder`; returns its path.

        `manifest_values` are those that the exporter knows for any model: name, version,
        architecture, precision, metrics, licence, description, limits, image (`ModelInput`),
        format, outputs, files.
        """


TASKS: Registry[type[Task[Any]]] = Registry("task", package="robot_vision.training.tasks")
