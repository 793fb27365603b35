"""List the objects: the kinds of object that an answer names."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_vision.multimodal.named_things import commonest, compare_named
from robot_vision.multimodal.pictures import Picture, Thing
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind

_FREE = "List the objects in this picture. Answer with their names only, separated by commas."


def ask(picture: Picture, _: np.random.Generator) -> Question:
    truth = picture.truth
    if truth is None:
        return Question(kind="objects", picture=picture, text=_FREE)
    text = (
        f"Which of these are in the picture: {', '.join(truth.names)}? Answer with their names "
        "only, separated by commas, or with: none."
    )
    question = Question(kind="objects", picture=picture, text=text)
    clear = [thing for thing in truth.things if thing.is_clear]
    return replace(question, expected=answer(question, clear))


def answer(_: Question, things: Sequence[Thing]) -> str:
    return ", ".join(dict.fromkeys(thing.name for thing in things)) or "none"


def judge(question: Question, said: str) -> Verdict:
    truth = question.picture.truth
    assert truth is not None
    return compare_named(truth, said, most_wanted=len(truth.names), with_colors=False)


def constants(questions: Sequence[Question]) -> list[str]:
    names = [look.name for look in commonest(questions, with_colors=False)]
    return ["none", *(", ".join(names[:count]) for count in range(1, len(names) + 1))]


register_kind(
    Kind(
        name="objects",
        about="which of the set's kinds of object are there: F1 of the names",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
