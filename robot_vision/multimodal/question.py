"""A question about a picture, and what a kind of question is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from robot_vision.core.registry import Registry
from robot_vision.multimodal.cards import with_card
from robot_vision.multimodal.pictures import Picture, Thing


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is asked. `expected` is the answer in words; empty where it is not known.

    `color` and `name` are of the thing that is asked for, `card` is what is written on a card
    that is drawn into the picture.
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
        """What is shown."""
        rgb, truth = self.picture.rgb(), self.picture.truth
        return with_card(rgb, self.card, truth.things if truth else ()) if self.card else rgb


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """How well a question was answered, from 0 to 1, and why in words; empty where it is right."""

    score: float
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of question.

    `ask` makes one of a picture, None where it has nothing to ask; `answer` answers from the
    things that are seen; `judge` takes any text; `constants` are answers that could be given to
    all questions whatever they show.
    """

    name: str
    about: str
    ask: Callable[[Picture, np.random.Generator], Question | None]
    answer: Callable[[Question, Sequence[Thing]], str]
    judge: Callable[[Question, str], Verdict]
    constants: Callable[[Sequence[Question]], list[str]]


KINDS: Registry[Kind] = Registry("kind of question", package="robot_vision.multimodal.kinds")


def register_kind(kind: Kind) -> None:
    """Make a kind of question known by its name."""
    KINDS.register(kind.name)(kind)


def questions_about(
    pictures: Sequence[Picture], kinds: Sequence[str], *, seed: int = 0
) -> list[Question]:
    """What is asked of the pictures, in their order: the same for all models and on every call."""
    found = []
    for number, picture in enumerate(pictures):
        for row, name in enumerate(kinds):
            rng = np.random.default_rng([seed, number, row])
            question = KINDS.get(name).ask(picture, rng)
            if question is not None:
                found.append(question)
    return found


def judged(question: Question, answer: str) -> Verdict | None:
    """The verdict on an answer; None where nobody knows the right one."""
    return KINDS.get(question.kind).judge(question, answer) if question.is_judged else None
