"""What is trained for: batches, a loss, an evaluation, and what must travel with the weights."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.params import Params
from robot_vision.core.registry import Registry
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.training.engine.recipe import Recipe

BatchT = TypeVar("BatchT")
# Runs one graph: inputs by the name of their tensor in, outputs by role out.
Predictor = Callable[[Mapping[str, np.ndarray]], dict[str, np.ndarray]]


class Task(ABC, Generic[BatchT]):
    """One kind of training. A subclass in `training/tasks/` registers itself in `TASKS`.

    The engine owns the loop, the optimiser, precision, checkpoints and processes; a task owns
    the data and what is asked of the model. It is constructed once a run, in every process.
    """

    options: ClassVar[type[Params]]
    # The figure of `evaluate` that selects weights, the higher the better; empty: the last ones.
    metric: ClassVar[str] = ""
    # Whether a run ends with the weights that this figure selects, be they those that it began
    # from: where a loss that falls does not mean that a model becomes better.
    keeps_best: ClassVar[bool] = False

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        """Open the data; raises `ConfigError` where they lack what the task needs."""
        self.recipe = recipe
        self.device = device

    def spec_values(self) -> dict[str, Any]:
        """Fields of the model's spec that the data determine: how many classes, words, …"""
        return {}

    def prepare(self, model: nn.Module) -> None:
        """Set what the data determine in a fresh model, such as means of its inputs."""

    def notes(self) -> tuple[str, ...]:
        """What a person should know of these data before the run starts."""
        return ()

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """Of weights from another run with what travelled beside them, those to begin from."""
        del travels
        return tensors

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """What is trained or kept beside the model (learnt balances, a teacher, a queue)."""
        del model
        return {}

    def follow(self, averaged: nn.Module) -> None:
        """Take the averaged weights, which are evaluated and shipped, as a teacher."""

    @abstractmethod
    def batches(self, first_step: int, part: float) -> Generator[BatchT, None, None]:
        """Batches from a step on, on the device; closed at the end of a round.

        A batch depends on recipe, step and process alone, so that a resumed run goes on as an
        uninterrupted one would have. It holds `recipe.run.share(process_count())` samples. With
        gradient accumulation a step here is one of its parts. `part` of the run is done.
        """

    def answer(self, model: nn.Module, batch: BatchT) -> Any:
        """What the model says of a batch; runs under the recipe's precision."""
        raise NotImplementedError

    @abstractmethod
    def loss(self, answer: Any, batch: BatchT) -> Loss:
        """The total to descend, and its named parts, detached; runs in full precision."""

    def after_step(self, model: nn.Module, step: int) -> None:
        """What happens after a step of the optimiser: an average teacher, a queue."""

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on held-out data, of process 0 alone; empty where there are no such data."""
        del model
        return {}

    def evaluate_start(self, model: nn.Module) -> dict[str, float]:
        """Figures of the weights that a run begins from, where it must be compared with them."""
        del model
        return {}

    def travels(self) -> dict[str, Any]:
        """What must travel with the weights, as JSON: classes, vocabulary, statistics."""
        return {}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        """The recipe for pictures of that size; raises `ConfigError` where there are none."""
        raise ConfigError(
            f"task {recipe.task!r} takes no size ({size.width_px}x{size.height_px}): leave it out"
        )

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> "HeldOut":
        """Data by which what is exported is proven and measured; `data` replaces the recipe's."""
        raise NotImplementedError


class HeldOut(ABC):
    """Held-out data as the export takes them; `size` is that of their pictures, if any."""

    size: Size | None = None

    @abstractmethod
    def inputs(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Real inputs of a graph by the name of its file, batches of one, for parity."""

    def calibration(self, graph: str, count: int) -> Iterator[dict[str, np.ndarray]]:
        """Inputs from the training data, by which eight-bit ranges are chosen."""
        return self.inputs(graph, count)

    @abstractmethod
    def metrics(self, predictors: Mapping[str, Predictor]) -> dict[str, float | str]:
        """Figures of what was exported, for the manifest; predictors by the graph's file."""

    @abstractmethod
    def write(self, folder: Path, manifest_values: dict[str, Any]) -> Path:
        """Write the bundle's manifest beside the files in `folder`; returns its path.

        `manifest_values` are those that the exporter knows for any model: name, version,
        architecture, precision, metrics, licence, description, limits, image (`ModelInput`),
        format, outputs, files.
        """


TASKS: Registry[type[Task[Any]]] = Registry("task", package="robot_vision.training.tasks")
