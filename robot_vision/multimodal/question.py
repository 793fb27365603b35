"""A question about a picture, and the interface of a kind of question."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.registry import Registry
from robot_vision.multimodal.cards import with_card
from robot_vision.multimodal.pictures import Picture, Thing


@dataclass(frozen=True, kw_only=True)
class Question:
    """A question. `expected` is the answer as text; empty if unknown.

    `color` and `name` are those of the object in question, `card` is the text on a card
    drawn into the picture.
    """

    kind: str
    picture: Picture
    text: str
    color: str = ""
    name: str = ""
    card: str = ""
    expected: str = ""

    @property
    def is_judged(self) -> bool:
        return self.expected != ""

    def rgb(self) -> UInt8[np.ndarray, "h w 3"]:
        """The picture as shown."""
        rgb, truth = self.picture.rgb(), self.picture.truth
        return with_card(rgb, self.card, truth.things if truth else ()) if self.card else rgb


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How well a question was answered, from 0 to 1, and the reason; empty if right."""

    score: float
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of question.

    `ask` makes one about a picture, None if there is nothing to ask; `answer` answers from the
    objects seen; `judge` takes any text; `constants` are answers that could be given to
    all questions, whatever the picture.
    """

    name: str
    about: str
    ask: Callable[[Picture, np.random.Generator], Question | None]
    answer: Callable[[Question, Sequence[Thing]], str]
    judge: Callable[[Question, str], Verdict]
    constants: Callable[[Sequence[Question]], list[str]]


KINDS: Registry[Kind] = Registry("kind of question", package="robot_vision.multimodal.kinds")


def register_kind(kind: Kind) -> None:
    """Register a kind of question under its name."""
    KINDS.register(kind.name)(kind)


def questions_about(
    pictures: Sequence[Picture], kinds: Sequence[str], *, seed: int = 0
) -> list[Question]:
    """The questions about the pictures, in order: the same for all models and on every call."""
    found = []
    for number, picture in enumerate(pictures):
        for row, name in enumerate(kinds):
            rng = np.random.default_rng([seed, number, row])
            question = KINDS.get(name).ask(picture, rng)
            if question is not None:
                found.append(question)
    return found


def judged(question: Question, answer: str) -> Verdict | None:
    """The verdict on an answer; None if the right one is unknown."""
    return KINDS.get(question.kind).judge(question, answer) if question.is_judged else None
