"""SimCLR: two views of a frame are distinguished from those of all others (arXiv:2002.05709)."""

from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import process_count
from robot_vision.training.engine.task import TASKS
from robot_vision.training.self_supervised.collapse import spread_of
from robot_vision.training.self_supervised.losses import nt_xent
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.task import SelfSupervisedTask, Views
from robot_vision.training.self_supervised.views import draw_windows


class SimClrOptions(SelfSupervisedOptions):
    """Frames, views, and how sharply views are contrasted."""

    temperature: float = param(0.2, "of the softmax over cosines of projections", gt=0, le=10)


# Of the two views.
Projections = tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]


@TASKS.register("simclr")
class SimClrTask(SelfSupervisedTask):
    """Trains a model that returns `projection` [b,p]. Views of one process are contrasted, of one
    part of a step: with `run.accumulate` or several processes there are fewer negatives."""

    options = SimClrOptions

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._part_size = recipe.run.share(process_count())
        if self._part_size < 2:
            raise ConfigError(
                f"run.batch_size = {recipe.run.batch_size} in {process_count()} processes and "
                f"run.accumulate = {recipe.run.accumulate} parts: one sample each has no other to "
                "be contrasted with; expected two or more, better a hundred"
            )

    def notes(self) -> tuple[str, ...]:
        few = (
            f"a batch of {self._part_size} from {len(self._frames)} frames: views of one frame "
            "count as different samples; use more frames, or lower run.batch_size",
        )
        return (*super().notes(), *(few if self._part_size > len(self._frames) else ()))

    def _views(self, rows: list[int]) -> Views:
        options = self._options
        windows = draw_windows(self._frames, rows, options.views)
        view = {"size_px": options.view_px, "area": (options.views.area_min, 1.0)}
        return tuple(self._view(rows, windows, **view) for _ in range(2))

    def answer(self, model: nn.Module, batch: Views) -> Projections:
        one, other = (model(view)["projection"] for view in batch)
        return one, other

    def loss(self, answer: Projections, batch: Views) -> Loss:
        del batch
        one, other = (projection.float() for projection in answer)
        total = nt_xent(one, other, temperature=self._options.temperature)
        return total, {"nt_xent": total.detach()}

    def _said(self, answer: Mapping[str, np.ndarray]) -> dict[str, float]:
        return {"projection_spread": spread_of(answer["projection"])}
