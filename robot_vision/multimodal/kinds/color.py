"""The colour of an object of which there is only one."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from robot_vision.multimodal.pictures import Picture, Thing
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind
from robot_vision.multimodal.words import colors


def ask(picture: Picture, rng: np.random.Generator) -> Question | None:
    truth = picture.truth
    if truth is None or not truth.colors:
        return None
    count = Counter(thing.name for thing in truth.things)
    single = [thing for thing in truth.things if thing.is_clear and count[thing.name] == 1]
    if not single:
        return None
    thing = single[int(rng.integers(len(single)))]
    text = f"What color is the {thing.name}? Answer with one of: {', '.join(truth.colors)}."
    return Question(
        kind="color", picture=picture, text=text, name=thing.name, expected=thing.color
    )


def answer(question: Question, things: Sequence[Thing]) -> str:
    return next((thing.color for thing in things if thing.name == question.name), "")


def judge(question: Question, said: str) -> Verdict:
    found = colors(said)
    if found == [question.expected]:
        return Verdict(score=1.0)
    return Verdict(score=0.0, why=f"{' and '.join(found)} is wrong" if found else "no color")


def constants(questions: Sequence[Question]) -> list[str]:
    return sorted({question.expected for question in questions})


register_kind(
    Kind(
        name="color",
        about="the colour of an object: the share of right answers",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
