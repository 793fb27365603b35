"""Classification: the class of a picture, or of the crop around an object."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import OutputReading
from robot_vision.core.parameters.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.crops import (
    CropOptions,
    CropSet,
    check_all_shown,
    open_crops,
)
from robot_vision.training.data.caches.picture_cache import PictureCache
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.classification import ClassificationHeldOut
from robot_vision.training.data.labels.label_share import share_of_labels
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import (
    Resolution,
    largest_of,
)
from robot_vision.training.data.samples.mixup import mixed
from robot_vision.training.distillation.distillation import Distillation
from robot_vision.training.distillation.options import DistillOptions
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut
from robot_vision.training.losses.classification import (
    ClassWeighting,
    class_weights,
    soft_cross_entropy,
    soft_targets,
)
from robot_vision.training.tasks.pictures import PicturesTask

HEAD = "head.*"


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureBatch:
    """Pictures, and the targets for each class."""

    rgb: UInt8[Tensor, "b h w 3"]
    target: Float32[Tensor, "b c"]


class ClassificationOptions(PictureOptions):
    """The training data of classes. For a set with boxes, the crops around its objects."""

    evaluation_images: int = param(1000, "pictures of an evaluation while training", ge=1)
    resolutions: list[Resolution] = param(
        [Resolution(width_px=96, height_px=96)], "sizes in the order of `until`", min_length=1
    )
    crop: CropOptions = CropOptions()
    label_share: float = param(
        1.0, "share of the training pictures, of each class alike, by run.seed", gt=0, le=1
    )
    class_weights: ClassWeighting = param("none", "none, inverse or effective_number")
    label_smoothing: float = param(0.0, "share of a label spread over all classes", ge=0, lt=1)
    mixup: float = param(
        0.0, "alpha of mixup (arXiv:1710.09412): pictures and labels blended in pairs", ge=0, le=8
    )
    augmentation: Augmentation = Augmentation(scale_min=0.8, scale_max=1.2, shift=0.05)
    distill: DistillOptions = DistillOptions()


@TASKS.register("classification")
class ClassificationTask(PicturesTask[PictureBatch]):
    """Trains a model that takes `rgb` u8 [b,h,w,3] and returns `output`, logits [b,c].

    Weights are selected by top-1; the trivial baseline is reported beside it.
    """

    options = ClassificationOptions
    metric = "top1"
    of_classes = (HEAD,)
    reading: ClassVar[OutputReading] = OutputReading(scores="logits")

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: ClassificationOptions = recipe.options
        self._known = _known(recipe)
        self._weight = class_weights(self._known.counts(), self._options.class_weights).to(device)
        self._augment = Augmenter(self._options.augmentation, self._known.class_names)
        self._distillation = Distillation(
            self._options.distill,
            self._known.class_names,
            of_task=("logits", "features"),
            device=device,
        )
        # Opened here, rather than at the first evaluation, much later.
        val_set, test_set = self._options.val_set, self._options.test_set
        self._held_out = _held_out(recipe, self._known, val_set) if val_set else None
        if test_set:
            _held_out(recipe, self._known, test_set)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._known.class_names

    def notes(self) -> tuple[str, ...]:
        return self._distillation.notes()

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        return self._distillation.modules(model, self._options.served_size)

    @cached_property
    def _cache(self) -> PictureCache:
        size, options = largest_of(self._options.resolutions), self._options
        return PictureCache(
            self._known.crops, size, source=self._known.folder, cache_dir=options.cache_dir
        )

    def batches(self, first_step: int, part: float) -> Generator[PictureBatch, None, None]:
        for step, seen in enumerate(self._pictures(first_step, part), first_step):
            target = self._targets(self._stream.rows(step, batch_size=self._part_size))
            rgb, target = mixed(seen.rgb, target, alpha=self._options.mixup)
            yield PictureBatch(rgb=rgb, target=target)

    def _targets(self, rows: list[int]) -> Float[Tensor, "b c"]:
        """Targets of the whole pictures: a view that shows little of one keeps its class."""
        class_id = torch.tensor([self._known.crops[row].class_row for row in rows])
        smoothing, classes = self._options.label_smoothing, len(self._known.class_names)
        return soft_targets(class_id, classes, smoothing=smoothing).to(self.device)

    def answer(self, model: nn.Module, batch: PictureBatch) -> dict[str, Tensor]:
        return model(batch.rgb)

    def loss(self, answer: dict[str, Tensor], batch: PictureBatch) -> Loss:
        total = soft_cross_entropy(answer["output"].float(), batch.target, self._weight)
        parts = {"cross_entropy": total.detach()}
        return self._distillation.blended(total, parts, answer, batch.rgb)

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures spread over the held-out set; recalls are left to the export."""
        if self._held_out is None:
            return {}
        with self._answering(model) as predict:
            found = self._held_out.figures(predict, pictures=self._options.evaluation_images)
        return {name: value for name, value in found.items() if not name.startswith("recall/")}

    def travels(self) -> dict[str, Any]:
        crop = {"crop": self._options.crop.model_dump()}
        return super().travels() | crop | self._distillation.travels()

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        known = _known(recipe)
        check_travelled(travels, known.class_names, known.folder)
        return _held_out(recipe, known, recipe.options.held_out_folder(data))


def check_travelled(travels: Mapping[str, Any], class_names: tuple[str, ...], folder: str) -> None:
    """Raise `ConfigError` if weights are not for the classes of their training set."""
    if tuple(travels.get("classes", ())) != class_names:
        raise ConfigError(
            f"the weights are for {', '.join(travels.get('classes', ())) or 'no classes'}; "
            f"{folder} holds {', '.join(class_names)}"
        )


def _known(recipe: Recipe) -> CropSet:
    """The training pictures; raises `ConfigError` if a class has none."""
    options: ClassificationOptions = recipe.options
    known = open_crops(options.train_set, options.crop)
    check_all_shown(known, options.crop)
    shown = [crop.shown() for crop in known.crops]
    return known.of(share_of_labels(shown, options.label_share, seed=recipe.run.seed))


def _held_out(recipe: Recipe, known: CropSet, folder: str) -> ClassificationHeldOut:
    options: ClassificationOptions = recipe.options
    return ClassificationHeldOut(
        folder,
        known,
        crop=options.crop,
        size=options.served_size,
        cache_dir=options.cache_dir,
    )
