"""The words of demonstrations as inputs: from a vocabulary of them, or from an encoder."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Int64

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.vocabulary import MOST_WORDS, Vocabulary
from robot_vision.policies.language.sentences import SentenceEncoder
from robot_vision.policies.language.vocabulary import padded, split_words, tokenise
from robot_vision.training.data.demonstrations.scenes import Inputs
from robot_vision.training.demonstrations.sentences.cache import encodings_of

Instructions = Sequence[Sequence[str]]


def vocabulary_of(instructions: Instructions) -> Vocabulary:
    """All words of all wordings of all episodes, in alphabetical order.

    Which ones are objects and which are actions is unknown, so none is listed as either.
    Raises `ConfigError` if no episode has an instruction, or if one is too long.
    """
    texts = [split_words(text) for wordings in instructions for text in wordings]
    words = sorted({word for text in texts for word in text})
    if not words:
        raise ConfigError(
            "no demonstration has an instruction of words: expected options.observation.words "
            "= none for sets without words"
        )
    longest = max(texts, key=len)
    if len(longest) > MOST_WORDS:
        raise ConfigError(
            f"an instruction has {len(longest)} words ({quoted(' '.join(longest))}); expected "
            f"{MOST_WORDS} at most: shorten it in the set, or use options.observation.words = "
            "sentence or none"
        )
    return Vocabulary(words=tuple(words), things=(), actions=(), max_words=len(longest))


@runtime_checkable
class Spoken(Protocol):
    """The instructions of episodes, as inputs of a policy by name.

    `unknown_words` are those without an input; `too_long` counts wordings of which only the first
    words are an input: the node holds with them.
    """

    unknown_words: tuple[str, ...]
    too_long: int

    def first(self, episodes: Int64[np.ndarray, " n"]) -> Inputs:
        """The first wording of each episode."""
        ...

    def any(self, episodes: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Inputs:
        """A random wording of each."""
        ...


class SpokenTokens:
    """`tokens` i64 [n,max_words] of each wording of each episode.

    Words missing from the vocabulary (in held-out sets) are left out.
    """

    def __init__(self, instructions: Instructions, vocabulary: Vocabulary) -> None:
        self._of_episode = list[Int64[np.ndarray, "wordings l"]]()
        self.unknown_words: tuple[str, ...] = ()
        self.too_long = 0
        unknown = dict[str, None]()
        for wordings in instructions:
            found = [tokenise(text, vocabulary) for text in wordings or ("",)]
            self.too_long += sum(each.left_out > 0 for each in found)
            unknown |= {word: None for each in found for word in each.unknown_words}
            rows = [padded(each.tokens, vocabulary.max_words) for each in found]
            self._of_episode.append(np.stack(rows))
        self.unknown_words = tuple(unknown)

    def first(self, episodes: Int64[np.ndarray, " n"]) -> Inputs:
        return {"tokens": np.stack([self._of_episode[episode][0] for episode in episodes])}

    def any(self, episodes: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Inputs:
        wordings = (self._of_episode[episode] for episode in episodes)
        return {"tokens": np.stack([rows[rng.integers(len(rows))] for rows in wordings])}


class SpokenSentences:
    """`text` f32 [n,max_tokens,d] and `text_seen` of each wording, by a frozen encoder.

    Raises `ConfigError` for a wording that is too long for it.
    """

    def __init__(
        self,
        instructions: Instructions,
        encoder: SentenceEncoder,
        *,
        sha256: str,
        cache_dir: str | Path,
    ) -> None:
        self._wordings = [wordings or ("",) for wordings in instructions]
        texts = {text for wordings in self._wordings for text in wordings}
        self._encoding = encodings_of(texts, encoder, sha256=sha256, cache_dir=cache_dir)
        unknown = (word for text in sorted(texts) for word in encoder.unknown_words(text))
        self.unknown_words = tuple(dict.fromkeys(unknown))
        self.too_long = 0
        self._shape = encoder.max_tokens, encoder.width

    def first(self, episodes: Int64[np.ndarray, " n"]) -> Inputs:
        return self._inputs([self._wordings[episode][0] for episode in episodes])

    def any(self, episodes: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Inputs:
        wordings = (self._wordings[episode] for episode in episodes)
        return self._inputs([each[rng.integers(len(each))] for each in wordings])

    def _inputs(self, texts: Sequence[str]) -> Inputs:
        text = np.zeros((len(texts), *self._shape), np.float32)
        seen = np.zeros(text.shape[:2], bool)
        for row, said in enumerate(texts):
            encoding = self._encoding[said]
            text[row, : len(encoding)], seen[row, : len(encoding)] = encoding, True
        return {"text": text, "text_seen": seen}


def unsaid(words: Inputs, rows: Bool[np.ndarray, " n"]) -> Inputs:
    """Words as inputs, with some rows without an instruction."""
    (name,) = words.keys() & {"tokens", "text_seen"}
    return {**words, name: np.where(rows[:, None], words[name].dtype.type(0), words[name])}


def check_same_sentences(travels: Mapping[str, Any], sha256: str) -> None:
    """Raise `ConfigError` if the initial weights were trained with another sentence encoder."""
    known = dict(travels.get("sentences") or {}).get("sha256", "")
    if known != sha256:
        raise ConfigError(
            "run.init_weights: the weights were trained with the sentence encoder "
            f"{known[:12] or 'none'}, options.sentences is {sha256[:12] or 'none'}: tokens would "
            "have other meanings"
        )
