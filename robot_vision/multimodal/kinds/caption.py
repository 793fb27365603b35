"""Describe the picture: the objects that a sentence names, and their colours."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_vision.multimodal.named_things import commonest, compare_named, in_words
from robot_vision.multimodal.pictures import Picture, Thing
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind
from robot_vision.multimodal.words import Mention

_MOST = 5  # objects that one sentence is expected to name


def ask(picture: Picture, _: np.random.Generator) -> Question:
    truth = picture.truth
    colors = " and their colors" if truth and truth.colors else ""
    question = Question(
        kind="caption",
        picture=picture,
        text=f"Describe this picture in one sentence that names the things in it{colors}.",
    )
    if truth is None:
        return question
    clear = [thing for thing in truth.things if thing.is_clear]
    return replace(question, expected=answer(question, clear))


def answer(_: Question, things: Sequence[Thing]) -> str:
    looks = dict.fromkeys(Mention(name=thing.name, color=thing.color) for thing in things)
    return in_words(list(looks)[:_MOST]) or "nothing"


def judge(question: Question, said: str) -> Verdict:
    truth = question.picture.truth
    assert truth is not None
    return compare_named(truth, said, most_wanted=_MOST, with_colors=bool(truth.colors))


def constants(questions: Sequence[Question]) -> list[str]:
    looks = commonest(questions, with_colors=True)
    return [in_words(looks[:count]) for count in range(1, 2 * _MOST + 1)]


register_kind(
    Kind(
        name="caption",
        about="describe the picture in a sentence: F1 of objects named, half for their colours",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
