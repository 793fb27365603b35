"""A task and a model of a few numbers: what the engine does with any, and does it in no time."""

from collections.abc import Generator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.parameters.params import Params, param
from robot_vision.models.card import Card
from robot_vision.models.registry import MODELS, register_model
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.stepping.distributed import process_count, rank
from robot_vision.training.engine.task import TASKS, Task

NAME = "toy"


class ToySpec(Params):
    width: int = param(8, "width", ge=1)
    norm: bool = param(False, "whether there is a batch norm")


class ToyOptions(Params):
    noise: float = param(0.1, "of the targets", ge=0)


class ToyModel(nn.Module):
    def __init__(self, spec: ToySpec) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*(self._block(spec) for _ in range(2)))
        self.head = nn.Linear(spec.width, 1)

    def _block(self, spec: ToySpec) -> nn.Module:
        norm = nn.BatchNorm1d(spec.width) if spec.norm else nn.Identity()
        return nn.Sequential(nn.Linear(spec.width, spec.width), norm, nn.Tanh(), nn.Dropout(0.0))

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"y": self.head(self.encoder(x))}


class ToyTask(Task[tuple[Tensor, Tensor]]):
    """Sample k of the run is drawn by its number: the same in parts, and over processes."""

    options = ToyOptions

    def batches(
        self, first_step: int, part: float
    ) -> Generator[tuple[Tensor, Tensor], None, None]:
        del part
        step = first_step
        while True:
            size = self.recipe.run.batch_size // self.recipe.run.accumulate
            numbers = range(step * size + rank(), (step + 1) * size, process_count())
            draws = [torch.Generator().manual_seed(number) for number in numbers]
            x = torch.stack([torch.randn(8, generator=draw) for draw in draws])
            yield x.to(self.device), x.sum(1, keepdim=True).to(self.device)
            step += 1

    def answer(self, model: nn.Module, batch: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        return model(batch[0])

    def loss(
        self, answer: dict[str, Tensor], batch: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, dict[str, Tensor]]:
        error = (answer["y"].float() - batch[1]).square().mean()
        return error, {"error": error.detach()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        return {"spread": float(model.head.weight.detach().std())}

    def travels(self) -> dict[str, Any]:
        return {"noise": self.recipe.options.noise}


def register_toy() -> None:
    """Make task and model known; a second call changes nothing."""
    if NAME in TASKS:
        return
    TASKS.register(NAME)(ToyTask)
    register_model(
        Card(
            name=NAME,
            about="A few numbers.",
            paper="",
            task=NAME,
            spec=ToySpec(),
            tiny=ToySpec(),
            build=ToyModel,
            example=lambda spec, batch: {"x": torch.zeros(batch, spec.width)},
            inputs={"x": "b width"},
            outputs={"y": "b 1"},
            most_parameters=1000,
        )
    )
    assert NAME in MODELS


def toy_recipe(**overrides: object) -> Recipe:
    values: Mapping[str, Any] = {
        "task": NAME,
        "model": NAME,
        "run": {"steps": 4, "round_steps": 2, "batch_size": 8, "rounds_per_evaluation": 1},
        "optimizer": {"warmup_steps": 1, "learning_rate": 0.01},
    }
    return recipe_of(values, {name.replace("__", "."): v for name, v in overrides.items()})
