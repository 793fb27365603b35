"""A prompt becomes inputs of a model: its phrases are encoded once, when the words change."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.core.errors import BundleError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.manifest import PromptEncoder as PromptManifest
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.core.types import Phrase, Prompt
from robot_vision.model_store.store import Bundle
from robot_vision.policies.language.sentences import MOST_LETTERS, open_tokenizer
from robot_vision.policies.language.vocabulary import meant_among, padded, split_words, tokenise
from robot_vision.policies.session import open_policy_session

_TOKENS = "tokens"
_IDS, _THERE = "input_ids", "attention_mask"


@dataclass(frozen=True, kw_only=True, eq=False)
class EncodedPrompt:
    """A prompt and the model's inputs for the phrases that are looked for."""

    prompt: Prompt
    inputs: Mapping[str, np.ndarray]


class PromptEncoder:
    """Encodes prompts for one bundle. Raises `BundleError` where its files do not fit."""

    def __init__(self, bundle: Bundle) -> None:
        said = bundle.manifest.prompt
        if said is None:
            raise BundleError(
                f"bundle {bundle.manifest.name!r} has no encoder of words; expected one of a "
                "model that is asked by words (task grounding)"
            )
        self._said = said
        self._reader: _Reader = (
            _VocabularyReader(said.vocabulary)
            if said.vocabulary is not None
            else _TokenizerReader(bundle, said)
        )
        file = bundle.path / said.file
        self._session = open_policy_session(
            file, inputs=self._reader.inputs, threads=1, spin=False
        )
        try:
            self._encoded(self._reader.example())
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            raise BundleError(f"{file} does not read words as model.yaml says: {error}") from error

    def encode(self, text: str) -> EncodedPrompt:
        """The phrases of a text. What cannot be looked for has a problem and costs no other."""
        said = self._said
        encodings = np.zeros((1, said.phrases, said.tokens, said.width), np.float32)
        mask = np.zeros((1, said.phrases, said.tokens), np.bool_)
        phrases: list[Phrase] = []
        row = 0
        for words in split_phrases(text):
            if row == said.phrases:
                why = f"{quoted(words)} is left out: {said.phrases} phrases are looked for at most"
                phrases.append(Phrase(text=words, problem=why))
                continue
            phrase, tokens = self._reader.read(words)
            if not phrase.problem:
                phrase = replace(phrase, problem=self._problem(words, tokens))
            phrases.append(phrase)
            if not phrase.problem:
                encoding = self._encoded(tokens)
                encodings[0, row, : len(encoding)] = encoding
                mask[0, row, : len(encoding)] = True
                row += 1
        return EncodedPrompt(
            prompt=Prompt(text=text, phrases=tuple(phrases)),
            inputs={said.name: encodings, said.mask_name: mask},
        )

    def _problem(self, words: str, tokens: Int64[np.ndarray, " n"]) -> str:
        """Why tokens that are all known cannot be looked for."""
        if not len(tokens):
            return f"{quoted(words)} names nothing that could be looked for"
        most = self._said.tokens
        if 1 < most < len(tokens):  # with one encoding, it is of all tokens
            return f"{len(tokens)} tokens in {quoted(words)}; expected {most} at most"
        return ""

    def _encoded(self, tokens: Int64[np.ndarray, " n"]) -> Float32[np.ndarray, "l d"]:
        """An encoding of each token, or one of the whole phrase."""
        found = np.asarray(self._session.run(None, self._reader.fed(tokens))[0], np.float32)
        rows = found.reshape(-1, found.shape[-1])
        if len(rows) > 1:
            rows = rows[: len(tokens)]
        if len(rows) > self._said.tokens or rows.shape[1] != self._said.width:
            raise ValueError(
                f"its answer is {list(found.shape)}; expected {self._said.tokens} encodings of "
                f"{self._said.width} numbers at most"
            )
        return rows


class _Reader(Protocol):
    """Makes tokens of a phrase, and a network's inputs of tokens."""

    @property
    def inputs(self) -> tuple[str, ...]: ...

    def read(self, words: str) -> tuple[Phrase, Int64[np.ndarray, " n"]]: ...

    def fed(self, tokens: Int64[np.ndarray, " n"]) -> dict[str, np.ndarray]: ...

    def example(self) -> Int64[np.ndarray, " n"]: ...


class _VocabularyReader:
    inputs = (_TOKENS,)

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary

    def read(self, words: str) -> tuple[Phrase, Int64[np.ndarray, " n"]]:
        found = tokenise(words, self._vocabulary)
        unknown = meant_among(found.unknown_words, split_words(words))
        return Phrase(text=words, unknown_words=unknown, problem=found.problem), found.tokens

    def fed(self, tokens: Int64[np.ndarray, " n"]) -> dict[str, np.ndarray]:
        return {_TOKENS: padded(tokens, self._vocabulary.max_words)[None]}

    def example(self) -> Int64[np.ndarray, " n"]:
        return np.array([len(self._vocabulary.words)], np.int64)


class _TokenizerReader:
    inputs = (_IDS, _THERE)

    def __init__(self, bundle: Bundle, said: PromptManifest) -> None:
        self._tokenizer, self._unknown = open_tokenizer(bundle.path / said.tokenizer)
        self._most = said.max_tokens

    def read(self, words: str) -> tuple[Phrase, Int64[np.ndarray, " n"]]:
        nothing = np.zeros(0, np.int64)
        if len(words) > MOST_LETTERS:
            why = f"{len(words)} letters in a phrase; expected {MOST_LETTERS} at most"
            return Phrase(text=words, problem=why), nothing
        found = self._tokenizer.encode(words)
        slices = [
            words[slice(*place)]
            for token, place in zip(found.ids, found.offsets, strict=True)
            if token == self._unknown
        ]
        unknown = tuple(dict.fromkeys(word for each in slices for word in split_words(each)))
        problem = f"unknown words {', '.join(map(quoted, unknown))}" if unknown else ""
        if len(found.ids) > self._most:
            problem = f"{len(found.ids)} tokens in {quoted(words)}; expected {self._most} at most"
        phrase = Phrase(text=words, unknown_words=unknown, problem=problem)
        return phrase, np.array(found.ids, np.int64)

    def fed(self, tokens: Int64[np.ndarray, " n"]) -> dict[str, np.ndarray]:
        is_there = np.arange(self._most) < len(tokens)
        return {_IDS: padded(tokens, self._most)[None], _THERE: is_there.astype(np.int64)[None]}

    def example(self) -> Int64[np.ndarray, " n"]:
        return np.array([self._tokenizer.get_vocab_size() - 1], np.int64)


def split_phrases(text: str) -> list[str]:
    """Phrases of a prompt, in their order, each once; blanks and empty ones are left out."""
    phrases = (" ".join(part.split()) for part in text.split(","))
    return list(dict.fromkeys(phrase for phrase in phrases if phrase))
