"""Boxes found only by the teacher, as additional targets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from torch import Tensor

from robot_vision.core.parameters.config import DetectorConfig
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import ModelRun
from robot_vision.training.data.samples.samples import padded
from robot_vision.training.distillation.teacher import Taught, Teacher
from robot_vision.training.losses.boxes import box_iou

# A box that overlaps a true one this much is the same object, and the truth is more exact.
_SAME_IOU = 0.5


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxTargets:
    """A batch's target boxes, class −1 for padding, and the task's loss on any such boxes."""

    boxes_xyxy: Float32[Tensor, "b m 4"]
    class_id: Int64[Tensor, "b m"]
    loss: Callable[[Float32[Tensor, "b n 4"], Int64[Tensor, "b n"]], Float[Tensor, ""]]


class BoxTeacher:
    """Reads the boxes of a teacher as the service does; `row_of` are the student's classes."""

    def __init__(self, teacher: Teacher, row_of: Sequence[int], *, min_score: float) -> None:
        self._teacher = teacher
        self._row_of = np.asarray(row_of, np.int64)
        self._detector = Detector(teacher.manifest, DetectorConfig(score_threshold=min_score))

    def loss(self, taught: Taught, targets: BoxTargets) -> Float[Tensor, ""]:
        """The task's loss on the truth and on what the teacher finds beside it."""
        return targets.loss(*self.with_found(taught, targets.boxes_xyxy, targets.class_id))

    def with_found(
        self,
        taught: Taught,
        boxes_xyxy: Float32[Tensor, "b m 4"],
        class_id: Int64[Tensor, "b m"],
    ) -> tuple[Float32[Tensor, "b n 4"], Int64[Tensor, "b n"]]:
        """The true boxes and classes, and behind them those that only it finds."""
        outputs = {role: value.cpu().numpy() for role, value in taught.outputs.items()}
        boxes, classes = list[np.ndarray](), list[np.ndarray]()
        for row in range(len(boxes_xyxy)):
            run = ModelRun(
                manifest=self._teacher.manifest,
                outputs={role: value[row : row + 1] for role, value in outputs.items()},
                placement=taught.placement,
            )
            found = self._detector.detections(run, stamp_ns=0)
            is_new = _is_new(found.box_xyxy_px, boxes_xyxy[row][class_id[row] >= 0])
            boxes.append(found.box_xyxy_px[is_new])
            classes.append(self._row_of[found.class_id[is_new]])
        return (
            torch.cat([boxes_xyxy, padded(boxes, 0.0).to(boxes_xyxy)], dim=1),
            torch.cat([class_id, padded(classes, -1).to(class_id)], dim=1),
        )


def _is_new(
    found: Float32[np.ndarray, "n 4"], known: Float32[Tensor, "m 4"]
) -> Bool[np.ndarray, " n"]:
    if not len(found) or not len(known):
        return np.ones(len(found), bool)
    iou = box_iou(torch.from_numpy(found)[:, None], known.cpu()[None])
    return (iou.max(dim=1).values < _SAME_IOU).numpy()
