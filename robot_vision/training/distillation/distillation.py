"""The one hook of a task: its loss blended with a teacher's answers for the same batch."""

from collections.abc import Collection
from typing import Any

import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.card import Size
from robot_vision.models.loss import Loss
from robot_vision.training.distillation.maps import MapProjection
from robot_vision.training.distillation.open_teacher import open_teacher
from robot_vision.training.distillation.options import DistillOptions
from robot_vision.training.distillation.soft_labels import soft_label_loss
from robot_vision.training.distillation.taught_boxes import BoxTargets, BoxTeacher
from robot_vision.training.distillation.teacher import Taught

Losses = dict[str, Float[Tensor, ""]]


class Distillation:
    """A task's use of its teacher; an inactive one changes nothing.

    `of_task` are the kinds of teaching that the task supports. Raises `ConfigError` for another
    kind, and for a teacher whose classes differ from the training set's.
    """

    def __init__(
        self,
        options: DistillOptions,
        class_names: tuple[str, ...],
        *,
        of_task: Collection[str],
        device: torch.device,
    ) -> None:
        self._options, self._device = options, device
        self._projection: MapProjection | None = None
        self._boxes: BoxTeacher | None = None
        if not options.is_active:
            return
        if unknown := [kind for kind in options.what if kind not in of_task]:
            raise ConfigError(
                f"options.distill.what = {', '.join(unknown)}: this task learns "
                f"{', '.join(of_task)} from a teacher"
            )
        self._teacher = open_teacher(options.teacher, device)
        task = self._teacher.manifest.task
        if "logits" in options.what and task != "classification":
            raise ConfigError(
                f"options.distill.what = logits: the teacher {options.teacher!r} is of the task "
                f"{task!r} and gives no class of a whole picture; expected one of the task "
                "'classification', or what: [features]"
            )
        self._columns = torch.arange(len(class_names), device=device)
        if {"logits", "boxes"} & set(options.what):
            rows = self._rows_of(class_names)
            self._columns = torch.tensor(rows, device=device)
            if "boxes" in options.what:
                row_of = [rows.index(row) for row in range(len(rows))]
                self._boxes = BoxTeacher(self._teacher, row_of, min_score=options.min_score)

    def _rows_of(self, class_names: tuple[str, ...]) -> list[int]:
        """The teacher's row of each class; the two may order the same names differently."""
        known = self._teacher.manifest.classes
        if sorted(known) != sorted(class_names):
            lacks, has = set(class_names) - set(known), set(known) - set(class_names)
            raise ConfigError(
                f"options.distill.teacher = {self._options.teacher!r} knows other classes than "
                f"the training set: it lacks {_listed(lacks)}, and has {_listed(has)} besides. "
                "Expected a teacher with the same names; `features` alone need none"
            )
        return [known.index(name) for name in class_names]

    def notes(self) -> tuple[str, ...]:
        """A description of the teacher."""
        if not self._options.is_active:
            return ()
        size = self._teacher.manifest.input
        what = ", ".join(self._options.what)
        return (
            f"{self._teacher.about} teaches {what} at {size.width_px}x{size.height_px} px, "
            f"{self._options.weight:g} of the loss",
        )

    def travels(self) -> dict[str, Any]:
        """The teacher's sha256: a run resumes only with the teacher that it began with."""
        return {"teacher": self._teacher.identity} if self._options.is_active else {}

    def modules(
        self, model: nn.Module, size: Size, *, takes_depth: bool = False
    ) -> dict[str, nn.Module]:
        """Modules trained beside the student: the projection of its features, if used."""
        if not self._options.is_active or "features" not in self._options.what:
            return {}
        rgb = torch.zeros(1, size.height_px, size.width_px, 3, dtype=torch.uint8)
        inputs = [rgb.to(self._device)]
        if takes_depth:
            inputs.append(torch.zeros(1, 1, size.height_px, size.width_px, device=self._device))
            inputs.append(torch.zeros(1, 1, device=self._device))
        was_training = model.training
        with torch.no_grad():
            student = model.eval()(*inputs)
        model.train(was_training)
        teacher = self._teacher.answer(inputs[0]).outputs
        for who, outputs in (("the model", student), ("its teacher", teacher)):
            if "features" not in outputs:
                raise ConfigError(
                    f"options.distill.what = features: {who} has no output `features`, only "
                    f"{', '.join(outputs)}"
                )
        channels = (int(outputs["features"].shape[1]) for outputs in (student, teacher))
        self._projection = MapProjection(*channels)
        return {"distillation": self._projection}

    def blended(
        self,
        total: Float[Tensor, ""],
        parts: Losses,
        answer: dict[str, Tensor],
        rgb: UInt8[Tensor, "b h w 3"],
        *,
        depth_m: Float32[Tensor, "b 1 h w"] | None = None,
        focal_px: Float32[Tensor, "b 1"] | None = None,
        targets: BoxTargets | None = None,
    ) -> Loss:
        """(1 − weight) · total + weight · the teacher's loss, and the named parts."""
        if not self._options.is_active:
            return total, parts
        taught = self._teacher.answer(rgb, depth_m, focal_px)
        losses = self._losses(taught, answer, targets)
        weight = self._options.weight
        blended = (1 - weight) * total + weight * torch.stack([*losses.values()]).sum()
        return blended, parts | {name: loss.detach() for name, loss in losses.items()}

    def _losses(
        self, taught: Taught, answer: dict[str, Tensor], targets: BoxTargets | None
    ) -> Losses:
        losses: Losses = {}
        if "logits" in self._options.what:
            losses["distill_logits"] = soft_label_loss(
                answer["output"].float(),
                self._teacher.logits(taught)[:, self._columns],
                temperature=self._options.temperature,
            )
        if self._projection is not None:
            image = self._teacher.manifest.input
            losses["distill_features"] = self._projection(
                answer["features"].float(),
                taught.outputs["features"].float(),
                taught.placement,
                (image.width_px, image.height_px),
            )
        if self._boxes is not None and targets is not None:
            losses["distill_boxes"] = self._boxes.loss(taught, targets)
        return losses


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
