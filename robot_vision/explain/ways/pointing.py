"""The place that a pointing policy takes the words to mean: the weights of its places."""

from typing import Any

import torch
from jaxtyping import Float32
from torch import Tensor

from robot_vision.explain.heat import ExplainError, Heat, checked
from robot_vision.explain.network.tokens import pointing_of
from robot_vision.explain.question import Question, Way, register_way
from robot_vision.models.fusion.fusion import Pointed, Seen
from robot_vision.models.policies.pixel_pointing import Pointing


def _pointing(question: Question) -> Heat:
    pointing = pointing_of(question)
    if pointing is None:
        raise ExplainError(
            f"{question.subject.name} does not point: only policies with spec.pointing do"
        )
    camera = question.picture.removeprefix("rgb_")
    if camera not in pointing.locators:
        known = ", ".join(pointing.locators)
        raise ExplainError(f"places of camera {camera!r} have no depth: it points in {known}")
    weights = _weights(pointing, _pointed(pointing, question), camera)
    return checked(
        weights.numpy(),
        about=f"what the words mean, among {weights.numel()} places",
        empty=f"it points at nothing that camera {camera!r} sees",
        margin_px=question.subject.margin_px,
    )


@torch.no_grad()
def _pointed(pointing: Pointing, question: Question) -> Pointed:
    """The module's result in a run of the network."""
    found: list[Seen] = []

    def keep(_module: Any, _inputs: object, seen: Seen) -> None:
        found.append(seen)

    handle = pointing.register_forward_hook(keep)
    try:
        question.subject.run(question.inputs)
    finally:
        handle.remove()
    assert found[0].pointed is not None
    return found[0].pointed


def _weights(pointing: Pointing, pointed: Pointed, camera: str) -> Float32[Tensor, "rows columns"]:
    """The weights of a camera's places as a map of its picture."""
    weights, at, parts = pointed.logits.softmax(dim=1)[-1], 0, pointing.parts
    for name, locator in pointing.locators.items():
        rows, columns = (int(side) for side in locator.grid)  # pyright: ignore
        if name == camera:
            cells = weights[at : at + rows * columns]
            shape = (rows // parts, columns // parts, parts, parts)
            return cells.reshape(shape).permute(0, 2, 1, 3).reshape(rows, columns)
        at += rows * columns
    raise AssertionError(camera)


register_way(
    Way(
        name="pointing",
        about="the place that a policy with spec.pointing takes the words to mean",
        explain=_pointing,
        needs="pointing",
        is_of_target=False,
        paper="arXiv:2306.17817",
    )
)
