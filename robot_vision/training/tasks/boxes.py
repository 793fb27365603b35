"""What tasks share that learn boxes from colour alone: sets, batches, evaluation, bundle."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief
from robot_vision.core.manifest import OutputReading
from robot_vision.core.params import Params, param
from robot_vision.models.card import Size
from robot_vision.training.data.augment import Augmenter
from robot_vision.training.data.augmentation import Augmentation
from robot_vision.training.data.batches import (
    BatchStream,
    Resolution,
    at_one_size,
    largest_of,
    resolution_at,
)
from robot_vision.training.data.boxes_held_out import BoxesHeldOut
from robot_vision.training.data.labelled import DetectionSet
from robot_vision.training.data.open_samples import samples_of
from robot_vision.training.data.open_set import load_detection_set
from robot_vision.training.data.samples import Batch, SampleCache
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipe import Recipe
from robot_vision.training.engine.task import BatchT, HeldOut, Predictor, Task


class BoxOptions(Params):
    """What boxes are learnt from."""

    train_set: str = param("", "training set with boxes, of any kind; FOLDER@PART names a part")
    val_set: str = param("", "held-out set; empty: nothing is evaluated")
    evaluation_images: int = param(200, "images of an evaluation while training", ge=1)
    cache_dir: str = param("", "folder of decoded samples; empty: `cache` inside the set")
    resolutions: list[Resolution] = param(
        [Resolution()], "sizes in the order of `until`", min_length=1
    )
    augmentation: Augmentation = Augmentation()


class BoxesTask(Task[BatchT]):
    """Trains a model that is given `rgb` u8 [b,h,w,3] and answers by the roles of `format`.

    Weights are selected by box AP at an IoU of 0.5.
    """

    options = BoxOptions
    metric = "AP50"
    format: ClassVar[str]
    reading: ClassVar[OutputReading] = OutputReading()
    of_classes: ClassVar[tuple[str, ...]]  # layers that are for the classes of one set

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: Any = recipe.options
        self._source = _set_with_boxes(self._options.train_set)
        self._augment = Augmenter(self._options.augmentation, self._source.class_names)
        if self._options.val_set:  # here, and not at the first evaluation, much later
            _check_classes(self._options.val_set, self._source.class_names)

    def spec_values(self) -> dict[str, Any]:
        return {"classes": len(self._source.class_names)}

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """What fits, such as an encoder; layers of classes only where these are the same."""
        if tuple(travels.get("classes", ())) == self._source.class_names:
            return tensors
        return {n: t for n, t in tensors.items() if not n.startswith(self.of_classes)}

    def _pictures(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        """Batches of pictures in random views."""
        size = resolution_at(self._options.resolutions, part)
        run, step = self.recipe.run, first_step
        while True:
            yield self._stream.batch(step, size, batch_size=run.batch_size // run.accumulate)
            step += 1

    @cached_property
    def _cache(self) -> SampleCache:
        """The training set, decoded at the largest size that is trained at."""
        largest = largest_of(self._options.resolutions)
        return samples_of(
            self._source,
            self._options.train_set,
            width_px=largest.width_px,
            height_px=largest.height_px,
            cache_dir=self._options.cache_dir,
        )

    @cached_property
    def _stream(self) -> BatchStream:
        seed = self.recipe.run.seed
        return BatchStream(self._cache, self._augment, seed=seed, device=self.device)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the first images of the held-out set."""
        if not self._options.val_set:
            return {}
        with self._answering(model) as predict:
            figures = self._held_out.figures(predict, images=self._options.evaluation_images)
        return {name: value for name, value in figures.items() if "/" not in name}

    def _answering(self, model: nn.Module) -> AbstractContextManager[Predictor]:
        """The model as it is served."""
        return answering(model, self.device)

    @cached_property
    def _held_out(self) -> BoxesHeldOut:
        held_out = self.held_out(self.recipe, self.travels(), None)
        assert isinstance(held_out, BoxesHeldOut)
        return held_out

    def travels(self) -> dict[str, Any]:
        return {"classes": list(self._source.class_names)}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return BoxesHeldOut(
            **held_out_values(recipe, travels, data), format=cls.format, reading=cls.reading
        )


def held_out_values(
    recipe: Recipe, travels: Mapping[str, Any], data: Path | None
) -> dict[str, Any]:
    """Where the held-out set of a recipe lies, and how large its pictures are made."""
    options = recipe.options
    if not (data or options.val_set):
        raise ConfigError("the recipe has no options.val_set: give the held-out set (--data)")
    last = options.resolutions[-1]
    return {
        "folder": str(data or options.val_set),
        "train_folder": options.train_set,
        "cache_dir": options.cache_dir,
        "classes": tuple(travels.get("classes", ())),
        "size": Size(width_px=last.width_px, height_px=last.height_px),
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


def _check_classes(folder: str, ours: tuple[str, ...]) -> None:
    found = load_detection_set(folder).class_names
    if found != ours:
        raise ConfigError(
            f"options.val_set = {folder!r} has the classes {brief(found)}; "
            f"expected those of options.train_set in their order: {brief(ours)}"
        )
