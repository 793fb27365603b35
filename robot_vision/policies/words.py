"""Words in, their encoding out: a policy's closed vocabulary, by the encoder in its bundle."""

import numpy as np

from robot_vision.core.errors import BundleError
from robot_vision.core.types import Instruction
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.language import padded, tokenise
from robot_vision.policies.session import open_policy_session

LANGUAGE_INPUTS = ("tokens",)


class VocabularyEncoder:
    """Raises `BundleError` where a bundle has no vocabulary, or no encoder that can be loaded."""

    def __init__(self, bundle: PolicyBundle) -> None:
        vocabulary, path = bundle.manifest.vocabulary, bundle.language_path
        if vocabulary is None or path is None:
            raise BundleError(f"{bundle.path} has no vocabulary, or no encoder of its words")
        self._vocabulary = vocabulary
        self._language = open_policy_session(path, inputs=LANGUAGE_INPUTS, threads=1)

    @property
    def max_words(self) -> int:
        """Words of the longest instruction."""
        return self._vocabulary.max_words

    def instruct(self, text: str) -> Instruction:
        """Tokens of `text` and their encoding. `problem` is set if they cannot be followed."""
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
