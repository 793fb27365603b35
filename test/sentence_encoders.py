"""Tiny frozen encoders of sentences for tests: a WordPiece tokenizer, and networks for it."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

WORDS = ("pick", "the", "red", "blue", "cube", "block", "##s", "go", "to", "please")
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
WIDTH = 6


def tokens_of(words: tuple[str, ...] = WORDS) -> tuple[str, ...]:
    """The tokenizer's vocabulary."""
    return (*_SPECIAL, *words)


def write_tokenizer(folder: Path, words: tuple[str, ...] = WORDS) -> None:
    """`tokenizer.json`, as BERT's: lower case, [CLS] before and [SEP] behind."""
    library: Any = pytest.importorskip("tokenizers")
    vocabulary = {token: number for number, token in enumerate(tokens_of(words))}
    piece = library.models.WordPiece(vocabulary, unk_token=_SPECIAL[1])
    tokenizer = library.Tokenizer(piece)
    tokenizer.normalizer = library.normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = library.pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = library.processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, vocabulary[name]) for name in ("[CLS]", "[SEP]")],
    )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))


def table_of(seed: int = 0, words: tuple[str, ...] = WORDS) -> np.ndarray:
    """What the ONNX encoder makes of each token, f32 [tokens,WIDTH]."""
    size = (len(tokens_of(words)), WIDTH)
    return np.random.default_rng(seed).standard_normal(size).astype(np.float32)


def write_onnx_encoder(
    folder: Path, *, seed: int = 0, words: tuple[str, ...] = WORDS, output: str = "tokens"
) -> Path:
    """A table of encodings, and a tenth of how many tokens there are more; of any length.

    `output` "sentence" gives the first token's encoding alone.
    """
    write_tokenizer(folder, words)
    axes = ["batch", "length"]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked_up"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["mask", "last"], ["count"], keepdims=1),
        helper.make_node("Mul", ["count", "tenth"], ["part"]),
        helper.make_node("Unsqueeze", ["part", "last"], ["more"]),
        helper.make_node("Add", ["looked_up", "more"], ["last_hidden_state"]),
    ]
    name, shape = "last_hidden_state", [*axes, WIDTH]
    if output == "sentence":
        nodes.append(helper.make_node("ReduceMean", [name], ["sentence"], axes=[1], keepdims=0))
        name, shape = "sentence", ["batch", WIDTH]
    graph = helper.make_graph(
        nodes,
        "encoder",
        [
            helper.make_tensor_value_info(each, TensorProto.INT64, axes)
            for each in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)],
        initializer=[
            numpy_helper.from_array(table_of(seed, words), "table"),
            numpy_helper.from_array(np.array([-1], np.int64), "last"),
            numpy_helper.from_array(np.array([0.1], np.float32), "tenth"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, folder / "model.onnx")
    return folder
