"""Integrated gradients (arXiv:1703.01365) by captum, if it is installed."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from robot_vision.core.errors import MissingDependencyError
from robot_vision.explain.filling import mean_color
from robot_vision.explain.heat import Heat, checked
from robot_vision.explain.question import Question, Way, register_way

_STEPS = 16


def _integrated(question: Question) -> Heat:
    question.subject.network(wanted_for="integrated_gradients")
    try:
        from captum.attr import IntegratedGradients
    except ImportError as error:
        raise MissingDependencyError(
            "integrated_gradients needs captum: pip install 'robot_vision[explain]'"
        ) from error

    def logit(picture: Float[Tensor, "b ..."]) -> Float[Tensor, " b"]:
        return question.target.logit(question.subject.run(question.with_pictures(picture)))

    picture = question.inputs[question.picture].float()
    ground = mean_color(picture, question).expand_as(picture)
    method: Any = IntegratedGradients(logit)
    with torch.enable_grad():
        found: Tensor = method.attribute(
            picture, baselines=ground, n_steps=_STEPS, internal_batch_size=4
        )
    newest = found[:, -1] if found.dim() == 5 else found
    colours = 1 if question.is_planar else 3
    values = newest.sum(dim=colours)[0].clamp(min=0)
    return checked(
        values.detach().numpy(),
        about=f"the input, by {_STEPS} steps from its mean colour",
        empty=f"no pixel increases {question.target.words}",
    )


register_way(
    Way(
        name="integrated_gradients",
        about="gradients along a path from a blank picture, by captum (extra `explain`)",
        explain=_integrated,
        paper="arXiv:1703.01365",
    )
)
