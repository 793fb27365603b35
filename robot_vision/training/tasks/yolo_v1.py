"""The grid detector: five parts of one loss (arXiv:1506.02640)."""

from collections.abc import Generator
from typing import Any

import torch
from jaxtyping import Float32, Int64
from torch import Tensor, nn

from robot_vision.models.detection.yolo_v1 import YoloV1
from robot_vision.models.loss import Loss
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.distillation.distillation import Distillation
from robot_vision.training.distillation.options import DistillOptions
from robot_vision.training.distillation.taught_boxes import BoxTargets
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.yolo_v1 import GridLossWeights, yolo_v1_loss
from robot_vision.training.tasks.boxes import BoxesTask


class YoloV1Options(PictureOptions):
    """The training data of boxes, and the weights of the loss."""

    losses: GridLossWeights = GridLossWeights()
    distill: DistillOptions = DistillOptions(what=["boxes"])


@TASKS.register("yolo_v1")
class YoloV1Task(BoxesTask[Batch]):
    """Trains `yolo-v1`."""

    options = YoloV1Options
    format = "yolo_v1"
    of_classes = ("head.cells.*",)

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._distillation = Distillation(
            self._options.distill, self.class_names, of_task=("boxes",), device=device
        )

    def notes(self) -> tuple[str, ...]:
        return self._distillation.notes()

    def travels(self) -> dict[str, Any]:
        return super().travels() | self._distillation.travels()

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, YoloV1)
        self._stride_px = model.spec.stride_px

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        yield from self._pictures(first_step, part)

    def answer(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(batch.rgb)

    def loss(self, answer: dict[str, Tensor], batch: Batch) -> Loss:
        total, parts = self._grid_loss(answer, batch, batch.boxes_xyxy, batch.class_id)
        targets = BoxTargets(
            boxes_xyxy=batch.boxes_xyxy,
            class_id=batch.class_id,
            loss=lambda boxes, classes: self._grid_loss(answer, batch, boxes, classes)[0],
        )
        return self._distillation.blended(total, parts, answer, batch.rgb, targets=targets)

    def _grid_loss(
        self,
        answer: dict[str, Tensor],
        batch: Batch,
        boxes_xyxy: Float32[Tensor, "b m 4"],
        class_id: Int64[Tensor, "b m"],
    ) -> Loss:
        height_px, width_px = batch.rgb.shape[1:3]
        return yolo_v1_loss(
            {role: value.float() for role, value in answer.items()},
            boxes_xyxy,
            class_id,
            size_px=(width_px, height_px),
            stride_px=self._stride_px,
            weights=self._options.losses,
        )
