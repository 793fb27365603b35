"""Loads a recipe's sentence encoder and encodes the instructions of demonstrations."""

from dataclasses import dataclass
from pathlib import Path

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.policy_manifest import Sentences
from robot_vision.model_store.bundle_files import copy_external_files, copy_file
from robot_vision.model_store.policies import POLICY_FILE
from robot_vision.models.policies.pointer import LANGUAGE_FILE, NETWORK_FILE
from robot_vision.policies.language.sentences import SentenceEncoder
from robot_vision.training.data.demonstrations.options import DemonstrationOptions
from robot_vision.training.data.demonstrations.words import (
    Instructions,
    Spoken,
    SpokenSentences,
    SpokenTokens,
)
from robot_vision.training.data.judging.travels import (
    DemonstrationTravels,
    TravellingSentences,
)
from robot_vision.training.demonstrations.sentences.folder import (
    TOKENIZER,
    SentenceFolder,
    open_sentence_folder,
)


@dataclass(frozen=True, kw_only=True, eq=False)
class LoadedSentences:
    """An encoder, its origin, and its hash."""

    folder: SentenceFolder
    encoder: SentenceEncoder

    @property
    def travelling(self) -> TravellingSentences:
        """The metadata stored with the weights."""
        return TravellingSentences(
            name=self.folder.name,
            sha256=self.folder.sha256,
            width=self.encoder.width,
            max_tokens=self.encoder.max_tokens,
        )

    def write(self, folder: Path) -> Sentences:
        """Put network and tokenizer into a policy's bundle; returns their manifest entries."""
        network, tokenizer = folder / LANGUAGE_FILE, folder / TOKENIZER
        reserved = (NETWORK_FILE, LANGUAGE_FILE, TOKENIZER, POLICY_FILE)
        copy_external_files(self.folder.network, folder, reserved=reserved)
        copy_file(self.folder.network, network)
        copy_file(self.folder.tokenizer, tokenizer)
        return Sentences(
            name=self.folder.name,
            tokenizer_file=TOKENIZER,
            width=self.encoder.width,
            max_tokens=self.encoder.max_tokens,
        )


def loaded_sentences(options: DemonstrationOptions) -> LoadedSentences | None:
    """None if the observation takes no sentences. Raises `ConfigError` or `BundleError`."""
    if options.observation.words != "sentence":
        return None
    folder = open_sentence_folder(
        options.sentences.folder,
        max_tokens=options.sentences.max_tokens,
        cache_dir=options.cache_dir,
    )
    return LoadedSentences(folder=folder, encoder=folder.encoder())


def check_travelled(travels: DemonstrationTravels, sentences: LoadedSentences | None) -> None:
    """Raise `ConfigError` if the recipe's encoder is no longer the one used in training."""
    learnt = travels.sentences
    if learnt is None or sentences is None or learnt.sha256 == sentences.folder.sha256:
        return
    raise ConfigError(
        f"the policy was trained with the sentence encoder {learnt.name!r} "
        f"({learnt.sha256[:12]}); options.sentences.folder now has another one "
        f"({sentences.folder.sha256[:12]}): another network or another tokenizer. Put the old one "
        "back, or train again"
    )


def spoken_of(
    instructions: Instructions,
    travels: DemonstrationTravels,
    encoder: SentenceEncoder | None,
    *,
    cache_dir: str | Path,
) -> Spoken | None:
    """The instructions as policy inputs; None if it takes no words."""
    if travels.vocabulary is not None:
        return SpokenTokens(instructions, travels.vocabulary)
    if travels.sentences is None:
        return None
    assert encoder is not None
    sha256 = travels.sentences.sha256
    return SpokenSentences(instructions, encoder, sha256=sha256, cache_dir=cache_dir)
