"""Depth from colour alone: metres for each pixel of one picture, without a sensor."""

from collections.abc import Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.depth import (
    DepthHeldOut,
    load_depth_set,
    median_depth_m,
    open_depth_set,
)
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import (
    BatchStream,
    at_one_size,
    largest_of,
    resolution_at,
)
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.depth import depth_loss

MEDIAN = "median_depth_m"


class DepthOptions(PictureOptions):
    """The training data of depth. Zoom is off: without the lens it would change the truth."""

    augmentation: Augmentation = Augmentation(scale_min=1.0, scale_max=1.0)


@TASKS.register("depth")
class DepthTask(Task[Batch]):
    """Trains a model that takes `rgb` u8 [b,h,w,3] and returns `depth` in metres [b,1,·,·].

    True depth is `depth_true_file`, or the sensor's if a set has no other. Weights are selected
    by the fraction of the trivial baseline's error that is removed.
    """

    options = DepthOptions
    metric = "absrel_gain"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: DepthOptions = recipe.options
        self._cache = open_depth_set(
            self._options.train_set,
            largest_of(self._options.resolutions),
            cache_dir=self._options.cache_dir,
        )
        for folder in self._options.held_out_sets().values():
            load_depth_set(folder)  # here, rather than at the first evaluation, much later
        # Depth is the target, not an input: hiding it would hide the truth.
        shown = {"depth_holes": 0.0, "depth_withheld": 0.0}
        self._augment = Augmenter(
            self._options.augmentation.model_copy(update=shown), self._cache.source.class_names
        )

    @cached_property
    def _median_depth_m(self) -> float:
        return median_depth_m(self._cache)

    @cached_property
    def _stream(self) -> BatchStream:
        seed = self.recipe.run.seed
        return BatchStream(self._cache, self._augment, seed=seed, device=self.device)

    @cached_property
    def _held_out(self) -> HeldOut:
        return self.held_out(self.recipe, self.travels(), Path(self._options.val_set))

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        size = resolution_at(self._options.resolutions, part)
        run, step = self.recipe.run, first_step
        while True:
            yield self._stream.batch(step, size, batch_size=run.batch_size // run.accumulate)
            step += 1

    def answer(self, model: nn.Module, batch: Batch) -> Float[Tensor, "b 1 hm wm"]:
        return model(batch.rgb)["depth"]

    def loss(self, answer: Float[Tensor, "b 1 hm wm"], batch: Batch) -> Loss:
        sensor_m = batch.depth_m[:, :, 2::4, 2::4]
        true_m = torch.where(batch.depth_true_m > 0, batch.depth_true_m, sensor_m)
        return depth_loss(answer.float(), true_m)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the first images of the held-out set."""
        if not self._options.val_set:
            return {}
        assert isinstance(self._held_out, DepthHeldOut)
        with answering(model, self.device) as predict:
            return self._held_out.figures(predict, images=self._options.evaluation_images)

    def travels(self) -> dict[str, Any]:
        return {MEDIAN: self._median_depth_m}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        options: DepthOptions = recipe.options
        if MEDIAN not in travels:
            raise ConfigError(
                f"the weights carry no {MEDIAN}: they are not of a run of the task depth"
            )
        return DepthHeldOut(
            folder=options.held_out_folder(data),
            train_folder=options.train_set,
            size=options.served_size,
            median_depth_m=float(travels[MEDIAN]),
            cache_dir=options.cache_dir,
        )
