"""The part of a model's output to explain: a class, a box, a number of an action, an embedding."""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.explain.heat import ExplainError
from robot_vision.training.losses.boxes import box_iou

_LEAST_SCORE = 1e-6

Outputs = Mapping[str, Tensor]


@dataclass(frozen=True, kw_only=True, eq=False)
class Target(ABC):
    """`words` describes it. `box_xyxy_px` is its position in the input, if it is a box."""

    words: str
    box_xyxy_px: tuple[float, float, float, float] | None = None

    @abstractmethod
    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        """The value to differentiate: before any activation that would saturate gradients."""

    @abstractmethod
    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        """The model's confidence, 0 to 1; for an action, how much of it remains."""


@dataclass(frozen=True, kw_only=True, eq=False)
class NoTarget(Target):
    """Nothing is explained: a question about what is inside a network."""

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        del outputs
        raise ExplainError("without a target there is nothing to explain")

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        return self.logit(outputs)


@dataclass(frozen=True, kw_only=True, eq=False)
class ClassTarget(Target):
    """A class of a picture, or of the pixels classified as it."""

    row: int
    seen: Bool[Tensor, "hm wm"] | None = None  # of a label map
    is_probability: bool = False

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        scores = self._mean(outputs["output"])
        return _logit_of(scores[:, self.row]) if self.is_probability else scores[:, self.row]

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        scores = outputs["output"]
        shares = scores if self.is_probability else scores.softmax(dim=1)
        return self._mean(shares)[:, self.row]

    def _mean(self, scores: Float[Tensor, "b c *hw"]) -> Float[Tensor, "b c"]:
        if scores.dim() == 2:
            return scores
        if self.seen is None or scores.shape[2:] == (1, 1):
            return scores.mean(dim=(2, 3))
        weight = self.seen.to(scores.dtype)
        return (scores * weight).sum(dim=(2, 3)) / weight.sum()


@dataclass(frozen=True, kw_only=True, eq=False)
class BoxTarget(Target):
    """A class of one of a detector's candidate boxes: `row` is its cell or query."""

    row: int
    column: int

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        for role in ("class_logits", "logits"):
            if _is_of_boxes(outputs, role):
                return outputs[role][:, self.row, self.column]
        return _logit_of(self.share(outputs))

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        return box_scores(outputs)[:, self.row, self.column]


@dataclass(frozen=True, kw_only=True, eq=False)
class FoundTarget(BoxTarget):
    """A detection: confidence times overlap of its best match among the boxes of its class.

    For detectors whose rows are other objects in each picture (D-RISE, arXiv:2006.03204).
    """

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        assert self.box_xyxy_px is not None
        overlap = box_iou(outputs["boxes_xyxy"], torch.tensor(self.box_xyxy_px))
        return (overlap * outputs["scores"][..., self.column]).amax(dim=1)


@dataclass(frozen=True, kw_only=True, eq=False)
class ActionTarget(Target):
    """A number of an action, in the direction of its sign."""

    step: int
    number: int
    value: float

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        return outputs["action"][:, self.step, self.number] * (1 if self.value >= 0 else -1)

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        """1 for the original action, 0 if the change is as large as the action."""
        away = (outputs["action"][:, self.step, self.number] - self.value).abs()
        return (1 - away / max(abs(self.value), 0.1)).clamp(0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthTarget(Target):
    """The depth of one cell, compared by its logarithm."""

    role: str
    row: int
    column: int
    value: float

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        return outputs[self.role][:, 0, self.row, self.column].clamp(min=_LEAST_SCORE).log()

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        away = (self.logit(outputs) - math.log(max(self.value, _LEAST_SCORE))).abs()
        return (1 - away).clamp(0, 1)


@dataclass(frozen=True, kw_only=True, eq=False)
class EmbeddingTarget(Target):
    """The whole embedding, by similarity. Its gradient at the picture itself is zero."""

    unit: Float[Tensor, " d"]

    def logit(self, outputs: Outputs) -> Float[Tensor, " b"]:
        del outputs
        raise ExplainError(
            "an embedding is most similar to itself, so its gradient there is zero: use the "
            "way `rollout`, `attention` or `occlusion`"
        )

    def share(self, outputs: Outputs) -> Float[Tensor, " b"]:
        found = torch.nn.functional.normalize(outputs["embedding"].flatten(1), dim=1)
        return (found @ self.unit).clamp(0, 1)


def box_scores(outputs: Outputs) -> Float[Tensor, "b a c"]:
    """Probabilities of a detector's classes, from outputs of any supported name."""
    if _is_of_boxes(outputs, "class_logits"):
        return outputs["class_logits"].sigmoid()
    if _is_of_boxes(outputs, "scores"):
        return outputs["scores"]
    if _is_of_boxes(outputs, "logits"):
        return outputs["logits"].softmax(dim=2)[..., :-1]
    if {"class_scores", "confidence"} <= outputs.keys():
        return outputs["class_scores"] * outputs["confidence"].unsqueeze(2)
    raise ExplainError(
        f"boxes need one of the outputs class_logits, scores, logits or class_scores; the "
        f"model has {', '.join(outputs)}"
    )


def box_corners(outputs: Outputs, *, width_px: int, height_px: int) -> Float[Tensor, "b a 4"]:
    """Corners of a detector's boxes in pixels of its input."""
    if "boxes_xyxy" in outputs:
        return outputs["boxes_xyxy"]
    if "boxes" not in outputs:
        raise ExplainError(f"the model has no boxes: {', '.join(outputs)}")
    centre, size = outputs["boxes"].split(2, dim=2)
    scale = torch.tensor([width_px, height_px] * 2, dtype=centre.dtype)
    return torch.cat([centre - size / 2, centre + size / 2], dim=2) * scale


def _is_of_boxes(outputs: Outputs, role: str) -> bool:
    """Whether an output has a row per box rather than per picture."""
    return role in outputs and outputs[role].dim() == 3


def class_row(name: str, classes: tuple[str, ...]) -> int:
    """The row of a class by its name or number; raises `ConfigError` with the known classes."""
    if name in classes:
        return classes.index(name)
    if name.isdecimal() and int(name) < max(len(classes), 1):
        return int(name)
    raise ConfigError(f"class {name!r} is not known; the model has {', '.join(classes) or 'none'}")


def _logit_of(share: Float[Tensor, " b"]) -> Float[Tensor, " b"]:
    return share.clamp(_LEAST_SCORE, 1 - _LEAST_SCORE).logit()
