"""Extracts objects, colours, numbers, yes or no from an answer in natural language."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from robot_vision.simulation.robot.work.phrases import CLASS_WORDS, COLOR_WORDS

NUMBERS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_TOKENS = re.compile(r"[a-z]+|\d+|[(,.;:\n]")
_NOT = {"no", "not", "without", "zero", "none", "neither", "nor"}
_NOT_BEFORE = 4  # words between a "no" and the object that it negates
_COLOR_OF = {word: color for color, words in COLOR_WORDS.items() for word in words}
_BREAKS = {",", ".", ";", ":", "\n", "and"}
_IRREGULAR = {"person": "people", "knife": "knives", "mouse": "mice", "sheep": "sheep"}
_JOINS = {"that", "which", "is", "are", "colored", "coloured", "in", "color", "colour"}


@dataclass(frozen=True, kw_only=True)
class Mention:
    """An object that an answer asserts; `color` is empty if it gives none."""

    name: str
    color: str


def tokens(text: str) -> list[str]:
    """Words, numbers and phrase-ending punctuation, in lower case."""
    return _TOKENS.findall(text.lower())


def mentions(text: str, names: Sequence[str]) -> list[Mention]:
    """The objects of `names` that `text` asserts, in order; negated ones are left out."""
    said, by_words = tokens(text), _words_of(names)
    found, begin, position = [], 0, 0
    while position < len(said):
        name, length = _name_at(said, position, by_words)
        if not name:
            position += 1
            continue
        before, after = said[begin:position], said[position + length :]
        if not _NOT & set(_phrase(before)[-_NOT_BEFORE:]):
            color = _last_color(_phrase(before)) or _color_after(after)
            found.append(Mention(name=name, color=color))
        position += length
        begin = position
    return found


def colors(text: str) -> list[str]:
    """The colours that a text names, by their usual names, each once."""
    return list(dict.fromkeys(_COLOR_OF[word] for word in tokens(text) if word in _COLOR_OF))


def number(text: str) -> int | None:
    """The first number of a text, in digits or as a word; None if it has none."""
    for word in tokens(text):
        if word.isdigit():
            return int(word[:9])
        if word in NUMBERS:
            return NUMBERS.index(word)
        if word in ("no", "none", "nothing"):
            return 0
    return None


def yes_or_no(text: str) -> str:
    """`yes` or `no`, whichever a text says first; empty if it says neither."""
    return next((word for word in tokens(text) if word in ("yes", "no")), "")


def squeezed(text: str) -> str:
    """Only letters and digits, in upper case: how texts on cards are compared."""
    return re.sub(r"[^A-Z0-9]", "", text.upper())


def article(noun: str) -> str:
    """`a` or `an`."""
    return "an" if noun[:1].lower() in "aeiou" else "a"


def plural(noun: str) -> str:
    """The plural of a noun."""
    if noun in _IRREGULAR:
        return _IRREGULAR[noun]
    return f"{noun}es" if noun.endswith(("s", "x", "sh", "ch")) else f"{noun}s"


def _words_of(names: Iterable[str]) -> dict[tuple[str, ...], str]:
    """Each form of a name, singular and plural, as its words."""
    found: dict[tuple[str, ...], str] = {}
    for name in names:
        for word in CLASS_WORDS.get(name, (name.lower(),)):
            for form in (word, plural(word)):
                found.setdefault(tuple(tokens(form)), name)
    return found


def _name_at(
    said: Sequence[str], position: int, by_words: dict[tuple[str, ...], str]
) -> tuple[str, int]:
    """The longest name that begins at `position`, and how many words it has; else ("", 0)."""
    for length in range(min(3, len(said) - position), 0, -1):
        name = by_words.get(tuple(said[position : position + length]))
        if name is not None:
            return name, length
    return "", 0


def _phrase(before: Sequence[str]) -> list[str]:
    """The words before an object that belong to it: from the last break on."""
    for position in range(len(before) - 1, -1, -1):
        if before[position] in _BREAKS:
            return list(before[position + 1 :])
    return list(before)


def _last_color(before: Sequence[str]) -> str:
    return next((_COLOR_OF[word] for word in reversed(before) if word in _COLOR_OF), "")


def _color_after(after: Sequence[str]) -> str:
    """The colour of `ball that is red`, `ball: red` and `ball (red)`."""
    for count, word in enumerate(after):
        if word in _COLOR_OF:
            return _COLOR_OF[word] if count else ""
        if word not in _JOINS and word not in (":", "("):
            return ""
    return ""
