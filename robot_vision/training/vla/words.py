"""A backbone's own words for the service: its tokenizer, and its table of words as ONNX.

They form a sentence encoder for `policies.sentences`: the node encodes the instruction
once, and the policy's network begins at the table's rows.
"""

import shutil
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float32
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.disk import writing_to
from robot_vision.models.vla.adapter import VlmAdapter
from robot_vision.training.demonstrations.sentences.folder import MOST_NETWORK_BYTES, TOKENIZER

_OPSET = 18
_ROWS = 8192
_NETWORK = "model.onnx"


def write_words(adapter: VlmAdapter, folder: Path, out: Path) -> Path:
    """`out` with the tokenizer of `folder` and the backbone's table; returns it.

    Raises `ConfigError` without a tokenizer.json, or if the table is too large.
    """
    tokenizer = folder / TOKENIZER
    if not tokenizer.is_file():
        raise ConfigError(
            f"{folder} has no {TOKENIZER}: save the tokenizer with "
            "`AutoTokenizer.from_pretrained(…).save_pretrained(folder)` of transformers"
        )
    table = table_of(adapter.word_embedding)
    if table.nbytes > MOST_NETWORK_BYTES // 2:
        table = table.astype(np.float16)
    if table.nbytes > MOST_NETWORK_BYTES:
        raise ConfigError(
            f"the table of words has {len(table)} rows of {table.shape[1]} numbers, "
            f"{table.nbytes / 2**20:.0f} MiB in 16 bits; expected "
            f"{MOST_NETWORK_BYTES / 2**20:.0f} at most"
        )
    with writing_to(out):
        out.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(tokenizer, out / TOKENIZER)
        onnx.save(_looked_up(table), out / _NETWORK)
    return out


def table_of(embedding: nn.Module) -> Float32[np.ndarray, "words d"]:
    """A backbone's embedding of each word, with its scaling, f32 [words,d]."""
    weight = next(embedding.parameters())
    numbers = torch.arange(len(weight), device=weight.device)
    with torch.inference_mode():
        rows = [embedding(part[None])[0].float().cpu().numpy() for part in numbers.split(_ROWS)]
    return np.concatenate(rows)


def _looked_up(table: np.ndarray) -> onnx.ModelProto:
    """Rows of a table, f32; masked ones are zero."""
    axes = ["batch", "length"]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("Cast", ["rows"], ["exact"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["masks"]),
        helper.make_node("Mul", ["exact", "masks"], ["last_hidden_state"]),
    ]
    given = [
        helper.make_tensor_value_info(name, TensorProto.INT64, axes)
        for name in ("input_ids", "attention_mask")
    ]
    shape = [*axes, table.shape[1]]
    answer = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, shape)
    held = [
        numpy_helper.from_array(table, "table"),
        numpy_helper.from_array(np.array([-1], np.int64), "last"),
    ]
    graph = helper.make_graph(nodes, "words", given, [answer], initializer=held)
    opsets = [helper.make_opsetid("", _OPSET)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)
