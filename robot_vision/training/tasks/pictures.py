"""Common base of tasks that learn classes from sets of pictures: views, weights, evaluation."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, ClassVar

from torch import Tensor, nn

from robot_vision.models.card import Size
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.batches import BatchStream, at_one_size, resolution_at
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import BatchT, Predictor, Task


class PicturesTask(Task[BatchT]):
    """A subclass has `class_names`, the `_cache` of its training pictures and their `_augment`."""

    of_classes: ClassVar[tuple[str, ...]]  # patterns of layers for the classes of one set
    _options: Any
    _cache: Any
    _augment: Augmenter

    @property
    def class_names(self) -> tuple[str, ...]:
        """Those of the training set, a row each."""
        raise NotImplementedError

    def spec_values(self) -> dict[str, Any]:
        return {"classes": len(self.class_names)}

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """Weights that fit, such as an encoder's; class layers only for the same classes."""
        if tuple(travels.get("classes", ())) == self.class_names:
            return tensors
        return {
            name: tensor
            for name, tensor in tensors.items()
            if not any(fnmatchcase(name, pattern) for pattern in self.of_classes)
        }

    def travels(self) -> dict[str, Any]:
        return {"classes": list(self.class_names)}

    @cached_property
    def _stream(self) -> BatchStream:
        seed = self.recipe.run.seed
        return BatchStream(self._cache, self._augment, seed=seed, device=self.device)

    @property
    def _part_size(self) -> int:
        """Samples of one part of a step, of all processes together."""
        return self.recipe.run.batch_size // self.recipe.run.accumulate

    def _pictures(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        """Batches of pictures in random views, from a step on."""
        size = resolution_at(self._options.resolutions, part)
        step = first_step
        while True:
            yield self._stream.batch(step, size, batch_size=self._part_size)
            step += 1

    def _answering(self, model: nn.Module) -> AbstractContextManager[Predictor]:
        """The model as it is served."""
        return answering(model, self.device)

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)
