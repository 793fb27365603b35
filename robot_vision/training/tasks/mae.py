"""Masked autoencoder: three quarters of a frame's patches are hidden and predicted from the rest
(arXiv:2111.06377)."""

from typing import Any

from torch import Tensor, nn

from robot_vision.core.parameters.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.engine.task import TASKS
from robot_vision.training.self_supervised.losses import masked_pixels, patches_of
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.task import SelfSupervisedTask, Views
from robot_vision.training.self_supervised.views import cut_views, draw_windows, mirrored


class MaeOptions(SelfSupervisedOptions):
    """Frames and views, which are only cropped and mirrored."""

    normalised: bool = param(True, "predict patches without their mean and contrast")


@TASKS.register("mae")
class MaeTask(SelfSupervisedTask):
    """Trains a model that returns `output` [b,n,p], pixels of patches, and which were `hidden`."""

    options = MaeOptions

    def _views(self, rows: list[int]) -> Views:
        options = self._options
        windows = draw_windows(self._frames, rows, options.views)
        area = (options.views.area_min, 1.0)
        cut = cut_views(self._frames, rows, windows, size_px=options.view_px, area=area)
        return (mirrored(cut.to(self.device), part=options.views.flip),)

    def answer(self, model: nn.Module, batch: Views) -> dict[str, Tensor]:
        (rgb,) = batch
        return model(rgb)

    def loss(self, answer: Any, batch: Views) -> Loss:
        (rgb,) = batch
        found = answer["output"].float()
        patch_px = int((found.shape[2] / 3) ** 0.5)
        total = masked_pixels(
            found,
            patches_of(rgb, patch_px),
            answer["hidden"],
            normalised=self._options.normalised,
        )
        return total, {"masked_pixels": total.detach()}
