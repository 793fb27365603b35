"""Captions as tokens: a set's vocabulary, and the token rows for a model."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Int64
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.policies.language.vocabulary import padded, split_words, tokenise


def vocabulary_of(texts: Iterable[str], *, max_words: int) -> Vocabulary:
    """All words of captions, sorted; raises `ConfigError` if one has more than `max_words`."""
    words: set[str] = set()
    for text in texts:
        found = split_words(text)
        if len(found) > max_words:
            raise ConfigError(
                f"a caption has {len(found)} words, expected {max_words} at most "
                f"(options.max_words): {quoted(text)}"
            )
        words |= set(found)
    return Vocabulary(words=tuple(sorted(words)), max_words=max_words)


def token_rows(texts: Iterable[str], vocabulary: Vocabulary) -> Int64[np.ndarray, "n l"]:
    """Tokens of texts, a row each, padded with 0; unknown words are left out."""
    rows = [padded(tokenise(t, vocabulary).tokens, vocabulary.max_words) for t in texts]
    return np.stack(rows) if rows else np.zeros((0, vocabulary.max_words), np.int64)


def travelled_vocabulary(travels: Mapping[str, Any]) -> Vocabulary:
    """The words that weights were trained with; raises `ConfigError` if they have none."""
    try:
        return Vocabulary.model_validate(travels["vocabulary"])
    except (KeyError, ValidationError) as error:
        raise ConfigError(
            "the weights are not of a picture-text model: a vocabulary must be stored with them "
            f"({quoted(repr(error))})"
        ) from error
