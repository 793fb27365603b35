"""Small classifiers and segmentation models that know the pictures of the import, in ONNX.

They are linear in what is left of a picture at 4 x 4 cells, fed as torchvision's models are.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_vision.formats.habits import IMAGENET
from robot_vision.importing.trying.pictures import Picture, load_pictures

SIDE_PX, CELLS = 64, 4
QUARTER_PX = SIDE_PX // 4
SURE = 8.0  # logits of what is right

# In the order of their columns.
KNOWN = ("tabby cat", "coffee mug", "woman", "sailboat")
PARTS = ("cat", "cup", "person", "sky")
UNKNOWN = ("weld", "crack", "rust", "paint")

Ending = Literal["logits", "softmax", "sigmoid"]


def fed(picture: Picture) -> np.ndarray:
    """As torchvision's models are fed, f32 [1,3,h,w]."""
    rgb = cv2.resize(picture.rgb, (SIDE_PX, SIDE_PX))
    prepared = (rgb / 255 - IMAGENET["mean"]) / IMAGENET["std"]
    return prepared.transpose(2, 0, 1)[None].astype(np.float32)


def looks(picture: Picture) -> np.ndarray:
    """What is left of a picture: the mean of each cell, and one."""
    cells = fed(picture).reshape(3, CELLS, SIDE_PX // CELLS, CELLS, SIDE_PX // CELLS)
    return np.append(cells.mean(axis=(2, 4)).ravel(), 1.0)


def fitted(answers: np.ndarray) -> np.ndarray:
    """The smallest weights [49, n] that turn looks into these answers [pictures, n]."""
    seen = np.stack([looks(picture) for picture in load_pictures()])
    return (np.linalg.pinv(seen) @ answers).astype(np.float32)


def class_scores(names: Sequence[str], *, before: int = 0, after: int = 0) -> np.ndarray:
    """What is right in each picture, with columns of no class before and behind."""
    scores = np.zeros((len(load_pictures()), before + len(names) + after), np.float32)
    for row, picture in enumerate(load_pictures()):
        for column, name in enumerate(names):
            things = {name for thing in picture.names for name in thing}
            if things & {*name.split(), name} or (name == "coffee mug" and "cup" in things):
                scores[row, before + column] = SURE
    return scores


def label_scores(
    names: Sequence[str], side: int, *, before: int = 0, after: int = 0
) -> np.ndarray:
    """Scores [pictures, columns, side, side]: things in their boxes, else the background."""
    columns = before + len(names) + after
    scores = np.zeros((len(load_pictures()), columns, side, side), np.float32)
    rest = 0 if before else columns - 1
    for row, picture in enumerate(load_pictures()):
        height_px, width_px = picture.rgb.shape[:2]
        scale = np.array([side / width_px, side / height_px] * 2)
        scores[row, rest] = SURE / 2
        for box, called in zip(picture.box_xyxy_px, picture.names, strict=True):
            for column, name in enumerate(names):
                if name in called:
                    left, top, right, bottom = np.round(box * scale).astype(int)
                    scores[row, before + column, top:bottom, left:right] = SURE
    return scores


def classifier(file: Path, scores: np.ndarray, *, ending: Ending = "logits") -> Path:
    """`scores` [pictures, classes], as torchvision and timm export them: [batch, classes]."""
    nodes = _ended("raw", "output", ending, axis=1)
    return _save(file, fitted(scores), nodes, {"output": (TensorProto.FLOAT, scores.shape[1:])})


def segmenter(
    file: Path,
    scores: np.ndarray,
    *,
    ending: Ending | Literal["argmax"] = "logits",
    times: int = 1,
) -> Path:
    """`scores` [pictures, classes, h, w], enlarged and ended as exporters do."""
    columns, height, width = scores.shape[1:]
    nodes = [
        helper.make_node("Reshape", ["raw", "shape"], ["small"]),
        helper.make_node("Resize", ["small", "", "scales"], ["maps"], mode="linear"),
    ]
    constants = {
        "shape": np.array([-1, columns, height, width]),
        "scales": np.array([1, 1, times, times], np.float32),
    }
    size = (times * height, times * width)
    if ending == "argmax":
        nodes.append(helper.make_node("ArgMax", ["maps"], ["output"], axis=1, keepdims=0))
        outputs = {"output": (TensorProto.INT64, size)}
    else:
        nodes += _ended("maps", "output", ending, axis=1)
        outputs = {"output": (TensorProto.FLOAT, (columns, *size))}
    return _save(file, fitted(scores.reshape(len(scores), -1)), nodes, outputs, constants)


def renamed(file: Path, names: dict[str, str], *, also: str = "") -> Path:
    """The file with outputs of other names, and one more of them that is the same."""
    model = onnx.load(file)
    for node in model.graph.node:
        node.output[:] = [names.get(name, name) for name in node.output]
    for value in model.graph.output:
        value.name = names.get(value.name, value.name)
    if also:
        first = model.graph.output[0]
        model.graph.node.append(helper.make_node("Identity", [first.name], [also]))
        shown = model.graph.output.add()
        shown.CopyFrom(first)
        shown.name = also
    onnx.save(model, file)
    return file


def _ended(raw: str, output: str, ending: str, *, axis: int) -> list[onnx.NodeProto]:
    operator = {"logits": "Identity", "softmax": "Softmax", "sigmoid": "Sigmoid"}[ending]
    how = {"axis": axis} if ending == "softmax" else {}
    return [helper.make_node(operator, [raw], [output], **how)]


def _save(
    file: Path,
    weights: np.ndarray,
    nodes: Sequence[onnx.NodeProto],
    outputs: dict[str, tuple[int, tuple[int, ...]]],
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """A graph from `pixel_values` by `raw`, its linear answer, to `outputs`."""
    side = SIDE_PX // CELLS
    constants = {"weights": weights[:-1], "bias": weights[-1]} | (constants or {})
    first = [
        helper.make_node(
            "AveragePool", ["input"], ["cells"], kernel_shape=[side, side], strides=[side, side]
        ),
        helper.make_node("Flatten", ["cells"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights", "bias"], ["raw"]),
    ]
    picture = helper.make_tensor_value_info(
        "input", TensorProto.FLOAT, ["batch", 3, SIDE_PX, SIDE_PX]
    )
    shown = [
        helper.make_tensor_value_info(name, kind, ["batch", *shape])
        for name, (kind, shape) in outputs.items()
    ]
    known = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph([*first, *nodes], "main_graph", [picture], shown, known)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), file)
    return file
