"""Encodings of sentences, made once for each wording and kept on disk."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import quoted
from robot_vision.policies.language.sentences import SentenceEncoder

Encoding = Float32[np.ndarray, "l d"]


def encodings_of(
    texts: Iterable[str], encoder: SentenceEncoder, *, sha256: str, cache_dir: str | Path
) -> Mapping[str, Encoding]:
    """By wording: one encoding per token, none for an empty wording.

    `sha256` identifies the encoder: another one has other files. Raises `ConfigError` for a
    wording that is too long for it, `DiskFullError`.
    """
    folder = Path(cache_dir) / f"sentences-{sha256[:24]}"
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        return {text: _encoding(text, encoder, folder) for text in sorted(set(texts))}


def _encoding(text: str, encoder: SentenceEncoder, folder: Path) -> Encoding:
    file = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
    if file.is_file():
        return np.load(file)
    try:
        encoding = encoder.encode(text).encoding
    except ValueError as error:
        raise ConfigError(
            f"{quoted(text)} is too long: {error}; set options.sentences.max_tokens"
        ) from error
    made = file.with_suffix(".partial")
    with made.open("wb") as opened:
        np.save(opened, encoding)
    made.replace(file)
    return encoding
