"""Grad-CAM (arXiv:1610.02391), and HiResCAM (arXiv:2011.08891) for boxes."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.explain.heat import ExplainError, Heat, checked
from robot_vision.explain.network.layer_taps import Tap, named, tapped
from robot_vision.explain.network.layers import chosen_layer, encoder_scope, is_reached
from robot_vision.explain.question import Question, Way, register_way


@dataclass(frozen=True, kw_only=True, eq=False)
class Read:
    """A layer's output and the target's gradient there."""

    layer: str
    value: Float[Tensor, "c rows columns"]
    gradient: Float[Tensor, "c rows columns"]


def read_layer(question: Question) -> Read:
    """The named or chosen layer; raises `ExplainError` if the target does not depend on it."""
    model = question.subject.network(wanted_for="grad_cam")
    with torch.enable_grad():
        inputs = question.differentiable()
        answer, taps = tapped(model, lambda: question.subject.run(inputs), size=question.size)
        target = question.target.logit(answer).sum()
        if not target.requires_grad:
            raise ExplainError("the answer has no gradient: it does not depend on the picture")
        # Others do not depend on the picture.
        taps = [tap for tap in taps if tap.value.requires_grad]
        gradients = torch.autograd.grad(target, [tap.value for tap in taps], allow_unused=True)
    tap = _tap(question, taps, list(gradients))
    gradient = gradients[taps.index(tap)]
    if gradient is None or not is_reached(tap, gradient):
        reached = [t.name for t, g in zip(taps, gradients, strict=True) if is_reached(t, g)]
        raise ExplainError(
            f"no gradient of {question.target.words} reaches the places of layer {tap.name!r}, so "
            "its map would be empty: after it only a token without a place is read. The last "
            f"layers with gradients: {', '.join(reached[-4:]) or 'none'}"
        )
    newest = -1  # of a policy's history of pictures
    return Read(
        layer=tap.name,
        value=tap.as_map(tap.value)[newest].detach(),
        gradient=tap.as_map(gradient)[newest],
    )


def _tap(
    question: Question, taps: list[Tap], gradients: list[Float[Tensor, "_n ..."] | None]
) -> Tap:
    if question.layer:
        return named(taps, question.layer)
    model, box = question.subject.model, question.target.box_xyxy_px
    assert model is not None
    return chosen_layer(
        taps,
        gradients,
        scope=encoder_scope(model),
        picture_px=min(question.size),
        box_px=max(1.0, min(box[2] - box[0], box[3] - box[1])) if box else 0.0,
    )


def _grad_cam(question: Question) -> Heat:
    read = read_layer(question)
    weight = read.gradient.mean(dim=(1, 2), keepdim=True)
    return _positive(weight * read.value, read, question)


def _hires_cam(question: Question) -> Heat:
    read = read_layer(question)
    return _positive(read.gradient * read.value, read, question)


def _positive(parts: Float[Tensor, "c rows columns"], read: Read, question: Question) -> Heat:
    values = parts.sum(dim=0).clamp(min=0).numpy()
    return checked(
        values,
        about=f"layer {read.layer}",
        empty=f"there nothing increases {question.target.words}",
        margin_px=question.subject.margin_px,
    )


register_way(
    Way(
        name="grad_cam",
        about="a layer's channels, weighted by the target's mean gradient",
        explain=_grad_cam,
        paper="arXiv:1610.02391",
    )
)
register_way(
    Way(
        name="hires_cam",
        about="a layer's channels times the target's gradient at each place: for boxes",
        explain=_hires_cam,
        paper="arXiv:2011.08891",
    )
)
