"""Whether an object is present: yes as often as no, and a no differs in one word."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from robot_vision.multimodal.pictures import Picture, Thing, Truth
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind
from robot_vision.multimodal.words import article, yes_or_no


def ask(picture: Picture, rng: np.random.Generator) -> Question | None:
    truth = picture.truth
    clear = [thing for thing in truth.things if thing.is_clear] if truth else []
    if truth is None or not clear:
        return None
    thing = clear[int(rng.integers(len(clear)))]
    color, name = thing.color, thing.name
    if rng.random() < 0.5:
        absent = _absent(truth, color, name)
        if not absent:
            return None
        color, name = absent[int(rng.integers(len(absent)))]
    what = f"{color} {name}".strip()
    text = f"Is there {article(what)} {what} in the picture? Answer with yes or no."
    question = Question(kind="presence", picture=picture, text=text, color=color, name=name)
    return replace(question, expected=answer(question, truth.things))


def answer(question: Question, things: Sequence[Thing]) -> str:
    wanted = (question.color, question.name)
    found = any((thing.color if question.color else "", thing.name) == wanted for thing in things)
    return "yes" if found else "no"


def judge(question: Question, said: str) -> Verdict:
    found = yes_or_no(said)
    if found == question.expected:
        return Verdict(score=1.0)
    return Verdict(score=0.0, why=f"{found} is wrong" if found else "neither yes nor no")


def constants(_: Sequence[Question]) -> list[str]:
    return ["yes", "no"]


def _absent(truth: Truth, color: str, name: str) -> list[tuple[str, str]]:
    """Absent objects that differ from one in the picture by a word."""
    shown = {(thing.color, thing.name) for thing in truth.things}
    near = [(color, other) for other in truth.names] + [(c, name) for c in truth.colors]
    return [look for look in near if look not in shown]


register_kind(
    Kind(
        name="presence",
        about="whether there is an object of that colour: the share of right answers",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
