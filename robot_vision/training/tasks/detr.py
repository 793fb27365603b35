"""Boxes as a set: matched one to one, the same losses after each decoder layer (DETR)."""

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from robot_vision.core.manifests.manifest import OutputReading
from robot_vision.core.parameters.params import param
from robot_vision.models.detection.detr import Detr
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.feature_cache import FeatureBatch, FeatureCache, Views
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.engine.stepping.step import DivergedError
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.boxes import centre_and_size
from robot_vision.training.losses.detr import DetrLossWeights, detr_loss
from robot_vision.training.losses.hungarian import NotFiniteError
from robot_vision.training.tasks.boxes import BoxesTask

# With fewer, queries hardly learn to divide objects among themselves (D-FINE#214).
_FEW_IMAGES = 1000


class DetrOptions(PictureOptions):
    """The training data of boxes, and the features used."""

    losses: DetrLossWeights = DetrLossWeights()
    cache_features: bool = param(
        False, "the encoder stays frozen; its maps are computed once, into a file"
    )
    cached_views: int = param(4, "views of each picture in that file, the first whole", ge=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class DetrBatch:
    """Pictures or an encoder's maps of them; `truth` [b,m,4] in fractions of the picture."""

    step: int
    seen: Batch | FeatureBatch
    truth: Float32[Tensor, "b m 4"]


@TASKS.register("detr")
class DetrTask(BoxesTask[DetrBatch]):
    """Trains `detr`."""

    options = DetrOptions
    format = "detr_logits"
    of_classes = ("classes.*",)
    reading = OutputReading(activation="softmax", background="last")

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, Detr)
        self._model = model
        if self._options.cache_features:
            model.encoder.requires_grad_(False)

    def notes(self) -> tuple[str, ...]:
        """A warning if the set is small, or the encoder's weights are untrained."""
        notes, images = [], len(self._source.images)
        if images < _FEW_IMAGES:
            notes.append(
                f"{images} training images are few for detr, which learns slowly (below "
                f"{_FEW_IMAGES} it often finds nothing): fine-tune native-s "
                "(config/recipes/perception/fine-tune.yaml) or train yolo-v1"
            )
        if self._options.cache_features and not self.recipe.run.init_weights:
            notes.append(
                "options.cache_features freezes an encoder of fresh weights: give "
                "run.init_weights, or set it to false"
            )
        return tuple(notes)

    def batches(self, first_step: int, part: float) -> Generator[DetrBatch, None, None]:
        parts = self.recipe.run.accumulate
        cached = self._options.cache_features
        seen = self._cached(first_step) if cached else self._pictures(first_step, part)
        for step, batch in enumerate(seen, first_step):
            yield DetrBatch(step=step // parts, seen=batch, truth=self._truth(batch))

    def _cached(self, first_step: int) -> Generator[FeatureBatch, None, None]:
        step = first_step
        while True:
            yield self._features.batch(step, batch_size=self._part_size)
            step += 1

    @cached_property
    def _features(self) -> FeatureCache:
        return FeatureCache(
            self._cache,
            Views(
                count=self._options.cached_views,
                size=self._options.resolutions[-1],
                augmentation=self._options.augmentation,
                seed=self.recipe.run.seed,
            ),
            encoder=self._model.encoder,
            level=self._model.spec.level,
            encode=self._encode,
            device=self.device,
        )

    @torch.no_grad()
    def _encode(self, rgb: UInt8[Tensor, "b h w 3"]) -> Float[Tensor, "b c hm wm"]:
        """The map of pictures, by the encoder as it is evaluated."""
        was_training = self._model.training
        self._model.eval()
        try:
            return self._model.map_of(rgb)
        finally:
            self._model.train(was_training)

    def _truth(self, batch: Batch | FeatureBatch) -> Float32[Tensor, "b m 4"]:
        if isinstance(batch, Batch):
            height_px, width_px = batch.rgb.shape[1:3]
        else:
            last = self._options.resolutions[-1]
            height_px, width_px = last.height_px, last.width_px
        boxes = batch.boxes_xyxy
        return centre_and_size(boxes) / boxes.new_tensor([width_px, height_px] * 2)

    def answer(self, model: nn.Module, batch: DetrBatch) -> list[dict[str, Tensor]]:
        """Each decoder layer's findings, in order."""
        assert isinstance(model, Detr)
        seen = batch.seen
        encoded = seen.maps if isinstance(seen, FeatureBatch) else model.map_of(seen.rgb)
        return [model.found(known) for known in model.decoded(encoded)]

    def loss(self, answer: list[dict[str, Tensor]], batch: DetrBatch) -> Loss:
        """The last layer's losses by name, and those of all others as `auxiliary`."""
        try:
            *others, last = (self._of_layer(found, batch) for found in answer)
        except NotFiniteError as error:
            raise DivergedError(
                f"step {batch.step}: {error}; nothing of this round is kept: lower "
                "optimizer.learning_rate or optimizer.gradient_norm, or look for boxes that are "
                "not finite (`robot-vision data check`)"
            ) from error
        parts = dict(last)
        if others:
            parts["auxiliary"] = torch.stack([sum_of(layer) for layer in others]).sum()
        return sum_of(parts), {name: part.detach() for name, part in parts.items()}

    def _of_layer(
        self, found: dict[str, Tensor], batch: DetrBatch
    ) -> dict[str, Float[Tensor, ""]]:
        logits, boxes = found["logits"].float(), found["boxes"].float()
        return detr_loss(logits, boxes, batch.truth, batch.seen.class_id, self._options.losses)


def sum_of(parts: dict[str, Float[Tensor, ""]]) -> Float[Tensor, ""]:
    """The sum of losses by name."""
    return torch.stack([*parts.values()]).sum()
