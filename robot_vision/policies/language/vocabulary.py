"""Tokenises instructions with a closed vocabulary, and reports what it does not contain."""

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from robot_vision.core.manifests.vocabulary import Vocabulary

PADDING = 0
# A letter or digit, then more of them and marks (`_MARK` in their place), which `\w` leaves out.
_MARK = "\0"
_WORD = re.compile(rf"[^\W_](?:['’]?[^\W_]|{_MARK})*")
# They join letters of one word.
_JOINERS = "\u200c\u200d"
# Phrases that do not change the request are left out and reported as unknown: anywhere, or only at
# the beginning of a sentence, as most of these words name something elsewhere ("the can").
_EMPTY_ANYWHERE = (
    "(?:hey|hi|hello|ok|okay|please|thanks|thank you) robot",
    "thank you|(?:could|would|will) you|for me|over there",
    "a|an|the|and|that|it|its|is|so|please|kindly|now|just|then|hey|hi|hello|ok|okay|thanks",
)
_EMPTY_FIRST = (
    *_EMPTY_ANYWHERE,
    "robot|well|go ahead|go(?= and)",
    "can you|you (?:can|could|should|must|may|need to|have to)",
    "(?:i want|i need|i would like|i'd like)(?: you)?(?: to)?",
)
_EMPTY = re.compile(
    rf"\A(?:(?:{'|'.join(_EMPTY_FIRST)})(?!\S) ?)+|(?<!\S)(?:{'|'.join(_EMPTY_ANYWHERE)})(?!\S)"
)
_LISTED = 12


@dataclass(frozen=True, kw_only=True, eq=False)
class TokenisedText:
    """Tokens of the known words, the unknown words, and why the text cannot be followed.

    `left_out` is the number of known words beyond the longest text.
    """

    tokens: Int64[np.ndarray, " l"]
    left_out: int = 0
    unknown_words: tuple[str, ...] = ()
    problem: str = ""


def split_words(text: str) -> list[str]:
    """The words of a text in lower case, split at punctuation and hyphens.

    In any script: vowel signs and accents belong to the letter before, and letters that look the
    same are the same (NFC).
    """
    plain = unicodedata.normalize("NFC", text.lower()).replace(_MARK, " ")
    marked = "".join(_MARK if _is_mark(letter) else letter for letter in plain)
    found = (plain[word.start() : word.end()] for word in _WORD.finditer(marked))
    return [word.replace("’", "'") for word in found]


def tokenise(text: str, vocabulary: Vocabulary) -> TokenisedText:
    """Tokens of `text`; `problem` says why it cannot be followed; empty if it can.

    It cannot if it is empty or too long, contains a content word that is not in the vocabulary, or
    names no thing or no action although the vocabulary lists some.
    """
    token_of_word = {word: index + 1 for index, word in enumerate(vocabulary.words)}
    words = split_words(text)
    known = [word for word in words if word in token_of_word]
    unknown = tuple(dict.fromkeys(word for word in words if word not in token_of_word))
    tokens = np.array([token_of_word[w] for w in known[: vocabulary.max_words]], np.int64)
    return TokenisedText(
        tokens=tokens,
        left_out=len(known) - len(tokens),
        unknown_words=unknown,
        problem=_problem(words, known, unknown, vocabulary),
    )


def meant_among(unknown: Collection[str], words: Iterable[str]) -> tuple[str, ...]:
    """Those unknown words that change the meaning of `words`, in order."""
    meant = _EMPTY.sub("", " ".join(words)).split()
    return tuple(dict.fromkeys(word for word in meant if word in unknown))


def padded(tokens: Int64[np.ndarray, " l"], length: int) -> Int64[np.ndarray, " m"]:
    """`tokens`, padded to `length`."""
    row = np.full(length, PADDING, np.int64)
    row[: len(tokens)] = tokens
    return row


def _is_mark(letter: str) -> bool:
    return not letter.isascii() and (
        unicodedata.category(letter).startswith("M") or letter in _JOINERS
    )


def _problem(
    words: list[str], known: list[str], unknown: tuple[str, ...], vocabulary: Vocabulary
) -> str:
    if not words:
        return "no instruction"
    meant = meant_among(unknown, words)
    if meant:
        plural = "words" if len(meant) > 1 else "word"
        known_ones = f"known things: {_listed(vocabulary.things)}"
        if not vocabulary.things:
            known_ones = f"known words: {_listed(vocabulary.words)}"
        return f"unknown {plural} {_listed(meant)}; {known_ones}"
    if len(known) > vocabulary.max_words:
        return f"{len(known)} words; expected at most {vocabulary.max_words}"
    if vocabulary.things and not set(known) & set(vocabulary.things):
        return f"it names no thing; known things: {_listed(vocabulary.things)}"
    if vocabulary.actions and not set(known) & set(vocabulary.actions):
        return f"it does not say what to do; known actions: {_listed(vocabulary.actions)}"
    return ""


def _listed(words: tuple[str, ...]) -> str:
    more = f" and {len(words) - _LISTED} more" if len(words) > _LISTED else ""
    return ", ".join(repr(word) for word in words[:_LISTED]) + more
