"""Maps of one picture by several methods, each checked before it is shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.explain.drawing import large_tile, over_picture
from robot_vision.explain.heat import ExplainError
from robot_vision.explain.measuring.judged import check
from robot_vision.explain.network.tokens import pointing_of
from robot_vision.explain.question import WAYS, Question
from robot_vision.explain.targets import ActionTarget, BoxTarget, ClassTarget, DepthTarget
from robot_vision.models.encoders.vit import ViT


@dataclass(frozen=True, kw_only=True, eq=False)
class Answer:
    """One method's map over the picture; `refused` is the reason if there is none.

    `checked` has the figures of the check that it passed; empty if none was made.
    """

    way: str
    about: str
    heat: Float32[np.ndarray, "h w"] | None = None
    refused: str = ""
    checked: str = ""
    elapsed_s: float = 0.0


def usual_ways(question: Question) -> list[str]:
    """The methods to show by default."""
    if question.subject.model is None:
        return ["occlusion"]
    if isinstance(question.target, ActionTarget):
        return ["hires_cam", *(["pointing"] if pointing_of(question) is not None else [])]
    if isinstance(question.target, BoxTarget | DepthTarget):
        return ["hires_cam"]
    if isinstance(question.target, ClassTarget):
        return ["grad_cam"]
    has_attention = any(isinstance(module, ViT) for module in question.subject.model.modules())
    return ["rollout" if has_attention else "occlusion"]


def answered(question: Question, ways: Sequence[str], *, is_checked: bool = True) -> list[Answer]:
    """A map or a refusal for each method."""
    return [_answered(question, name, is_checked=is_checked) for name in ways]


def _answered(question: Question, name: str, *, is_checked: bool) -> Answer:
    way, began_s = WAYS.get(name), perf_counter()
    height, width = question.size
    try:
        heat = way.explain(question)
        words = check(heat, question) if is_checked and way.is_of_target else ""
    except ExplainError as error:
        return Answer(way=name, about="", refused=str(error))
    return Answer(
        way=name,
        about=heat.about,
        heat=heat.in_view(question.placement, width_px=width, height_px=height),
        checked=words,
        elapsed_s=perf_counter() - began_s,
    )


def side_by_side(
    rgb: UInt8[np.ndarray, "h w 3"], question: Question, answers: Sequence[Answer]
) -> list[UInt8[np.ndarray, "height width 3"]]:
    """The picture with the target's box, and its maps, as tiles."""
    tiles = [large_tile(rgb, question.target.words, box_xyxy_px=question.box_in_view_px)]
    for answer in answers:
        if answer.heat is None:
            tiles.append(large_tile(rgb, f"{answer.way}: refused"))
        else:
            tiles.append(large_tile(over_picture(rgb, answer.heat), answer.way))
    return tiles
