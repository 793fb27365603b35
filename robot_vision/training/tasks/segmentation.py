"""Segmentation: the class of each pixel, learnt at a quarter of the size."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64, UInt8
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.picture_cache import PictureCache
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.segmentation import SegmentationHeldOut, fit_trivial
from robot_vision.training.data.labels.label_map_set import LabelMapSet, open_label_maps
from robot_vision.training.data.labels.label_share import share_of_labels
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.batches import (
    largest_of,
)
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut
from robot_vision.training.losses.classification import ClassWeighting, class_weights
from robot_vision.training.losses.coarser_heads import coarser_losses
from robot_vision.training.losses.segmentation import SegmentationWeights, segmentation_loss
from robot_vision.training.tasks.classification import check_travelled
from robot_vision.training.tasks.pictures import PicturesTask

HEAD = "head.*"


@dataclass(frozen=True, kw_only=True, eq=False)
class LabelMapBatch:
    """Pictures, and the class of each cell at a quarter of their size; `IGNORED` has no loss."""

    rgb: UInt8[Tensor, "b h w 3"]
    labels: Int64[Tensor, "b h/4 w/4"]


class SegmentationOptions(PictureOptions):
    """The training data of label maps: label PNGs, or objects with masks on a background."""

    evaluation_images: int = param(100, "pictures of an evaluation while training", ge=1)
    label_share: float = param(
        1.0, "share of the training pictures, of each class alike, by run.seed", gt=0, le=1
    )
    class_weights: ClassWeighting = param("none", "none, inverse or effective_number")
    losses: SegmentationWeights = SegmentationWeights()
    coarser_weight: float = param(0.4, "weight of each coarser head, if a model has any", ge=0)


@TASKS.register("segmentation")
class SegmentationTask(PicturesTask[LabelMapBatch]):
    """Trains a model that takes `rgb` u8 [b,h,w,3] and returns `output`, logits [b,c,·,·].

    A model may also return `medium`, the same at a coarser stride, and `coarse`, logits [b,c] of
    classes anywhere in view: both are trained too.

    Weights are selected by mean IoU; the trivial baseline is reported beside it.
    """

    options = SegmentationOptions
    metric = "miou"
    of_classes = (HEAD,)

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: SegmentationOptions = recipe.options
        self._known = _known(recipe)
        self._augment = Augmenter(self._options.augmentation, self._known.class_names)
        # Opened here, rather than at the first evaluation, much later.
        val_set, test_set = self._options.val_set, self._options.test_set
        self._held_out = _held_out(recipe, self._known, val_set) if val_set else None
        if test_set:
            _held_out(recipe, self._known, test_set)

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._known.class_names

    @cached_property
    def _cache(self) -> PictureCache:
        size, options = largest_of(self._options.resolutions), self._options
        return PictureCache(
            self._known.pictures, size, source=self._known.folder, cache_dir=options.cache_dir
        )

    @cached_property
    def _weight(self) -> Float[Tensor, " c"]:
        """Weights of the classes by their pixels."""
        classes, weighting = len(self._known.class_names), self._options.class_weights
        if weighting == "none":
            return torch.ones(classes, device=self.device)
        counts = fit_trivial(self._cache, classes).counts.tolist()
        return class_weights(counts, weighting).to(self.device)

    def batches(self, first_step: int, part: float) -> Generator[LabelMapBatch, None, None]:
        for seen in self._pictures(first_step, part):
            # As the cache stacks them, so that the area outside a picture is ignored.
            yield LabelMapBatch(rgb=seen.rgb, labels=IGNORED - seen.instances.long())

    def answer(self, model: nn.Module, batch: LabelMapBatch) -> dict[str, Tensor]:
        return model(batch.rgb)

    def loss(self, answer: dict[str, Tensor], batch: LabelMapBatch) -> Loss:
        logits, size = answer["output"].float(), batch.labels.shape[1:]
        if logits.shape[2:] != size:
            logits = F.interpolate(logits, size=size, mode="bilinear", align_corners=False)
        total, parts = segmentation_loss(
            logits, batch.labels, weights=self._options.losses, class_weight=self._weight
        )
        beside = coarser_losses(answer, batch.labels, class_weight=self._weight)
        for loss in beside.values():
            total = total + self._options.coarser_weight * loss
        return total, parts | {name: loss.detach() for name, loss in beside.items()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on pictures spread over the held-out set; each class is left to the export."""
        if self._held_out is None:
            return {}
        with self._answering(model) as predict:
            found = self._held_out.figures(predict, pictures=self._options.evaluation_images)
        return {name: value for name, value in found.items() if not name.startswith("iou/")}

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        known = _known(recipe)
        check_travelled(travels, known.class_names, known.folder)
        return _held_out(recipe, known, recipe.options.held_out_folder(data))


def _known(recipe: Recipe) -> LabelMapSet:
    """The training pictures."""
    options: SegmentationOptions = recipe.options
    known = open_label_maps(options.train_set)
    if options.label_share == 1:
        return known
    shown = [picture.shown() for picture in known.pictures]
    return known.of(share_of_labels(shown, options.label_share, seed=recipe.run.seed))


def _held_out(recipe: Recipe, known: LabelMapSet, folder: str) -> SegmentationHeldOut:
    options: SegmentationOptions = recipe.options
    return SegmentationHeldOut(
        folder,
        known,
        size=options.served_size,
        cache_dir=options.cache_dir,
    )
