"""Words in, tokens out: a closed vocabulary, and plain words about what it does not hold."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from robot_vision.core.vocabulary import Vocabulary

PADDING = 0
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# Words that change nothing of what is asked for: they are left out, and reported as unknown.
_EMPTY_WORDS = frozenset(
    re.findall(
        r"\w+",
        "a an the please kindly now just then robot hey hi ok okay so well thanks thank will you "
        "would could can i like want need to for me go ahead and that there over it its is",
    )
)
_LISTED = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenisedText:
    """Tokens of the known words, the words that are not known, and why it cannot be followed."""

    tokens: Int64[np.ndarray, " l"]
    unknown_words: tuple[str, ...] = ()
    problem: str = ""


def split_words(text: str) -> list[str]:
    """The words of a text in lower case; punctuation and hyphens separate."""
    return [word.replace("’", "'") for word in _WORD.findall(text.lower())]


def tokenise(text: str, vocabulary: Vocabulary) -> TokenisedText:
    """Tokens of `text`; `problem` says what is wrong with it, empty if it can be followed.

    It cannot be followed if it is empty or too long, holds a word of content that the vocabulary
    lacks, or names no thing or no action at all of a vocabulary that lists some.
    """
    token_of_word = {word: index + 1 for index, word in enumerate(vocabulary.words)}
    words = split_words(text)
    known = [word for word in words if word in token_of_word]
    unknown = tuple(dict.fromkeys(word for word in words if word not in token_of_word))
    tokens = np.array([token_of_word[w] for w in known[: vocabulary.max_words]], np.int64)
    return TokenisedText(
        tokens=tokens, unknown_words=unknown, problem=_problem(words, known, unknown, vocabulary)
    )


def meant_words(words: Iterable[str]) -> list[str]:
    """Those that change what is asked for, in their order."""
    return [word for word in words if word not in _EMPTY_WORDS]


def padded(tokens: Int64[np.ndarray, " l"], length: int) -> Int64[np.ndarray, " m"]:
    """`tokens`, filled up with padding to `length`."""
    row = np.full(length, PADDING, np.int64)
    row[: len(tokens)] = tokens
    return row


def _problem(
    words: list[str], known: list[str], unknown: tuple[str, ...], vocabulary: Vocabulary
) -> str:
    if not words:
        return "no instruction"
    meant = meant_words(unknown)
    if meant:
        plural = "words" if len(meant) > 1 else "word"
        known_ones = f"things known: {_listed(vocabulary.things)}"
        if not vocabulary.things:
            known_ones = f"words known: {_listed(vocabulary.words)}"
        return f"unknown {plural} {_listed(meant)}; {known_ones}"
    if len(known) > vocabulary.max_words:
        return f"{len(known)} words; expected {vocabulary.max_words} at most"
    if vocabulary.things and not set(known) & set(vocabulary.things):
        return f"names no thing; things known: {_listed(vocabulary.things)}"
    if vocabulary.actions and not set(known) & set(vocabulary.actions):
        return f"says not what to do; actions known: {_listed(vocabulary.actions)}"
    return ""


def _listed(words: list[str] | tuple[str, ...]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(repr(word) for word in words[:_LISTED]) + more
