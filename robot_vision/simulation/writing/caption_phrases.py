"""Phrases of captions: a group of objects in words, with its place, and sentences around them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from robot_vision.simulation.robot.work.phrases import CLASS_WORDS, COLOR_WORDS

_LEFT, _MIDDLE, _RIGHT = 0.4, (0.44, 0.56), 0.6  # as parts of the picture's width
_APART = 0.15
_APART_M = 0.12

_COUNTS = (
    "", "a", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve",
)  # fmt: skip
_NOUNS = ("{count} {color} {noun}",) * 3 + (
    "{count} {noun} that {be} {color}",
    "{count} {color} colored {noun}",
)
SENTENCES = (
    "{things}",
    "{things}",
    "a picture of {things}",
    "{things} on a table",
    "a table with {things}",
    "one can see {things}",
    "this shows {things}",
)
# From words that the sentences above contain, too.
HELD_OUT_SENTENCES = (
    "a picture of a table with {things}",
    "one can see {things} on a table",
    "this shows a table with {things}",
)
_BESIDE = {"left": ("to the left of", "left of"), "right": ("to the right of", "right of")}
_PLACES = {
    "left": ("on the left", "to the left"),
    "middle": ("in the middle", "in the center"),
    "right": ("on the right", "to the right"),
}
_DEEPER = {"nearer": ("in front of",), "farther": ("behind",)}


@dataclass(frozen=True, kw_only=True)
class Group:
    """All objects of one colour and name in a picture, as a caption names them."""

    color: str
    name: str
    count: int
    area_px: float
    x: float
    depth_m: float


@dataclass(frozen=True, kw_only=True)
class Phrase:
    """Words chosen for a group, and what follows them."""

    group: Group
    form: str
    color_word: str
    noun: str
    place: str = ""

    def __str__(self) -> str:
        is_one = self.group.count == 1
        text = self.form.format(
            count=_COUNTS[self.group.count],
            color=self.color_word,
            noun=self.noun if is_one else _plural(self.noun),
            be="is" if is_one else "are",
        )
        if is_one and text.split()[1][0] in "aeiou":
            text = f"an{text[1:]}"
        return f"{text} {self.place}" if self.place else text


def place_words(x: float) -> tuple[str, ...]:
    """Words for a place; none between the regions, where people would not agree."""
    if x <= _LEFT:
        return _PLACES["left"]
    if x >= _RIGHT:
        return _PLACES["right"]
    return _PLACES["middle"] if _MIDDLE[0] <= x <= _MIDDLE[1] else ()


def relation_words(one: Group, other: Group) -> tuple[str, ...]:
    """Words for the position of `one` relative to `other`; none if unclear."""
    if abs(one.x - other.x) >= _APART:
        return _BESIDE["left" if one.x < other.x else "right"]
    if abs(one.depth_m - other.depth_m) >= _APART_M:
        return _DEEPER["nearer" if one.depth_m < other.depth_m else "farther"]
    return ()


def phrase_of(group: Group, rng: np.random.Generator) -> Phrase:
    """Words for a group, drawn from all that mean the same."""
    return Phrase(
        group=group,
        form=pick(_NOUNS, rng),
        color_word=pick(COLOR_WORDS[group.color], rng),
        noun=pick(CLASS_WORDS[group.name], rng),
    )


def joined(parts: Sequence[str], joint: str) -> str:
    """Parts with `joint` between them; without one, a list."""
    if joint or len(parts) == 1:
        return joint.join(parts)
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def _plural(noun: str) -> str:
    return f"{noun}es" if noun.endswith(("s", "x", "sh", "ch")) else f"{noun}s"


def pick(choices: Sequence[str], rng: np.random.Generator) -> str:
    """One of the choices, at random."""
    return choices[int(rng.integers(len(choices)))]
