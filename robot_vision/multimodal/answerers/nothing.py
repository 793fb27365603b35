"""A model that says nothing: the baseline for other figures."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from robot_vision.multimodal.answerer import (
    Answerer,
    AnswererKind,
    AnswererSpec,
    Reply,
    register_answerer,
)
from robot_vision.multimodal.question import Question


class Silent:
    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:  # noqa: ARG002
        return Reply(text="")

    def close(self) -> None:
        pass


def build(_: AnswererSpec, __: Sequence[Question]) -> Answerer:
    return Silent()


register_answerer(
    AnswererKind(name="nothing", about="answers nothing", spec=AnswererSpec, build=build)
)
