"""Captions as a picture-text model takes them: tokens, or encodings of a frozen encoder."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, Shaped
from pydantic import ValidationError

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.manifest import SentenceTower, TextEncoder
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.core.parameters.params import Params, param
from robot_vision.model_store.bundle_files import copy_external_files, copy_file
from robot_vision.models.alignment.picture_text import ENCODINGS, PICTURE_FILE, TEXT_FILE, TOKENS
from robot_vision.policies.language.vocabulary import split_words
from robot_vision.training.data.judging.travels import TravellingSentences
from robot_vision.training.data.opening.open_set import set_and_split
from robot_vision.training.data.words.caption_words import token_rows, travelled_vocabulary
from robot_vision.training.demonstrations.sentences.cache import encodings_of
from robot_vision.training.demonstrations.sentences.folder import (
    SentenceFolder,
    open_sentence_folder,
)

SENTENCES = "sentences"
_NETWORK = "sentences.onnx"


class TextTowerOptions(Params):
    """A frozen encoder of sentences that reads the captions, in place of a small one of words."""

    folder: str = param("", "tokenizer.json and model.onnx, or a model of transformers")
    max_tokens: int = param(48, "of the longest caption", ge=2, le=128)


@runtime_checkable
class CaptionTexts(Protocol):
    """Reads captions. `input_name` is the model's, `spec` what it decides of the model's spec."""

    input_name: str

    @property
    def spec(self) -> dict[str, Any]: ...

    def rows(self, texts: Iterable[str]) -> Shaped[np.ndarray, "n ..."]:
        """The model's input, a row a text."""
        ...

    def reads(self, text: str) -> bool:
        """Whether every word counts: a word that does not changes what the text means."""
        ...

    def travels(self) -> dict[str, Any]: ...

    def write(self, folder: Path) -> TextEncoder:
        """Put what the model's own graph needs beside it; what the manifest says of both."""
        ...


class VocabularyTexts:
    """Tokens of a closed vocabulary."""

    input_name = TOKENS

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary
        self._words = frozenset(vocabulary.words)
        self._known: dict[str, Int64[np.ndarray, " l"]] = {}

    def __str__(self) -> str:
        return f"of {len(self.vocabulary.words)} words"

    @property
    def spec(self) -> dict[str, Any]:
        return {"words": len(self.vocabulary.words), "max_words": self.vocabulary.max_words}

    def rows(self, texts: Iterable[str]) -> Int64[np.ndarray, "n l"]:
        wanted = list(texts)
        new = [text for text in dict.fromkeys(wanted) if text not in self._known]
        self._known.update(zip(new, token_rows(new, self.vocabulary), strict=True))
        empty = np.zeros((0, self.vocabulary.max_words), np.int64)
        return np.stack([self._known[text] for text in wanted]) if wanted else empty

    def reads(self, text: str) -> bool:
        return self._words.issuperset(split_words(text))

    def travels(self) -> dict[str, Any]:
        return {"vocabulary": self.vocabulary.model_dump(mode="json")}

    def write(self, folder: Path) -> TextEncoder:
        del folder
        return TextEncoder(file=TEXT_FILE, vocabulary=self.vocabulary)


class SentenceTexts:
    """Encodings a token by a frozen encoder, which are kept on disk; rows of zeros are padding."""

    input_name = ENCODINGS

    def __init__(self, folder: SentenceFolder, cache_dir: Path) -> None:
        self.sha256 = folder.sha256
        self._folder, self._encoder, self._cache_dir = folder, folder.encoder(), cache_dir

    def __str__(self) -> str:
        return f"read by the encoder of sentences {self._folder.name!r}"

    @property
    def spec(self) -> dict[str, Any]:
        return {"sentence_width": self._encoder.width, "max_words": self._encoder.max_tokens}

    def rows(self, texts: Iterable[str]) -> Float32[np.ndarray, "n l d"]:
        wanted = list(texts)
        found = encodings_of(wanted, self._encoder, sha256=self.sha256, cache_dir=self._cache_dir)
        shape = (len(wanted), self._encoder.max_tokens, self._encoder.width)
        rows = np.zeros(shape, np.float32)
        for row, text in zip(rows, wanted, strict=True):
            row[: len(found[text])] = found[text]
        return rows

    def reads(self, text: str) -> bool:
        del text
        return True

    def travels(self) -> dict[str, Any]:
        travelling = TravellingSentences(
            name=self._folder.name,
            sha256=self.sha256,
            width=self._encoder.width,
            max_tokens=self._encoder.max_tokens,
        )
        return {SENTENCES: travelling.model_dump()}

    def write(self, folder: Path) -> TextEncoder:
        tower = SentenceTower(
            name=self._folder.name,
            file=_NETWORK,
            max_tokens=self._encoder.max_tokens,
            width=self._encoder.width,
        )
        reserved = (PICTURE_FILE, TEXT_FILE, tower.file, tower.tokenizer)
        copy_external_files(self._folder.network, folder, reserved=reserved)
        copy_file(self._folder.network, folder / tower.file)
        copy_file(self._folder.tokenizer, folder / tower.tokenizer)
        return TextEncoder(file=TEXT_FILE, sentences=tower)


def opened_sentences(
    options: TextTowerOptions, *, source: str, cache_dir: str
) -> SentenceTexts | None:
    """The encoder that a recipe names; None where it names none."""
    if not options.folder:
        return None
    root, _ = set_and_split(source)
    kept = Path(cache_dir) if cache_dir else root / "cache"
    folder = open_sentence_folder(options.folder, max_tokens=options.max_tokens, cache_dir=kept)
    return SentenceTexts(folder, kept)


def travelled_texts(
    travels: Mapping[str, Any], options: TextTowerOptions, *, source: str, cache_dir: str
) -> CaptionTexts:
    """What weights learnt to read. Raises `ConfigError` where that is not at hand any more."""
    if SENTENCES not in travels:
        return VocabularyTexts(travelled_vocabulary(travels))
    try:
        learnt = TravellingSentences.model_validate(travels[SENTENCES])
    except ValidationError as error:
        raise ConfigError(f"`sentences` of the weights: {quoted(repr(error))}") from error
    texts = opened_sentences(options, source=source, cache_dir=cache_dir)
    if texts is None or texts.sha256 != learnt.sha256:
        has = "names none" if texts is None else f"has another ({texts.sha256[:12]})"
        raise ConfigError(
            f"the model learnt captions by the encoder of sentences {quoted(learnt.name)} "
            f"({learnt.sha256[:12]}); options.sentences.folder {has}: put that one back, with "
            f"max_tokens {learnt.max_tokens}, or train again"
        )
    return texts
