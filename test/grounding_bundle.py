"""A small bundle that finds cells of a colour by its name; real graphs, of a vocabulary or of a
tokenizer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sentence_encoders import tokens_of, write_tokenizer

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle

WIDTH_PX, HEIGHT_PX, CELL_PX = 64, 48, 16
PHRASES, TOKENS, WIDTH = 3, 4, 3
WORDS = ("red", "green", "blue", "thing")
CODES = {"red": (1, -1, -1), "green": (-1, 1, -1), "blue": (-1, -1, 1)}


def grounding_bundle(
    folder: Path,
    *,
    with_tokenizer: bool = False,
    width: int = WIDTH,
    size: tuple[int, int] = (WIDTH_PX, HEIGHT_PX),
) -> Path:
    """Boxes are the cells of 16 px; with a tokenizer a phrase has one encoding for all of it."""
    folder.mkdir(parents=True)
    tokens = 1 if with_tokenizer else TOKENS
    _save_model(folder / "model.onnx", tokens, size)
    prompt: dict[str, Any] = {"phrases": PHRASES, "tokens": tokens, "width": width}
    if with_tokenizer:
        write_tokenizer(folder, WORDS)
        _save_pooled_language(folder / "language.onnx")
        prompt |= {"tokenizer": "tokenizer.json", "max_tokens": 8}
    else:
        _save_language(folder / "language.onnx")
        prompt |= {"vocabulary": {"words": WORDS, "max_words": TOKENS}}
    manifest = ModelManifest.model_validate(
        {
            "name": folder.name,
            "task": "grounding",
            "format": "grounding",
            "input": {
                "name": "images",
                "width_px": size[0],
                "height_px": size[1],
                "resize": "stretch",
            },
            "prompt": prompt,
            "score_threshold": 0.5,
        }
    )
    return write_bundle(folder, manifest, folder / "model.onnx").path


def picture(cells: Mapping[tuple[int, int], Sequence[int]]) -> np.ndarray:
    """A black picture whose cells (row, column) have these colours."""
    rgb = np.zeros((HEIGHT_PX, WIDTH_PX, 3), np.uint8)
    for (row, column), color in cells.items():
        rgb[_slice(row), _slice(column)] = color
    return rgb


def box_of(row: int, column: int) -> list[int]:
    """The corners of a cell."""
    left, top = column * CELL_PX, row * CELL_PX
    return [left, top, left + CELL_PX, top + CELL_PX]


def _slice(number: int) -> slice:
    return slice(number * CELL_PX, (number + 1) * CELL_PX)


def _save_model(file: Path, tokens: int, size: tuple[int, int]) -> None:
    """A cell's colour times the sum of a phrase's encodings."""
    columns, rows = (side // CELL_PX for side in size)
    boxes = np.array([[box_of(r, c) for r in range(rows) for c in range(columns)]], np.float32)
    constants = {
        "boxes": boxes,
        "flat": np.array([1, 3, -1], np.int64),
        "last": np.array([-1], np.int64),
        "third": np.array([2], np.int64),
        "least": np.array([0.6], np.float32),
        "steep": np.array([20], np.float32),
    }
    cell = [CELL_PX, CELL_PX]
    nodes = [
        helper.make_node("AveragePool", ["images"], ["mean"], kernel_shape=cell, strides=cell),
        helper.make_node("Reshape", ["mean", "flat"], ["columns"]),
        helper.make_node("Transpose", ["columns"], ["cells"], perm=[0, 2, 1]),
        helper.make_node("Cast", ["prompt_mask"], ["present"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["present", "last"], ["weight"]),
        helper.make_node("Mul", ["prompt", "weight"], ["shown"]),
        helper.make_node("ReduceSum", ["shown", "third"], ["phrase"], keepdims=0),
        helper.make_node("Transpose", ["phrase"], ["phrases"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["cells", "phrases"], ["alike"]),
        helper.make_node("Sub", ["alike", "least"], ["above"]),
        helper.make_node("Mul", ["above", "steep"], ["logits"]),
        helper.make_node("Sigmoid", ["logits"], ["scores"]),
        helper.make_node("Identity", ["boxes"], ["boxes_xyxy"]),
    ]
    asked = [1, PHRASES, tokens]
    inputs = [
        helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, *size[::-1]]),
        helper.make_tensor_value_info("prompt", TensorProto.FLOAT, [*asked, WIDTH]),
        helper.make_tensor_value_info("prompt_mask", TensorProto.BOOL, asked),
    ]
    count = rows * columns
    outputs = {"boxes_xyxy": [1, count, 4], "scores": [1, count, PHRASES]}
    _save(file, nodes, inputs, outputs, constants)


def _save_language(file: Path) -> None:
    """An encoding a token; that of padding is nothing."""
    table = np.array([(0, 0, 0), *(CODES.get(word, (0, 0, 0)) for word in WORDS)], np.float32)
    nodes = [helper.make_node("Gather", ["table", "tokens"], ["encodings"])]
    inputs = [helper.make_tensor_value_info("tokens", TensorProto.INT64, [1, TOKENS])]
    _save(file, nodes, inputs, {"encodings": [1, TOKENS, WIDTH]}, {"table": table})


def _save_pooled_language(file: Path) -> None:
    """One encoding a phrase: the sum of its tokens'."""
    rows = [CODES.get(token, (0, 0, 0)) for token in tokens_of(WORDS)]
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["looked_up"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weight"]),
        helper.make_node("Mul", ["looked_up", "weight"], ["shown"]),
        helper.make_node("ReduceSum", ["shown", "second"], ["pooled"], keepdims=0),
    ]
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, [1, 8])
        for name in ("input_ids", "attention_mask")
    ]
    constants = {
        "table": np.array(rows, np.float32),
        "last": np.array([-1], np.int64),
        "second": np.array([1], np.int64),
    }
    _save(file, nodes, inputs, {"pooled": [1, WIDTH]}, constants)


def _save(
    file: Path,
    nodes: list[Any],
    inputs: list[Any],
    outputs: Mapping[str, Sequence[int]],
    constants: Mapping[str, np.ndarray],
) -> None:
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in outputs.items()
    ]
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "grounds", inputs, values, kept)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, file)
