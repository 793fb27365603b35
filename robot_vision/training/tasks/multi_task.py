"""Several tasks of one encoder: which classes are in view, boxes, and the class of each pixel."""

from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int64
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params, param
from robot_vision.models.loss import Loss
from robot_vision.models.multitask.multi_task import (
    ALL_TASKS,
    MultiTask,
    ServedMultiTask,
    TaskName,
)
from robot_vision.training.data.caches.picture_options import PictureOptions
from robot_vision.training.data.held_out.multi_task import MEAN, MultiTaskHeldOut
from robot_vision.training.data.labels.label_maps import label_map
from robot_vision.training.data.samples.samples import Batch
from robot_vision.training.engine.answering import answering
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS, HeldOut, Predictor
from robot_vision.training.losses.balance import TaskBalance
from robot_vision.training.losses.presence import shown_classes
from robot_vision.training.losses.segmentation import SegmentationWeights, segmentation_loss
from robot_vision.training.losses.yolo_v1 import GridLossWeights, yolo_v1_loss
from robot_vision.training.tasks.boxes import BoxesTask, held_out_values


class TaskWeights(Params):
    """Weights of the tasks; with a learnt balance, those at its optimum."""

    classification: float = param(1.0, "which classes are in view", gt=0)
    detection: float = param(1.0, "boxes", gt=0)
    segmentation: float = param(1.0, "the class of each pixel", gt=0)


class MultiTaskOptions(PictureOptions):
    """The tasks, their training data, and their balance."""

    tasks: tuple[TaskName, ...] = param(
        ALL_TASKS, "tasks to learn; a single one is its own baseline", min_length=1
    )
    balance: Literal["fixed", "uncertainty"] = param(
        "uncertainty", "fixed weights, or weights times each task's learnt uncertainty factor"
    )
    weights: TaskWeights = TaskWeights()
    detection: GridLossWeights = GridLossWeights()
    segmentation: SegmentationWeights = SegmentationWeights()


@TASKS.register("multi_task")
class MultiTaskTask(BoxesTask[Batch]):
    """Trains `multi-task`. Weights are selected by the mean of its tasks' figures."""

    options = MultiTaskOptions
    metric = MEAN
    format = "yolo_v1"
    of_classes = ("detection.cells.*", "classification.*", "segmentation.classes.*")

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._tasks = _tasks(recipe)
        masks = (part for image in self._source.images for part in image.segmentation)
        if "segmentation" in self._tasks and not any(part is not None for part in masks):
            raise ConfigError(
                f"options.train_set = {self._options.train_set!r} has boxes without masks: "
                "leave segmentation out of options.tasks, or bring `segmentation` in its labels"
            )

    def spec_values(self) -> dict[str, Any]:
        return super().spec_values() | {"tasks": list(self._tasks)}

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, MultiTask)
        self._stride_px = model.spec.stride_px

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        """The balance of the tasks."""
        del model
        weights = self._options.weights.model_dump()
        is_learnt = self._options.balance == "uncertainty" and len(self._tasks) > 1
        self._balance = TaskBalance(
            {task: weights[task] for task in self._tasks}, is_learnt=is_learnt
        )
        return {"balance": self._balance}

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        yield from self._pictures(first_step, part)

    def answer(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(batch.rgb)

    def loss(self, answer: dict[str, Tensor], batch: Batch) -> Loss:
        """The balanced total; each task's raw and balanced loss, and its multiplier."""
        found = {role: value.float() for role, value in answer.items()}
        losses: dict[str, Tensor] = {}
        if "classification" in self._tasks:
            losses["classification"] = _presence_loss(found["class_logits"], batch.class_id)
        if "detection" in self._tasks:
            losses["detection"] = self._boxes_loss(found, batch)
        if "segmentation" in self._tasks:
            losses["segmentation"] = self._semantic_loss(found["semantic_logits"], batch)
        return self._balance(losses)

    def _boxes_loss(self, found: dict[str, Tensor], batch: Batch) -> Float[Tensor, ""]:
        height_px, width_px = batch.rgb.shape[1:3]
        roles = ("boxes_xyxy", "confidence", "class_scores")
        total, _ = yolo_v1_loss(
            {role: found[role] for role in roles},
            batch.boxes_xyxy,
            batch.class_id,
            size_px=(width_px, height_px),
            stride_px=self._stride_px,
            weights=self._options.detection,
        )
        return total

    def _semantic_loss(
        self, logits: Float[Tensor, "b c _h _w"], batch: Batch
    ) -> Float[Tensor, ""]:
        labels = label_map(batch.instances, batch.class_id)
        if logits.shape[2:] != labels.shape[1:]:
            logits = F.interpolate(logits, size=labels.shape[1:], mode="bilinear")
        total, _ = segmentation_loss(
            logits,
            labels,
            weights=self._options.segmentation,
            class_weight=logits.new_ones(logits.shape[1]),
        )
        return total

    def _answering(self, model: nn.Module) -> AbstractContextManager[Predictor]:
        assert isinstance(model, MultiTask)
        return answering(ServedMultiTask(model), self.device)

    @classmethod
    def held_out(cls, recipe: Recipe, travels: Mapping[str, Any], data: Path | None) -> HeldOut:
        return MultiTaskHeldOut(
            **held_out_values(recipe, travels, data),
            tasks=_tasks(recipe),
            format=cls.format,
            reading=cls.reading,
        )


def _tasks(recipe: Recipe) -> tuple[TaskName, ...]:
    """The recipe's tasks in a fixed order, each once."""
    return tuple(task for task in ALL_TASKS if task in recipe.options.tasks)


def _presence_loss(
    logits: Float[Tensor, "b c"], class_id: Int64[Tensor, "b m"]
) -> Float[Tensor, ""]:
    """Binary cross entropy per class: whether a view shows it."""
    shown = shown_classes(class_id, logits.shape[1])
    return F.binary_cross_entropy_with_logits(logits, shown.to(logits.dtype))
