"""Segmentation: the class of each pixel, learnt at a quarter of the size."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int64, UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
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
from robot_vision.training.data.label_map_set import LabelMapSet, open_label_maps
from robot_vision.training.data.label_share import share_of_labels
from robot_vision.training.data.labelled import IGNORED
from robot_vision.training.data.picture_cache import PictureCache
from robot_vision.training.data.segmentation_held_out import SegmentationHeldOut, fit_trivial
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.engine.transfer import transferred, without_head
from robot_vision.training.losses.classification import ClassWeighting, class_weights
from robot_vision.training.losses.segmentation import SegmentationWeights, segmentation_loss
from robot_vision.training.tasks.classification import check_travelled

HEAD = "head."


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMapBatch:
    """Pictures, and the class of each cell of a quarter of their size; `IGNORED` is not asked."""

    rgb: UInt8[Tensor, "b h w 3"]
    labels: Int64[Tensor, "b h/4 w/4"]


class SegmentationOptions(Params):
    """What label maps are learnt from: label PNGs, or objects with masks before a background."""

    train_set: str = param("", "set of label PNGs, or with masks; FOLDER@PART names a part")
    val_set: str = param("", "held-out set; empty: nothing is evaluated")
    evaluation_images: int = param(100, "pictures of an evaluation while training", ge=1)
    cache_dir: str = param("", "folder of decoded samples; empty: `cache` inside the set")
    resolutions: list[Resolution] = param(
        [Resolution()], "sizes in the order of `until`", min_length=1
    )
    label_share: float = param(
        1.0, "share of the training pictures, of each class alike, by run.seed", gt=0, le=1
    )
    class_weights: ClassWeighting = param("none", "none, inverse or effective_number")
    losses: SegmentationWeights = SegmentationWeights()
    augmentation: Augmentation = Augmentation()


@TASKS.register("segmentation")
class SegmentationTask(Task[LabelMapBatch]):
    """Trains a model that is given `rgb` u8 [b,h,w,3] and says `output`, logits [b,c,·,·].

    Weights are selected by mean IoU; what a trivial answer reaches stands beside it.
    """

    options = SegmentationOptions
    metric = "miou"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: SegmentationOptions = recipe.options
        self._known = _known(recipe)
        self._augment = Augmenter(self._options.augmentation, self._known.class_names)
        # Here, and not at the first evaluation, much later.
        self._held_out = _held_out(recipe, self._known, None) if self._options.val_set else None

    def spec_values(self) -> dict[str, Any]:
        return {"classes": len(self._known.class_names)}

    def initial_weights(
        self, tensors: dict[str, Tensor], travels: Mapping[str, Any]
    ) -> dict[str, Tensor]:
        """What fits; the last layer only where it is for the same classes."""
        without = without_head(HEAD, self._known.class_names, travels)
        return transferred(self.recipe, tensors, without=without)

    @cached_property
    def _cache(self) -> PictureCache:
        size, options = largest_of(self._options.resolutions), self._options
        return PictureCache(
            self._known.pictures, size, source=self._known.folder, cache_dir=options.cache_dir
        )

    @cached_property
    def _stream(self) -> BatchStream:
        seed = self.recipe.run.seed
        return BatchStream(self._cache, self._augment, seed=seed, device=self.device)

    @cached_property
    def _weight(self) -> Tensor:
        """Weights of the classes by their pixels."""
        classes, weighting = len(self._known.class_names), self._options.class_weights
        if weighting == "none":
            return torch.ones(classes, device=self.device)
        counts = fit_trivial(self._cache, classes).counts.tolist()
        return class_weights(counts, weighting).to(self.device)

    def batches(self, first_step: int, part: float) -> Generator[LabelMapBatch, None, None]:
        size = resolution_at(self._options.resolutions, part)
        run, step = self.recipe.run, first_step
        while True:
            seen = self._stream.batch(step, size, batch_size=run.batch_size // run.accumulate)
            # As the cache stacks them, so that what lies beside a picture is ignored.
            yield LabelMapBatch(rgb=seen.rgb, labels=IGNORED - seen.instances.long())
            step += 1

    def answer(self, model: nn.Module, batch: LabelMapBatch) -> Tensor:
        return model(batch.rgb)["output"]

    def loss(self, answer: Tensor, batch: LabelMapBatch) -> tuple[Tensor, dict[str, Tensor]]:
        logits, size = answer.float(), batch.labels.shape[1:]
        if logits.shape[2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        return segmentation_loss(
            logits, batch.labels, weights=self._options.losses, class_weight=self._weight
        )

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures spread over the held-out set; each class is left to the export."""
        if self._held_out is None:
            return {}
        with answering(model, self.device) as predict:
            found = self._held_out.figures(predict, pictures=self._options.evaluation_images)
        return {name: value for name, value in found.items() if not name.startswith("iou/")}

    def travels(self) -> dict[str, Any]:
        return {"classes": list(self._known.class_names)}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        known = _known(recipe)
        check_travelled(travels, known.class_names, known.folder)
        return _held_out(recipe, known, data)


def _known(recipe: Recipe) -> LabelMapSet:
    """The pictures that are learnt from."""
    options: SegmentationOptions = recipe.options
    known = open_label_maps(options.train_set)
    if options.label_share == 1:
        return known
    shown = [picture.shown() for picture in known.pictures]
    return known.of(share_of_labels(shown, options.label_share, seed=recipe.run.seed))


def _held_out(recipe: Recipe, known: LabelMapSet, data: Path | None) -> SegmentationHeldOut:
    options: SegmentationOptions = recipe.options
    folder = str(data or options.val_set)
    if not folder:
        raise ConfigError("the recipe has no options.val_set: give the held-out set (--data)")
    last = options.resolutions[-1]
    return SegmentationHeldOut(
        folder,
        known,
        size=Size(width_px=last.width_px, height_px=last.height_px),
        cache_dir=options.cache_dir,
    )
