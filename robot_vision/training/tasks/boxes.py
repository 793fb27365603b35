"""Common base of tasks that learn boxes from colour alone: sets, batches, evaluation, bundle."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import OutputReading
from robot_vision.training.data.caches.open_samples import samples_of
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.boxes import BoxesHeldOut
from robot_vision.training.data.labels.labelled import DetectionSet
from robot_vision.training.data.labels.names import check_same_classes
from robot_vision.training.data.opening.open_set import load_detection_set
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.batches import (
    largest_of,
)
from robot_vision.training.data.samples.samples import SampleCache
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import BatchT, HeldOut
from robot_vision.training.tasks.pictures import PicturesTask


class BoxesTask(PicturesTask[BatchT]):
    """Trains a model that takes `rgb` u8 [b,h,w,3] and returns the roles of `format`.

    Weights are selected by box AP at an IoU of 0.5.
    """

    options = PictureOptions
    metric = "AP50"
    format: ClassVar[str]
    reading: ClassVar[OutputReading] = OutputReading()

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: Any = recipe.options
        self._source = _set_with_boxes(self._options.train_set)
        self._augment = Augmenter(self._options.augmentation, self._source.class_names)
        # Opened here, rather than at the first evaluation, much later.
        for given, folder in self._options.held_out_sets().items():
            check_same_classes(given, load_detection_set(folder).class_names, self.class_names)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._source.class_names

    @cached_property
    def _cache(self) -> SampleCache:
        """The training set, decoded at the largest training size."""
        largest = largest_of(self._options.resolutions)
        return samples_of(
            self._source,
            self._options.train_set,
            width_px=largest.width_px,
            height_px=largest.height_px,
            cache_dir=self._options.cache_dir,
        )

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the first images of the held-out set."""
        if not self._options.val_set:
            return {}
        with self._answering(model) as predict:
            figures = self._held_out.figures(predict, images=self._options.evaluation_images)
        return {name: value for name, value in figures.items() if "/" not in name}

    @cached_property
    def _held_out(self) -> BoxesHeldOut:
        held_out = self.held_out(self.recipe, self.travels(), Path(self._options.val_set))
        assert isinstance(held_out, BoxesHeldOut)
        return held_out

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return BoxesHeldOut(
            **held_out_values(recipe, travels, data), format=cls.format, reading=cls.reading
        )


def held_out_values(
    recipe: Recipe, travels: Mapping[str, Any], data: Path | None
) -> dict[str, Any]:
    """A recipe's held-out set, and the size of its pictures."""
    options: PictureOptions = recipe.options
    return {
        "folder": options.held_out_folder(data),
        "train_folder": options.train_set,
        "cache_dir": options.cache_dir,
        "classes": tuple(travels.get("classes", ())),
        "size": options.served_size,
    }


def _set_with_boxes(folder: str) -> DetectionSet:
    if not folder:
        raise ConfigError("options.train_set is empty: expected a training set")
    source = load_detection_set(folder)
    if not any(len(image.class_id) for image in source.images):
        raise ConfigError(
            f"options.train_set = {folder!r} has no boxes in its {len(source.images)} images: "
            "a detector learns from at least one"
        )
    return source
