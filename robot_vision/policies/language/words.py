"""Encodes instructions with the encoder in a policy's bundle."""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.types import Instruction
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.language.sentences import SentenceWords
from robot_vision.policies.language.vocabulary import padded, tokenise
from robot_vision.policies.session import open_policy_session

LANGUAGE_INPUTS = ("tokens",)


@runtime_checkable
class Words(Protocol):
    """Turns text into an instruction."""

    def instruct(self, text: str) -> Instruction: ...


class VocabularyEncoder:
    """Raises `BundleError` if a bundle has no vocabulary, or no loadable encoder."""

    def __init__(self, bundle: PolicyBundle) -> None:
        vocabulary, path = bundle.manifest.vocabulary, bundle.language_path
        if vocabulary is None or path is None:
            raise BundleError(f"{bundle.path} has no vocabulary, or no text encoder")
        self._vocabulary = vocabulary
        self._language = open_policy_session(path, inputs=LANGUAGE_INPUTS, threads=1)

    @property
    def max_words(self) -> int:
        """Largest number of words of an instruction."""
        return self._vocabulary.max_words

    def instruct(self, text: str) -> Instruction:
        """Tokens of `text` and their encoding. `problem` is set if it cannot be followed."""
        found = tokenise(text, self._vocabulary)
        length = len(found.tokens)
        tokens = padded(found.tokens, self.max_words)
        encoding = np.asarray(self._language.run(None, {LANGUAGE_INPUTS[0]: tokens[None]})[0])
        return Instruction(
            text=text,
            tokens=found.tokens,
            encoding=encoding[0, :length],
            unknown_words=found.unknown_words,
            problem=found.problem,
        )


class NoWords:
    """For policies without language: any instruction lets them do what they were trained for."""

    def instruct(self, text: str) -> Instruction:
        nothing = np.zeros((0, 0), np.float32)
        return Instruction(text=text, tokens=np.zeros(0, np.int64), encoding=nothing)


def words_of(bundle: PolicyBundle) -> Words:
    """The text encoder of a bundle. Raises `BundleError` if there is none that works."""
    seen = bundle.manifest.observation
    kind = "vocabulary" if seen is None else seen.words
    kinds: dict[str, Callable[[PolicyBundle], Words]] = {
        "none": lambda _: NoWords(),
        "vocabulary": VocabularyEncoder,
        "sentence": SentenceWords,
    }
    return kinds[kind](bundle)
