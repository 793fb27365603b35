"""The number of objects of a kind."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_vision.multimodal.pictures import Picture, Thing
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind
from robot_vision.multimodal.words import number, plural


def ask(picture: Picture, rng: np.random.Generator) -> Question | None:
    """About a kind without half-hidden objects; every other time one with several."""
    if picture.truth is None:
        return None
    things = picture.truth.things
    hidden = {thing.name for thing in things if not thing.is_clear}
    count = Counter(thing.name for thing in things if thing.name not in hidden)
    several = sorted(name for name in count if count[name] > 1)
    names = several if several and rng.random() < 0.5 else sorted(count)
    if not names:
        return None
    name = names[int(rng.integers(len(names)))]
    text = f"How many {plural(name)} are in the picture? Answer with a number only."
    question = Question(kind="count", picture=picture, text=text, name=name)
    return replace(question, expected=answer(question, things))


def answer(question: Question, things: Sequence[Thing]) -> str:
    return str(sum(thing.name == question.name for thing in things))


def judge(question: Question, said: str) -> Verdict:
    found = number(said)
    if found == int(question.expected):
        return Verdict(score=1.0)
    return Verdict(score=0.0, why="no number" if found is None else f"{found} is wrong")


def constants(questions: Sequence[Question]) -> list[str]:
    return sorted({question.expected for question in questions})


register_kind(
    Kind(
        name="count",
        about="the number of objects of a kind: the share of right numbers",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
