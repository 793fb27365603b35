"""Perception: boxes, masks, depth, features and an embedding from a set of pictures."""

from collections.abc import Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief
from robot_vision.core.params import Params, param
from robot_vision.models.card import Size
from robot_vision.models.multitask.native import NativeModel
from robot_vision.training.data.augment import Augmenter
from robot_vision.training.data.augmentation import Augmentation
from robot_vision.training.data.batches import (
    BatchStream,
    Resolution,
    at_one_size,
    resolution_at,
)
from robot_vision.training.data.labelled import DetectionSet
from robot_vision.training.data.open_samples import samples_of
from robot_vision.training.data.open_set import load_detection_set
from robot_vision.training.data.perception_held_out import PerceptionHeldOut
from robot_vision.training.data.samples import Batch, SampleCache
from robot_vision.training.engine.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.native import LossWeights, MultiTaskLoss
from robot_vision.training.metrics.native import evaluate, torch_predictor


class PerceptionOptions(Params):
    """What perception is trained on, and how hard each of its tasks pulls."""

    train_set: str = param("", "training set with boxes, of any kind; FOLDER@PART names a part")
    val_set: str = param("", "held-out set; empty: nothing is evaluated")
    evaluation_images: int = param(200, "images of an evaluation while training", ge=1)
    cache_dir: str = param("", "folder of decoded samples; empty: `cache` inside the set")
    resolutions: list[Resolution] = param(
        [Resolution()], "sizes in the order of `until`", min_length=1
    )
    augmentation: Augmentation = Augmentation()
    losses: LossWeights = LossWeights()


@TASKS.register("perception")
class PerceptionTask(Task[Batch]):
    """Trains a native model. Weights are selected by box AP."""

    options = PerceptionOptions
    metric = "AP"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: PerceptionOptions = recipe.options
        if not self._options.train_set:
            raise ConfigError("options.train_set is empty: expected a training set")
        self._source = load_detection_set(self._options.train_set)
        # Raises here, and not after the set was decoded, if a class that is sought is none.
        self._augment = Augmenter(self._options.augmentation, self._source.class_names)
        # Here too, and not at the first evaluation: that is minutes or hours later.
        self._val_source = self._val_set(self._options.val_set)

    def _val_set(self, folder: str) -> DetectionSet | None:
        """The held-out set; raises `ConfigError` if its classes are not those of the training."""
        if not folder:
            return None
        source, ours = load_detection_set(folder), self._source.class_names
        if source.class_names != ours:
            raise ConfigError(
                f"options.val_set = {folder!r} has the classes {brief(source.class_names)}; "
                f"expected those of options.train_set in their order: {brief(ours)}"
            )
        return source

    def spec_values(self) -> dict[str, Any]:
        return {"classes": len(self._source.class_names)}

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """The class head only where it is for the same classes."""
        if tuple(travels.get("classes", ())) == self._source.class_names:
            return tensors
        return {name: tensor for name, tensor in tensors.items() if ".classes." not in name}

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """The learnt balance of the losses, which also reads out the embedding."""
        assert isinstance(model, NativeModel)
        self._criterion = MultiTaskLoss(
            model.spec,
            classes=len(self._source.class_names),
            colors=len(self._source.color_names),
            weights=self._options.losses,
        )
        return {"criterion": self._criterion}

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        size = resolution_at(self._options.resolutions, part)
        run, step = self.recipe.run, first_step
        while True:
            yield self._stream.batch(step, size, batch_size=run.batch_size // run.accumulate)
            step += 1

    @cached_property
    def _stream(self) -> BatchStream:
        largest = max(self._options.resolutions, key=lambda r: r.width_px)
        cache = samples_of(
            self._source,
            self._options.train_set,
            width_px=largest.width_px,
            height_px=largest.height_px,
            cache_dir=self._options.cache_dir,
        )
        return BatchStream(cache, self._augment, seed=self.recipe.run.seed, device=self.device)

    def answer(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(batch.rgb, batch.depth_m, batch.focal_px)

    def loss(self, answer: dict[str, Tensor], batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        return self._criterion(answer, batch)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Metrics on the first images of the held-out set."""
        if self._val_source is None:
            return {}
        assert isinstance(model, NativeModel)
        predict = torch_predictor(model, device=self.device)
        return evaluate(predict, self._held_out, images=self._options.evaluation_images).metrics

    @cached_property
    def _held_out(self) -> SampleCache:
        last = self._options.resolutions[-1]
        assert self._val_source is not None
        return samples_of(
            self._val_source,
            self._options.val_set,
            width_px=last.width_px,
            height_px=last.height_px,
            cache_dir=self._options.cache_dir,
        )

    def travels(self) -> dict[str, Any]:
        return {"classes": list(self._source.class_names)}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        options: PerceptionOptions = recipe.options
        last = options.resolutions[-1]
        if not (data or options.val_set):
            raise ConfigError("the recipe has no options.val_set: give the held-out set (--data)")
        return PerceptionHeldOut(
            folder=str(data or options.val_set),
            train_folder=options.train_set,
            cache_dir=options.cache_dir,
            classes=tuple(travels.get("classes", ())),
            size=Size(width_px=last.width_px, height_px=last.height_px),
        )
