"""Read a text: a card drawn into the picture."""

from collections.abc import Sequence

import numpy as np

from robot_vision.multimodal.cards import card_text
from robot_vision.multimodal.pictures import Picture, Thing
from robot_vision.multimodal.question import Kind, Question, Verdict, register_kind
from robot_vision.multimodal.words import squeezed


def ask(picture: Picture, rng: np.random.Generator) -> Question:
    card = card_text(rng)
    text = "What is written on the white card? Answer with the text only."
    return Question(kind="reading", picture=picture, text=text, card=card, expected=card)


def answer(_: Question, __: Sequence[Thing]) -> str:
    """A model that sees only objects reads nothing."""
    return ""


def judge(question: Question, said: str) -> Verdict:
    if squeezed(question.expected) in squeezed(said):
        return Verdict(score=1.0)
    return Verdict(score=0.0, why="not what is written" if said.strip() else "nothing")


def constants(questions: Sequence[Question]) -> list[str]:
    return sorted({question.expected for question in questions})


register_kind(
    Kind(
        name="reading",
        about="the text on a card drawn into the picture: the share read in full",
        ask=ask,
        answer=answer,
        judge=judge,
        constants=constants,
    )
)
