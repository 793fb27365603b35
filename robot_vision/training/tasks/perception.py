"""Perception: boxes, masks, depth, features and an embedding from a set of pictures."""

from collections.abc import Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.loss import Loss
from robot_vision.models.multitask.native import NativeModel
from robot_vision.training.data.caches.open_samples import open_samples, samples_of
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.perception import PerceptionHeldOut
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.batches import (
    largest_of,
)
from robot_vision.training.data.samples.samples import Batch, SampleCache
from robot_vision.training.distillation.distillation import Distillation
from robot_vision.training.distillation.options import DistillOptions
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut
from robot_vision.training.losses.native import LossWeights, MultiTaskLoss
from robot_vision.training.metrics.native import evaluate, torch_predictor
from robot_vision.training.tasks.pictures import PicturesTask


class PerceptionOptions(PictureOptions):
    """The training data of perception, and the weights of its tasks."""

    losses: LossWeights = LossWeights()
    distill: DistillOptions = DistillOptions(what=["features"])


@TASKS.register("perception")
class PerceptionTask(PicturesTask[Batch]):
    """Trains a native model. Weights are selected by box AP."""

    options = PerceptionOptions
    metric = "AP"
    of_classes = ("*.classes.*",)

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: PerceptionOptions = recipe.options
        if not self._options.train_set:
            raise ConfigError("options.train_set is empty: expected a training set")
        self._source = load_detection_set(self._options.train_set)
        # Raises here, rather than after decoding the set, if a sought class does not exist.
        self._augment = Augmenter(self._options.augmentation, self._source.class_names)
        self._distillation = Distillation(
            self._options.distill, self.class_names, of_task=("features",), device=device
        )
        # Here too, rather than at the first evaluation, minutes or hours later.
        for given, folder in self._options.held_out_sets().items():
            check_same_classes(given, load_detection_set(folder).class_names, self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._source.class_names

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """The learnt balance of the losses, which also reads out the embedding."""
        assert isinstance(model, NativeModel)
        self._criterion = MultiTaskLoss(
            model.spec,
            classes=len(self._source.class_names),
            colors=len(self._source.color_names),
            weights=self._options.losses,
        )
        size = self._options.served_size
        taught = self._distillation.modules(model, size, takes_depth=True)
        return {"criterion": self._criterion, **taught}

    def notes(self) -> tuple[str, ...]:
        return self._distillation.notes()

    def travels(self) -> dict[str, Any]:
        return super().travels() | self._distillation.travels()

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        yield from self._pictures(first_step, part)

    @cached_property
    def _cache(self) -> SampleCache:
        largest = largest_of(self._options.resolutions)
        return samples_of(
            self._source,
            self._options.train_set,
            width_px=largest.width_px,
            height_px=largest.height_px,
            cache_dir=self._options.cache_dir,
        )

    def answer(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(batch.rgb, batch.depth_m, batch.focal_px)

    def loss(self, answer: dict[str, Tensor], batch: Batch) -> Loss:
        total, parts = self._criterion(answer, batch)
        return self._distillation.blended(
            total, parts, answer, batch.rgb, depth_m=batch.depth_m, focal_px=batch.focal_px
        )

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on the first images of the held-out set."""
        if not self._options.val_set:
            return {}
        assert isinstance(model, NativeModel)
        predict = torch_predictor(model, device=self.device)
        return evaluate(predict, self._held_out, images=self._options.evaluation_images).metrics

    @cached_property
    def _held_out(self) -> SampleCache:
        size = self._options.served_size
        return open_samples(
            self._options.val_set,
            width_px=size.width_px,
            height_px=size.height_px,
            cache_dir=self._options.cache_dir,
        )

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        options: PerceptionOptions = recipe.options
        return PerceptionHeldOut(
            folder=options.held_out_folder(data),
            train_folder=options.train_set,
            cache_dir=options.cache_dir,
            classes=tuple(travels.get("classes", ())),
            size=options.served_size,
        )
