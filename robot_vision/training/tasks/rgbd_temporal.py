"""Slots from colour and depth over time, learnt from true masks of drifting stills.

Supervised: a slot for each object, matched by Hungarian once per sequence, so that a slot keeps
its object from frame to frame.
"""

from collections.abc import Generator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.models.registry import MODELS
from robot_vision.models.temporal.rgbd_temporal import RgbdTemporal
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.rgbd_temporal import (
    RgbdTemporalHeldOut,
    load_masks_set,
    open_masks_set,
)
from robot_vision.training.data.samples.augment import Augmenter
from robot_vision.training.data.samples.augmentation import Augmentation
from robot_vision.training.data.samples.batches import (
    BatchStream,
    Resolution,
    at_one_size,
    largest_of,
    resolution_at,
)
from robot_vision.training.data.samples.sequences import Drift, FrameSequence, drifting
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Task
from robot_vision.training.losses.presence import shown_classes
from robot_vision.training.losses.slots import (
    matched,
    slot_class_loss,
    slot_mask_losses,
    true_segments,
)

Answers = list[dict[str, Tensor]]


class RgbdTemporalOptions(PictureOptions):
    """The training data of slots."""

    evaluation_images: int = param(100, "images of an evaluation while training", ge=1)
    resolutions: list[Resolution] = param(
        [Resolution(width_px=192, height_px=160)], "sizes in the order of `until`", min_length=1
    )
    augmentation: Augmentation = Augmentation(scale_min=0.9, scale_max=1.2, depth_withheld=0.25)
    drift: Drift = Drift()
    classes_weight: float = param(0.2, "of the class losses, beside masks", ge=0)


@TASKS.register("rgbd_temporal")
class RgbdTemporalTask(Task[FrameSequence]):
    """Trains `RgbdTemporal`: each frame's masks, with and without depth and history.

    Two linear layers trained beside it predict the class of each slot, and which classes
    are in view from the embedding. They are not served: they give slots and embedding a meaning.
    """

    options = RgbdTemporalOptions
    metric = "ari_foreground"

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._options: RgbdTemporalOptions = recipe.options
        self._cache = open_masks_set(
            self._options.train_set,
            largest_of(self._options.resolutions),
            cache_dir=self._options.cache_dir,
        )
        for folder in self._options.held_out_sets().values():
            load_masks_set(folder)  # here, rather than at the first evaluation, much later
        self._classes = len(self._cache.source.class_names)
        self._augment = Augmenter(self._options.augmentation, self._cache.source.class_names)
        self._slot_class: nn.Module = nn.Identity()  # until `modules` has the widths
        self._in_view: nn.Module = nn.Identity()

    @cached_property
    def _stream(self) -> BatchStream:
        seed = self.recipe.run.seed
        return BatchStream(self._cache, self._augment, seed=seed, device=self.device)

    @cached_property
    def _held_out(self) -> HeldOut:
        return self.held_out(self.recipe, self.travels(), Path(self._options.val_set))

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        assert isinstance(model, RgbdTemporal)
        self._slot_class = nn.Linear(model.spec.width, self._classes + 1)
        self._in_view = nn.Linear(model.spec.embedding, self._classes)
        return {"slot_class": self._slot_class, "in_view": self._in_view}

    def batches(self, first_step: int, part: float) -> Generator[FrameSequence, None, None]:
        size = resolution_at(self._options.resolutions, part)
        run, step = self.recipe.run, first_step
        while True:
            batch = self._stream.batch(step, size, batch_size=run.batch_size // run.accumulate)
            yield drifting(batch, self._options.drift)
            step += 1

    def answer(self, model: nn.Module, batch: FrameSequence) -> Answers:
        assert isinstance(model, RgbdTemporal)
        return model.sequence(batch.rgb, batch.depth_m, batch.keeps_history)

    def loss(self, answer: Answers, batch: FrameSequence) -> Loss:
        masks = torch.stack([frame["slot_masks"] for frame in answer], dim=2).flatten(2)
        instances = batch.instances.flatten(1)
        segments, ids = true_segments(instances, answer[0]["slots"].shape[1])
        chosen = matched(masks, segments)
        losses = slot_mask_losses(masks, segments, chosen)
        slots = torch.stack([frame["slots"] for frame in answer]).mean(dim=0)
        embedding = torch.stack([frame["embedding"] for frame in answer]).mean(dim=0)
        losses["slot_class"] = slot_class_loss(
            self._slot_class(slots), chosen, ids, batch.class_id
        )
        losses["in_view"] = F.binary_cross_entropy_with_logits(
            self._in_view(embedding), shown_classes(batch.class_id, self._classes)
        )
        said = losses["slot_class"] + losses["in_view"]
        total = losses["masks"] + losses["dice"] + self._options.classes_weight * said
        return total, {name: loss.detach() for name, loss in losses.items()}

    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures on the first images of the held-out set."""
        if not self._options.val_set:
            return {}
        assert isinstance(self._held_out, RgbdTemporalHeldOut)
        with answering(model, self.device) as predict:
            return self._held_out.figures(predict, images=self._options.evaluation_images)

    def travels(self) -> dict[str, Any]:
        return {"classes": list(self._cache.source.class_names)}

    @classmethod
    def resized(cls, recipe: Recipe, size: Size) -> Recipe:
        return at_one_size(recipe, size)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        del travels
        options: RgbdTemporalOptions = recipe.options
        card = MODELS.get(recipe.model)
        spec = type(card.spec).model_validate({**card.spec.model_dump(), **recipe.spec})
        return RgbdTemporalHeldOut(
            folder=options.held_out_folder(data),
            train_folder=options.train_set,
            size=options.served_size,
            memory=(spec.slots, spec.width),
            drift=options.drift,
            cache_dir=options.cache_dir,
        )
