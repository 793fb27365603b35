"""The grid detector: five parts of one loss (arXiv:1506.02640)."""

from collections.abc import Generator

from torch import Tensor, nn

from robot_vision.models.detection.yolo_v1 import YoloV1
from robot_vision.training.data.picture_options import PictureOptions
from robot_vision.training.data.samples import Batch
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.yolo_v1 import GridLossWeights, yolo_v1_loss
from robot_vision.training.tasks.boxes import BoxesTask


class YoloV1Options(PictureOptions):
    """What boxes are learnt from, and how hard each part of the loss pulls."""

    losses: GridLossWeights = GridLossWeights()


@TASKS.register("yolo_v1")
class YoloV1Task(BoxesTask[Batch]):
    """Trains `yolo-v1`."""

    options = YoloV1Options
    format = "yolo_v1"
    of_classes = ("head.cells.*",)

    def prepare(self, model: nn.Module) -> None:
        assert isinstance(model, YoloV1)
        self._stride_px = model.spec.stride_px

    def batches(self, first_step: int, part: float) -> Generator[Batch, None, None]:
        yield from self._pictures(first_step, part)

    def answer(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        return model(batch.rgb)

    def loss(self, answer: dict[str, Tensor], batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        height_px, width_px = batch.rgb.shape[1:3]
        return yolo_v1_loss(
            {role: value.float() for role, value in answer.items()},
            batch.boxes_xyxy,
            batch.class_id,
            size_px=(width_px, height_px),
            stride_px=self._stride_px,
            weights=self._options.losses,
        )
