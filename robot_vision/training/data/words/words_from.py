"""What a run of pictures and captions learnt of its words, as a start for a grounding model."""

from collections.abc import Collection

from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.vocabulary import Vocabulary
from robot_vision.models.alignment.picture_text import PictureTextSpec
from robot_vision.models.grounding.region_words import RegionWordsSpec
from robot_vision.models.weights import Weights, load_weights, read_weights
from robot_vision.training.data.words.caption_words import travelled_vocabulary
from robot_vision.training.data.words.initial_words import with_words
from robot_vision.training.engine.run import weights_file

_MODEL, _LANGUAGE = "picture-text", "text.language."
_SHOWN = 6


def begin_words(
    language: nn.Module,
    source: str,
    vocabulary: Vocabulary,
    spec: RegionWordsSpec,
    *,
    meant: Collection[str],
) -> None:
    """Load the encoder of words of the run or bundle `source` into `language`.

    Words keep what they meant, whatever their number is in either vocabulary. Raises
    `ConfigError` where it was never shown a word of `meant`, or is of other sizes.
    """
    weights = read_weights(weights_file(source))
    said = f"options.words_from = {source!r}"
    if weights.model != _MODEL:
        holds = f"holds {weights.model!r}" if weights.model else "does not name its model"
        raise ConfigError(f"{said} {holds}; expected a run or bundle of {_MODEL}")
    _check_sizes(weights, spec, said)
    if "vocabulary" not in weights.travels:
        raise ConfigError(f"{said} reads whole sentences; expected one with a vocabulary")
    known = travelled_vocabulary(weights.travels)
    if unknown := sorted({word for word in vocabulary.words if word in meant} - {*known.words}):
        more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
        raise ConfigError(
            f"{said} has another vocabulary: it was never shown {', '.join(unknown[:_SHOWN])}"
            f"{more}, which options.train_set names; train {_MODEL} on captions of that set"
        )
    tensors = with_words(weights.tensors, weights.travels, vocabulary)
    own = {
        name.removeprefix(_LANGUAGE): tensor
        for name, tensor in tensors.items()
        if name.startswith(_LANGUAGE)
    }
    if fit := str(load_weights(language, own)):
        raise ConfigError(f"{said} has another encoder of words: {fit}")


def _check_sizes(weights: Weights, spec: RegionWordsSpec, said: str) -> None:
    theirs = PictureTextSpec.model_validate(weights.spec)
    pairs = (
        ("dimensions", spec.dimensions, theirs.text_width),
        ("heads", spec.heads, theirs.text_heads),
        ("text_layers", spec.text_layers, theirs.text_layers),
    )
    if wrong := [f"spec.{name} = {wanted}" for name, ours, wanted in pairs if ours != wanted]:
        raise ConfigError(
            f"{said} has an encoder of words of another size: set {', '.join(wrong)}"
        )
