"""Parses a target into a question: `class:mug`, `box:mug`, `box:120,88`, `action:0,z`."""

import math
from collections.abc import Mapping

import numpy as np
import torch
from jaxtyping import Float, Float32, UInt8
from torch import Tensor

from robot_vision.core.cameras.placement import Placement
from robot_vision.core.errors import ConfigError
from robot_vision.core.types import Camera
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.opening.subject import Subject
from robot_vision.explain.question import Question
from robot_vision.explain.targets import (
    ActionTarget,
    BoxTarget,
    ClassTarget,
    DepthTarget,
    EmbeddingTarget,
    FoundTarget,
    Outputs,
    Target,
    box_corners,
    box_scores,
    class_row,
)
from robot_vision.training.data.labels.label_maps import BACKGROUND

KINDS = "class[:NAME], box[:NAME or :X,Y], action[:STEP,NAME or NUMBER], depth[:X,Y], embedding"
_LEAST_DETECTION = 0.1  # as `tracker.low_score`


def ask(
    subject: Subject,
    rgb: UInt8[np.ndarray, "h w 3"],
    target: str = "",
    *,
    depth_m: Float32[np.ndarray, "hd wd"] | None = None,
    camera: Camera | None = None,
    layer: str = "",
) -> Question:
    """Why a model predicts `target` (empty: its most confident prediction) for a picture.

    Raises `ConfigError` or `ExplainError` if the model has no such target.
    """
    inputs, placement = subject.prepared(rgb, depth_m, camera)
    return ask_of(subject, inputs, subject.image.name, placement, target, layer=layer)


def ask_of(
    subject: Subject,
    inputs: Mapping[str, Tensor],
    picture: str,
    placement: Placement,
    target: str = "",
    *,
    layer: str = "",
) -> Question:
    """The same for prepared inputs."""
    with torch.no_grad():
        outputs = subject.run(inputs)
    return Question(
        subject=subject,
        inputs=inputs,
        picture=picture,
        placement=placement,
        target=find_target(target, subject, outputs, placement),
        layer=layer,
    )


def find_target(text: str, subject: Subject, outputs: Outputs, placement: Placement) -> Target:
    """The target that `text` names among the model's outputs."""
    kind, _, which = text.partition(":")
    kind = kind or _usual_kind(outputs, has_classes=bool(subject.classes))
    if kind == "class":
        return class_target(which, subject, outputs)
    if kind == "box":
        return _box(which, subject, outputs, placement)
    if kind == "action":
        return _action(which, subject, outputs)
    if kind == "depth":
        return _depth(which, outputs, placement, subject)
    if kind == "embedding":
        if "embedding" not in outputs:
            raise ExplainError(f"{subject.name} has no embedding: {', '.join(outputs)}")
        unit = torch.nn.functional.normalize(outputs["embedding"].flatten(1), dim=1)[0]
        return EmbeddingTarget(words="the embedding", unit=unit)
    raise ConfigError(f"target {text!r}: expected {KINDS}")


def _usual_kind(outputs: Outputs, *, has_classes: bool) -> str:
    if "action" in outputs:
        return "action"
    if any(role.startswith("boxes") for role in outputs):
        return "box"
    if not has_classes and "embedding" in outputs:  # trained without labels
        return "embedding"
    for role, kind in (("output", "class"), ("depth", "depth"), ("embedding", "embedding")):
        if role in outputs:
            return kind
    raise ExplainError(
        f"none of the outputs {', '.join(outputs)} can be explained; expected one of output, "
        "boxes, action, depth, embedding"
    )


def class_target(name: str, subject: Subject, outputs: Outputs) -> ClassTarget:
    """A class by name; without one, the most confident."""
    if "output" not in outputs:
        raise ExplainError(
            f"{subject.name} does not classify pictures: its outputs are {', '.join(outputs)}"
        )
    scores = outputs["output"]
    if scores.dim() not in (2, 4) or scores.shape[1] < 2:
        raise ExplainError(
            f"{subject.name}: output {list(scores.shape)} does not have classes; expected "
            "[1,classes] or [1,classes,rows,columns]"
        )
    if scores.shape[2:] == (1, 1):  # as some exporters leave classes of a picture
        scores = scores.flatten(1)
    by_place = scores.argmax(dim=1)[0] if scores.dim() == 4 else None
    if name:
        row = class_row(name, subject.classes)
    elif by_place is None:
        row = int(scores[0].argmax())
    else:
        counts = by_place.flatten().bincount(minlength=scores.shape[1])
        if subject.classes[:1] == (BACKGROUND,):
            counts[0] = 0  # which is no answer
        row = int(counts.argmax())
    seen = by_place == row if by_place is not None else None
    if seen is not None and not seen.any():
        raise ExplainError(f"no pixel is classified as {_name(row, subject)}")
    return ClassTarget(
        words=_name(row, subject),
        row=row,
        seen=seen,
        is_probability=_are_probabilities(scores),
    )


def _are_probabilities(scores: Float[Tensor, "b c *hw"]) -> bool:
    """Third-party ONNX models often end with a softmax; ours output logits."""
    total = scores.sum(dim=1)
    return bool((scores >= 0).all() and ((total - 1).abs() < 1e-3).all())


def _box(which: str, subject: Subject, outputs: Outputs, placement: Placement) -> BoxTarget:
    if subject.is_asked_by_words:
        raise ExplainError(
            f"{subject.name} finds what a prompt names, and a picture has none: its boxes are not "
            "explained"
        )
    scores = box_scores(outputs)[0]
    height_px, width_px = _input_size(subject)
    boxes = box_corners(outputs, width_px=width_px, height_px=height_px)[0]
    allowed = torch.ones_like(scores, dtype=torch.bool)
    place = _place(which, placement)
    if place is not None:
        x, y = place
        inside = (boxes[:, 0] <= x) & (x <= boxes[:, 2]) & (boxes[:, 1] <= y) & (y <= boxes[:, 3])
        allowed &= inside[:, None]
        if not inside.any():
            raise ExplainError(f"no box of {subject.name} lies at {which}")
    elif which:
        named = class_row(which, subject.classes)
        allowed &= torch.arange(scores.shape[1]) == named
    best = int(torch.where(allowed, scores, -1.0).flatten().argmax())
    row, column = divmod(best, scores.shape[1])
    x0, y0, x1, y1 = (float(v) for v in boxes[row])
    score = float(scores[row, column])
    if score <= 0:
        raise ExplainError(
            f"{subject.name} finds no object" + (f" for {which!r}" if which else "")
        )
    doubt = ", below the detection threshold" if score < _LEAST_DETECTION else ""
    target = FoundTarget if subject.finds_anew else BoxTarget
    return target(
        words=f"{_name(column, subject)} {score:.2f}{doubt}",
        row=row,
        column=column,
        box_xyxy_px=(x0, y0, x1, y1),
    )


def _input_size(subject: Subject) -> tuple[int, int]:
    return subject.image.height_px, subject.image.width_px


def _depth(which: str, outputs: Outputs, placement: Placement, subject: Subject) -> DepthTarget:
    role = "depth" if "depth" in outputs else "depth_m"
    if role not in outputs:
        raise ExplainError(
            f"{subject.name} predicts no depth: its outputs are {', '.join(outputs)}"
        )
    rows, columns = (int(side) for side in outputs[role].shape[2:])
    height_px, width_px = _input_size(subject)
    place = _place(which, placement)
    if which and place is None:
        raise _no_place(which, placement)
    x, y = place or (width_px / 2, height_px / 2)
    if not (0 <= x < width_px and 0 <= y < height_px):
        raise ConfigError(f"{which!r} is outside the part of the picture that the model sees")
    column = min(int(x * columns / width_px), columns - 1)
    row = min(int(y * rows / height_px), rows - 1)
    value = float(outputs[role][0, 0, row, column])
    return DepthTarget(words=f"{value:.2f} m", role=role, row=row, column=column, value=value)


def _place(which: str, placement: Placement) -> tuple[float, float] | None:
    """`X,Y` of the picture, in input pixels; None for any other text.

    Raises `ConfigError` for a place outside the picture.
    """
    parts = which.split(",")
    if len(parts) != 2 or not all(_is_number(part) for part in parts):
        return None
    x, y = float(parts[0]), float(parts[1])
    if not (0 <= x < placement.view_width_px and 0 <= y < placement.view_height_px):
        raise _no_place(which, placement)
    return _in_input(x, y, placement)


def _no_place(which: str, placement: Placement) -> ConfigError:
    size = f"{placement.view_width_px}×{placement.view_height_px}"
    return ConfigError(f"{which!r} is not a place in the picture of {size} px: expected X,Y in px")


def _in_input(x: float, y: float, placement: Placement) -> tuple[float, float]:
    scale_x = placement.width_px / placement.view_width_px
    scale_y = placement.height_px / placement.view_height_px
    return placement.left_px + x * scale_x, placement.top_px + y * scale_y


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _action(which: str, subject: Subject, outputs: Outputs) -> ActionTarget:
    """`STEP,NAME`, or `NAME` of the first step; empty: the largest translation or joint."""
    if "action" not in outputs:
        raise ExplainError(f"the model predicts no action: its outputs are {', '.join(outputs)}")
    action = outputs["action"][0]
    steps, numbers = (int(side) for side in action.shape)
    names = subject.classes if len(subject.classes) == numbers else tuple(map(str, range(numbers)))
    step, number = 0, _largest_that_moves(action[0], names)
    if which:
        *before, last = (part.strip() for part in which.split(","))
        if len(before) > 1 or not all(part.isdecimal() for part in before):
            raise ConfigError(f"action {which!r}: expected NAME or STEP,NAME with steps from 0")
        step, number = int(before[0]) if before else 0, _number_of(last, names)
    if step >= steps or number >= numbers:
        raise ConfigError(
            f"action {which!r}: the policy predicts {steps} steps, from 0, of {', '.join(names)}"
        )
    value = float(action[step, number])
    return ActionTarget(
        words=f"{names[number]} of step {step}, {value:+.2f} (normalised)",
        step=step,
        number=number,
        value=value,
    )


def _largest_that_moves(action: Float[Tensor, " a"], names: tuple[str, ...]) -> int:
    """A joint or a translation of the tool; not the gripper, which is always open or closed.

    Rotations are left out too: if demonstrations hardly rotate, normalised ones are large.
    """
    others = ("gripper", "rx", "ry", "rz")
    moving = [row for row, name in enumerate(names) if name not in others] or [0]
    return max(moving, key=lambda row: abs(float(action[row])))


def _number_of(text: str, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text)
    if text.isdecimal():
        return int(text)
    raise ConfigError(f"action {text!r}: expected one of {', '.join(names)}, or its number")


def _name(row: int, subject: Subject) -> str:
    return subject.classes[row] if row < len(subject.classes) else f"class {row}"
