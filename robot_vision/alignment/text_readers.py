"""Texts become inputs of a bundle's text network: tokens, or a frozen encoder's encodings."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.manifest import SentenceTower, TextEncoder
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.model_store.store import Bundle
from robot_vision.policies.language.sentences import SentenceEncoder
from robot_vision.policies.language.vocabulary import padded, split_words, tokenise


@dataclass(frozen=True, kw_only=True, eq=False)
class ReadText:
    """A row of the network's input, and the words that were not known."""

    row: np.ndarray
    unknown_words: tuple[str, ...] = ()


@runtime_checkable
class TextReader(Protocol):
    """Reads a text; raises `ConfigError` for one that is too long or has no known word."""

    input_name: str

    def read(self, text: str) -> ReadText: ...

    def example(self) -> np.ndarray:
        """An input of one text, to try the network by."""
        ...


def text_reader(bundle: Bundle, text: TextEncoder) -> TextReader:
    """What the bundle's manifest says; raises `BundleError` where its files do not fit."""
    if text.sentences is not None:
        return _SentenceReader(bundle, text.sentences)
    assert text.vocabulary is not None
    return _VocabularyReader(bundle.manifest.name, text.vocabulary)


class _VocabularyReader:
    input_name = "tokens"

    def __init__(self, name: str, vocabulary: Vocabulary) -> None:
        self._name, self._vocabulary = name, vocabulary

    def read(self, text: str) -> ReadText:
        most = self._vocabulary.max_words
        if len(split_words(text)) > most:
            raise ConfigError(f"the text {quoted(text)} is too long; expected {most} words")
        found = tokenise(text, self._vocabulary)
        if not len(found.tokens):
            raise ConfigError(
                f"the text {quoted(text)} has no word that {self._name!r} knows; it knows "
                f"{', '.join(self._vocabulary.words[:12])} …"
            )
        return ReadText(row=padded(found.tokens, most), unknown_words=found.unknown_words)

    def example(self) -> np.ndarray:
        return np.ones((1, self._vocabulary.max_words), np.int64)


class _SentenceReader:
    input_name = "encodings"

    def __init__(self, bundle: Bundle, tower: SentenceTower) -> None:
        self._name, self._tower = bundle.manifest.name, tower
        network = bundle.path / tower.file
        self._encoder = SentenceEncoder(
            network, bundle.path / tower.tokenizer, max_tokens=tower.max_tokens
        )
        if self._encoder.width != tower.width:
            raise BundleError(
                f"{network} gives {self._encoder.width} numbers a token; model.yaml says "
                f"{tower.width}: export the model again"
            )

    def read(self, text: str) -> ReadText:
        try:
            found = self._encoder.encode(text)
        except ValueError as error:
            raise ConfigError(f"the text is too long: {error}") from error
        if not set(split_words(text)) - set(found.unknown_words):
            raise ConfigError(
                f"the text {quoted(text)} has no word that the encoder of sentences of "
                f"{self._name!r} knows"
            )
        row = np.zeros((self._tower.max_tokens, self._tower.width), np.float32)
        row[: len(found.encoding)] = found.encoding
        return ReadText(row=row, unknown_words=found.unknown_words)

    def example(self) -> np.ndarray:
        return np.ones((1, self._tower.max_tokens, self._tower.width), np.float32)
