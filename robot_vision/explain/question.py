"""A picture, a model and the part of its output to explain; and the methods to do so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Real
from torch import Tensor

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.registry import Registry
from robot_vision.explain.heat import Heat
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.targets import Target


@dataclass(frozen=True, kw_only=True, eq=False)
class Question:
    """Why the model predicts `target` for these inputs.

    `inputs` are those of one moment; `picture` names the explained one: pixels [1,h,w,3], or
    [1,n,h,w,3] with the newest last. `placement` is the position of the view in it. `layer` is a
    module's name; empty: chosen. `word` is the `word_row`-th of a policy's instruction, whose
    attention is shown; empty: that of the readout.
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
        """Whether channels come first, as in many third-party ONNX models."""
        return self.subject.image.layout == "nchw" and self.picture == self.subject.image.name

    @property
    def box_in_view_px(self) -> list[float] | None:
        """The target's box in pixels of the original picture, if it has one."""
        box = self.target.box_xyxy_px
        if box is None:
            return None
        return self.placement.boxes_in_view(np.array([box], np.float32))[0].tolist()

    def with_pictures(self, pictures: Real[Tensor, "b ..."]) -> dict[str, Tensor]:
        """Inputs with a batch of other pictures; all others are repeated."""
        count = len(pictures)
        same = {
            name: value.expand(count, *value.shape[1:])
            for name, value in self.inputs.items()
            if name != self.picture
        }
        return {self.picture: pictures, **same}

    def differentiable(self) -> dict[str, Tensor]:
        """The inputs with a floating-point picture, so that all layers have gradients."""
        picture = self.inputs[self.picture].detach().float().requires_grad_()
        return {**self.inputs, self.picture: picture}

    @torch.no_grad()
    def shares(self, inputs: Mapping[str, Tensor], *, at_once: int = 16) -> Float[Tensor, " b"]:
        """The model's confidence in the target for each row of a batch of inputs."""
        run = self.subject.quick or self.subject.run
        count = len(inputs[self.picture])
        parts = [
            self.target.share(run({name: v[at : at + at_once] for name, v in inputs.items()}))
            for at in range(0, count, at_once)
        ]
        return torch.cat(parts)

    def of(self, subject: Subject) -> "Question":
        """The same question about another model."""
        return replace(self, subject=subject)


@dataclass(frozen=True, kw_only=True)
class Way:
    """A method of explaining. Register it with `register_way(Way(…))` in its own file.

    `needs` is the requirement on a model: nothing, gradients or attention. `is_of_target` is
    false for methods whose map does not depend on the target.
    """

    name: str
    about: str
    explain: Callable[[Question], Heat]
    needs: str = "gradients"
    is_of_target: bool = True
    paper: str = ""


WAYS: Registry[Way] = Registry("way of explaining", package="robot_vision.explain.ways")


def register_way(way: Way) -> None:
    """Register a method by its name."""
    WAYS.register(way.name)(way)
