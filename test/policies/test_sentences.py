"""A frozen encoder of sentences: tokens and their encodings, and what does not belong together."""

import json
from pathlib import Path

import numpy as np
import pytest
from sentence_encoders import (
    WIDTH,
    WORDS,
    table_of,
    tokens_of,
    write_onnx_encoder,
    write_tokenizer,
)

from robot_vision.core.errors import BundleError
from robot_vision.policies.language.sentences import SentenceEncoder


def opened(folder: Path, *, max_tokens: int = 8) -> SentenceEncoder:
    return SentenceEncoder(folder / "model.onnx", folder / "tokenizer.json", max_tokens=max_tokens)


def test_each_token_has_its_encoding(tmp_path: Path) -> None:
    encoder = opened(write_onnx_encoder(tmp_path))
    found = encoder.encode("Pick the RED cubes")
    names = [tokens_of()[token] for token in found.tokens]
    assert names == ["[CLS]", "pick", "the", "red", "cube", "##s", "[SEP]"]
    assert found.encoding == pytest.approx(table_of()[found.tokens] + 0.7, abs=1e-6)
    assert (found.unknown_words, encoder.width) == ((), WIDTH)


def test_unknown_words_are_named_and_punctuation_is_none(tmp_path: Path) -> None:
    encoder = opened(write_onnx_encoder(tmp_path))
    assert encoder.encode("the zebra, red zebra").unknown_words == ("zebra",)
    for nothing in ("", "  ", "?!"):
        found = encoder.encode(nothing)
        assert found.encoding.shape == (0, WIDTH)


def test_what_is_too_long_is_refused(tmp_path: Path) -> None:
    encoder = opened(write_onnx_encoder(tmp_path), max_tokens=4)
    with pytest.raises(ValueError, match="6 tokens in 'pick the red cube'; expected at most 4"):
        encoder.encode("pick the red cube")
    with pytest.raises(ValueError, match="3000 characters; expected at most 2000"):
        encoder.encode("go " * 1000)


def test_what_the_tokenizer_says_of_length_is_not_obeyed(tmp_path: Path) -> None:
    folder = write_onnx_encoder(tmp_path)
    said = json.loads((folder / "tokenizer.json").read_text())
    said["truncation"] = {
        "max_length": 3,
        "strategy": "LongestFirst",
        "stride": 0,
        "direction": "Right",
    }
    (folder / "tokenizer.json").write_text(json.dumps(said))
    assert len(opened(folder).encode("pick the red cube").tokens) == 6


def test_a_tokenizer_of_another_encoder_is_refused(tmp_path: Path) -> None:
    folder = write_onnx_encoder(tmp_path)
    write_tokenizer(folder, (*WORDS, "zebra"))
    with pytest.raises(BundleError, match="the last of the 15 tokens"):
        opened(folder)


def test_input_that_is_not_an_encoder_of_tokens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match=r"outputs 'sentence'.*expected last_hidden_state"):
        opened(write_onnx_encoder(tmp_path / "pooled", output="sentence"))
    folder = write_onnx_encoder(tmp_path / "broken")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(BundleError, match=r"is not a readable tokenizer\.json"):
        opened(folder)
    (folder / "tokenizer.json").unlink()
    with pytest.raises(BundleError, match="cannot read"):
        opened(folder)
    folder = write_onnx_encoder(tmp_path / "nan")
    network = (folder / "model.onnx").read_bytes()
    last = table_of()[-1].tobytes()
    broken = network.replace(last, np.full(WIDTH, np.nan, np.float32).tobytes())
    (folder / "model.onnx").write_bytes(broken)
    with pytest.raises(BundleError, match="expected finite numbers"):
        opened(folder)
