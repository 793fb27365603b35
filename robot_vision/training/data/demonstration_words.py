"""The words of demonstrations as tokens: a vocabulary made of what was said."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64

from robot_vision.core.errors import ConfigError
from robot_vision.core.vocabulary import Vocabulary
from robot_vision.policies.language import padded, split_words, tokenise


def vocabulary_of(instructions: Sequence[Sequence[str]]) -> Vocabulary:
    """All words of all wordings of all episodes, in order of the alphabet.

    Which of them are things and which actions is not known, so none is listed as either.
    Raises `ConfigError` where nothing was said in any episode.
    """
    texts = [split_words(text) for wordings in instructions for text in wordings]
    words = sorted({word for text in texts for word in text})
    if not words:
        raise ConfigError(
            "no demonstration has an instruction in words: expected options.observation.words "
            "= none for sets without words"
        )
    longest = max(map(len, texts))
    return Vocabulary(words=tuple(words), things=(), actions=(), max_words=longest)


class SpokenTokens:
    """Tokens i64 [max_words] of each wording of each episode.

    Words that the vocabulary lacks (of held-out sets) are left out; `unknown_words` names them.
    """

    def __init__(self, instructions: Sequence[Sequence[str]], vocabulary: Vocabulary) -> None:
        self._of_episode = list[Int64[np.ndarray, "wordings l"]]()
        self.unknown_words: tuple[str, ...] = ()
        unknown = dict[str, None]()
        for wordings in instructions:
            found = [tokenise(text, vocabulary) for text in wordings or ("",)]
            unknown |= {word: None for each in found for word in each.unknown_words}
            rows = [padded(each.tokens, vocabulary.max_words) for each in found]
            self._of_episode.append(np.stack(rows))
        self.unknown_words = tuple(unknown)

    def first(self, episodes: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, "n l"]:
        """The first wording of each episode."""
        return np.stack([self._of_episode[episode][0] for episode in episodes])

    def any(
        self, episodes: Int64[np.ndarray, " n"], rng: np.random.Generator
    ) -> Int64[np.ndarray, "n l"]:
        """A wording of each, drawn at random."""
        wordings = (self._of_episode[episode] for episode in episodes)
        return np.stack([rows[rng.integers(len(rows))] for rows in wordings])


def check_same_words(travels: Mapping[str, Any], vocabulary: Vocabulary | None) -> None:
    """Raise `ConfigError` where weights of another run know other words: tokens would differ."""
    known = dict(travels.get("vocabulary") or {}).get("words")
    ours = vocabulary.words if vocabulary else ()
    if known is not None and tuple(known) != ours:
        differing = sorted(set(ours) ^ set(known))
        raise ConfigError(
            "run.init_weights: the weights know other words than the episodes have; they "
            f"differ in {', '.join(differing[:6]) or 'their order'}"
        )
