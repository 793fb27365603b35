"""The commonest answer: for each kind of question, the one that fits these questions best.

It has seen the right answers, so no constant answer does better.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

from robot_vision.multimodal.answerer import (
    Answerer,
    AnswererKind,
    AnswerError,
    AnswererSpec,
    Reply,
    register_answerer,
)
from robot_vision.multimodal.question import KINDS, Question


class Constant:
    def __init__(self, answers: dict[str, str]) -> None:
        self._answers = answers

    def ask(self, question: Question, rgb: UInt8[np.ndarray, "h w 3"]) -> Reply:  # noqa: ARG002
        if question.kind not in self._answers:
            raise AnswerError(
                f"no right answer to {question.kind} is known, so none is the commonest"
            )
        return Reply(text=self._answers[question.kind])

    def close(self) -> None:
        pass


def build(_: AnswererSpec, questions: Sequence[Question]) -> Answerer:
    answers = {}
    for name in dict.fromkeys(question.kind for question in questions):
        judged = [q for q in questions if q.kind == name and q.is_judged]
        if judged:
            answers[name] = _best(name, judged)
    return Constant(answers)


def _best(kind_name: str, questions: Sequence[Question]) -> str:
    kind = KINDS.get(kind_name)

    def total(answer: str) -> float:
        return sum(kind.judge(question, answer).score for question in questions)

    return max(kind.constants(questions), key=total, default="")


register_answerer(
    AnswererKind(
        name="constant",
        about="the commonest answer: the best one that is the same for all pictures",
        spec=AnswererSpec,
        build=build,
    )
)
