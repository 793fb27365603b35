"""A picture, a model and what of its answer is to be explained; and the ways to do so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Real
from torch import Tensor

from robot_vision.core.placement import Placement
from robot_vision.core.registry import Registry
from robot_vision.explain.heat import Heat
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.targets import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """Why the model says `target` of what it is shown.

    `inputs` are of one moment; `picture` names the one that is explained: pixels [1,h,w,3], or
    [1,n,h,w,3] of which the last is the newest. `placement` says where the view lies in it.
    `layer` is a module's name, or empty: chosen. `word`, the `word_row`-th of a policy's
    instruction, is asked where it looks; empty: what reads all out.
    """

    subject: Subject
    inputs: Mapping[str, Tensor]
    picture: str
    placement: Placement
    target: Target
    layer: str = ""
    word: str = ""
    word_row: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture in the input, px."""
        shape = self.inputs[self.picture].shape
        if self.is_planar:
            return int(shape[-2]), int(shape[-1])
        return int(shape[-3]), int(shape[-2])

    @property
    def is_planar(self) -> bool:
        """Whether colours stand before rows and columns, as other people's ONNX models take it."""
        return self.subject.image.layout == "nchw" and self.picture == self.subject.image.name

    @property
    def box_in_view_px(self) -> list[float] | None:
        """The target's box in pixels of the picture that was asked about, where it has one."""
        box = self.target.box_xyxy_px
        if box is None:
            return None
        return self.placement.boxes_in_view(np.array([box], np.float32))[0].tolist()

    def with_pictures(self, pictures: Real[Tensor, "b ..."]) -> dict[str, Tensor]:
        """Inputs of a batch of other pictures; all else is the same."""
        count = len(pictures)
        same = {
            name: value.expand(count, *value.shape[1:])
            for name, value in self.inputs.items()
            if name != self.picture
        }
        return {self.picture: pictures, **same}

    def differentiable(self) -> dict[str, Tensor]:
        """The inputs with a picture of floats, so that all layers have gradients."""
        picture = self.inputs[self.picture].detach().float().requires_grad_()
        return {**self.inputs, self.picture: picture}

    @torch.no_grad()
    def shares(self, inputs: Mapping[str, Tensor], *, at_once: int = 16) -> Float[Tensor, " b"]:
        """How sure the model is of the target in each moment of a batch of inputs."""
        run = self.subject.quick or self.subject.run
        count = len(inputs[self.picture])
        parts = [
            self.target.share(run({name: v[at : at + at_once] for name, v in inputs.items()}))
            for at in range(0, count, at_once)
        ]
        return torch.cat(parts)

    def of(self, subject: Subject) -> "Question":
        """The same of another model."""
        return replace(self, subject=subject)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A way of explaining. Register it with `register_way(Way(…))` in the file that has it.

    `needs` says what a model must have for it: nothing, gradients or attention. `is_of_target` is
    false for what shows where a model looks whatever it says.
    """

    name: str
    about: str
    explain: Callable[[Question], Heat]
    needs: str = "gradients"
    is_of_target: bool = True
    paper: str = ""


WAYS: Registry[Way] = Registry("way of explaining", package="robot_vision.explain.ways")


def register_way(way: Way) -> None:
    """Make a way known by its name."""
    WAYS.register(way.name)(way)
