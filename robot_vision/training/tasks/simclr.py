"""SimCLR: two views of a frame are distinguished from those of all others (arXiv:2002.05709)."""

from jaxtyping import Float
from torch import Tensor, nn

from robot_vision.core.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.engine.task import TASKS
from robot_vision.training.self_supervised.losses import nt_xent
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.task import SelfSupervisedTask, Views
from robot_vision.training.self_supervised.views import draw_windows


class SimClrOptions(SelfSupervisedOptions):
    """Frames, views, and how sharply views are contrasted."""

    temperature: float = param(0.2, "of the softmax over cosines of projections", gt=0, le=10)


# Of the two views.
Projections = tuple[Float[Tensor, "b d"], Float[Tensor, "b d"]]


@TASKS.register("simclr")
class SimClrTask(SelfSupervisedTask):
    """Trains a model that returns `projection` [b,p]. Views of one process are contrasted, of one
    part of a step: with `run.accumulate` or several processes there are fewer negatives."""

    options = SimClrOptions

    def _views(self, rows: list[int]) -> Views:
        options = self._options
        windows = draw_windows(self._frames, rows, options.views)
        view = {"size_px": options.view_px, "area": (options.views.area_min, 1.0)}
        return tuple(self._view(rows, windows, **view) for _ in range(2))

    def answer(self, model: nn.Module, batch: Views) -> Projections:
        one, other = (model(view)["projection"] for view in batch)
        return one, other

    def loss(self, answer: Projections, batch: Views) -> Loss:
        del batch
        one, other = (projection.float() for projection in answer)
        total = nt_xent(one, other, temperature=self._options.temperature)
        return total, {"nt_xent": total.detach()}
