"""A small vision-language model with random weights, as `save_pretrained` writes a real one."""

import json
from collections.abc import Iterable
from pathlib import Path

import torch

from robot_vision.core.files.disk import writing_to
from robot_vision.models.vla.library import transformers
from robot_vision.models.vla.small import small_config
from robot_vision.policies.language.vocabulary import split_words

_UNKNOWN = "<unk>"
# Token numbers that no word has: padding, and a picture's placeholder.
_RESERVED = 2


def write_small(
    folder: Path,
    kind: str,
    texts: Iterable[str],
    *,
    width: int,
    layers: int,
    side_px: int,
    seed: int,
) -> Path:
    """Config, safetensors and a tokenizer that knows the words of `texts`; returns `folder`."""
    words = sorted({word for text in texts for word in split_words(text)})
    vocabulary = {word: number for number, word in enumerate(("<pad>", _UNKNOWN, *words))}
    config = small_config(
        kind, width=width, layers=layers, side_px=side_px, words=len(vocabulary) + _RESERVED
    )
    library = transformers()
    torch.manual_seed(seed)
    model = library.AutoModel.from_config(
        library.AutoConfig.for_model(config.pop("model_type"), **config), dtype=torch.float32
    )
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
        model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(json.dumps(_tokenizer(vocabulary)))
    return folder


def _tokenizer(vocabulary: dict[str, int]) -> dict[str, object]:
    """One token per word, in lower case, in the layout of the package `tokenizers`."""
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": _UNKNOWN},
    }
