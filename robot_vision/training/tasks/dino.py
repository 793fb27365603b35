"""DINO: small views should predict the averaged weights' output for large ones
(arXiv:2104.14294)."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as dist
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from robot_vision.core.parameters.params import param
from robot_vision.models.loss import Loss
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.stepping.distributed import process_count
from robot_vision.training.engine.task import TASKS
from robot_vision.training.self_supervised.collapse import entropies
from robot_vision.training.self_supervised.losses import dino_loss, teacher_share
from robot_vision.training.self_supervised.options import SelfSupervisedOptions
from robot_vision.training.self_supervised.task import SelfSupervisedTask, Views
from robot_vision.training.self_supervised.views import draw_windows

_GLOBAL_VIEWS = 2


class DinoOptions(SelfSupervisedOptions):
    """Frames, views, teacher and student. The teacher's momentum is `run.ema_decay`: it is the
    average of the weights that every run keeps, which is evaluated and shipped."""

    local_px: int = param(32, "side of a small view", unit="px", ge=16, le=1024)
    local_views: int = param(4, "small views of a sample, which only the student sees", ge=0)
    local_area_min: float = param(0.08, "of the window, the smallest small view", gt=0, le=1)
    local_area_max: float = param(0.3, "of the window, the largest small view", gt=0, le=1)
    temperature: float = param(0.1, "of the student", gt=0, le=10)
    teacher_temperature: float = param(0.04, "of the teacher: lower is sharper", gt=0, le=10)
    centre_momentum: float = param(0.9, "of the running mean subtracted from answers", ge=0, lt=1)


class Centre(nn.Module):
    """The running mean of the teacher's answers."""

    mean: Float[Tensor, " prototypes"]

    def __init__(self, prototypes: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(prototypes))


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """Cosines to prototypes: `student` of all views, `teacher` of the large."""

    student: Float[Tensor, "views b prototypes"]
    teacher: Float[Tensor, "large b prototypes"]


@TASKS.register("dino")
class DinoTask(SelfSupervisedTask):
    """Trains a model that returns `output`, cosines [b,k], with its own average as teacher."""

    options = DinoOptions
    _teacher: nn.Module
    _centre: Centre

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        super().__init__(recipe, device)
        self._answers: list[Float[Tensor, " prototypes"]] = []  # means of a step's parts

    def modules(self, model: nn.Module) -> dict[str, nn.Module]:
        prototypes = next(p for n, p in model.named_parameters() if n.endswith("prototypes"))
        self._centre = Centre(len(prototypes))
        return {**super().modules(model), "centre": self._centre}

    def follow(self, averaged: nn.Module) -> None:
        self._teacher = averaged.eval()

    def _views(self, rows: list[int]) -> Views:
        options = self._options
        windows = draw_windows(self._frames, rows, options.views)
        large = (options.view_px, (options.views.area_min, 1.0))
        small = (options.local_px, (options.local_area_min, options.local_area_max))
        kinds = [large] * _GLOBAL_VIEWS + [small] * options.local_views
        return tuple(
            self._view(rows, windows, size_px=size_px, area=area) for size_px, area in kinds
        )

    def answer(self, model: nn.Module, batch: Views) -> Said:
        large, small = batch[:_GLOBAL_VIEWS], batch[_GLOBAL_VIEWS:]
        student = [_output(model, large)]
        if small:
            with _statistics_kept(model):
                student.append(_output(model, small))
        with torch.no_grad(), _statistics_of_batch(self._teacher):
            teacher = _output(self._teacher, large)
        return Said(student=torch.cat(student), teacher=teacher)

    def loss(self, answer: Said, batch: Views) -> Loss:
        del batch
        logits = answer.teacher.float()
        self._answers.append(logits.mean(dim=(0, 1)))
        share = self._share(logits.flatten(0, 1)).view_as(logits)
        student = answer.student.float()
        total = dino_loss(student, share, temperature=self._options.temperature)
        return total, {"dino": total.detach()}

    @torch.no_grad()
    def after_step(self, model: nn.Module, step: int) -> None:
        """The centre follows the teacher's answers, those of all processes alike."""
        del model, step
        mean = torch.stack(self._answers).mean(dim=0)
        self._answers.clear()
        if process_count() > 1:
            dist.all_reduce(mean)
            mean = mean / process_count()
        self._centre.mean.lerp_(mean, 1 - self._options.centre_momentum)

    def _said(self, answer: Mapping[str, np.ndarray]) -> dict[str, float]:
        logits = torch.from_numpy(answer["output"]).to(self.device)
        return entropies(self._share(logits).cpu().numpy())

    def _share(self, logits: Float[Tensor, "n prototypes"]) -> Float[Tensor, "n prototypes"]:
        temperature = self._options.teacher_temperature
        return teacher_share(logits, self._centre.mean, temperature=temperature)


@contextmanager
def _statistics_of_batch(model: nn.Module) -> Iterator[None]:
    """Batch norms of a model in evaluation mode use the batch, as the paper's teacher does.

    With running statistics, a network of fresh weights answers nearly the same for all pictures,
    and the student learns just that.
    """
    norms = _norms_of(model)
    with _statistics_kept(model):
        for norm in norms:
            norm.train()
        try:
            yield
        finally:
            for norm in norms:
                norm.eval()


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Running statistics of batch norms stay those of large views, like pictures in service."""
    norms = _norms_of(model)
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def _norms_of(model: nn.Module) -> list[_BatchNorm]:
    return [module for module in model.modules() if isinstance(module, _BatchNorm)]


def _output(model: nn.Module, views: Views) -> Float[Tensor, "views b prototypes"]:
    """The answers for views of one size: [v,b,k]."""
    return model(torch.cat(views))["output"].unflatten(0, (len(views), -1))
