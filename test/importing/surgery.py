"""Real models exported otherwise on purpose: nodes put before a graph or behind it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Change = Callable[[onnx.ModelProto], None]


def exported_with(source: Path, target: Path, *changes: Change) -> Path:
    """`source` with these changes, written to `target`."""
    model = onnx.load(source)
    for change in changes:
        change(model)
    onnx.save(model, target)
    return target


def swap_colors(model: onnx.ModelProto) -> None:
    """Takes the other colour order."""
    _before(model, "Gather", {"order": np.array([2, 1, 0])}, axis=1)


def scaled_by(factor: float) -> Change:
    """Multiplies pixels by `factor` in the graph."""

    def change(model: onnx.ModelProto) -> None:
        _before(model, "Mul", {"factor": np.array(factor, np.float32)})

    return change


def normalised_inside(mean: Sequence[float], std: Sequence[float]) -> Change:
    """Takes pixels from 0 to 255, and takes off `mean` and `std` (in its own order) itself."""

    def change(model: onnx.ModelProto) -> None:
        # Put before each other: what is named last comes first in the graph.
        _before(model, "Div", {"std": np.array(std, np.float32).reshape(1, 3, 1, 1)})
        _before(model, "Sub", {"mean": np.array(mean, np.float32).reshape(1, 3, 1, 1)})

    return change


def decoded_yolox(model: onnx.ModelProto) -> None:
    """YOLOX with `--decode_in_inference`: cx, cy, w, h in input pixels."""
    nodes = [*_DECODE, ("Concat", ["box_px", "verdict"], "decoded", {"axis": 2})]
    _behind_yolox(model, nodes, ["decoded"])


def yolov8_of_yolox(*, side_px: float) -> Change:
    """YOLOX rewritten as YOLOv8 writes it, its boxes divided by `side_px`."""

    def change(model: onnx.ModelProto) -> None:
        nodes = [
            *_DECODE,
            *_SCORES,
            ("Concat", ["box", "scores"], "rows", {"axis": 2}),
            ("Transpose", ["rows"], "columns", {"perm": [0, 2, 1]}),
        ]
        _behind_yolox(model, nodes, ["columns"], side=np.array(side_px, np.float32))

    return change


def detr_of_yolox(*, side_px: float, by_softmax: bool) -> Change:
    """YOLOX rewritten as DETR's logits and boxes in fractions; by softmax with a no-object class.

    Softmax takes no notice of what is added to all logits of a row, so something is.
    """
    softmax = [
        ("Log", ["known"], "log", {}),
        ("ReduceSum", ["known"], "sum", {"axes": [2]}),
        ("Sub", ["unit", "sum"], "rest", {}),
        ("Max", ["rest", "tiny"], "known_rest", {}),
        ("Log", ["known_rest"], "log_rest", {}),
        ("Concat", ["log", "log_rest"], "log_all", {"axis": 2}),
        ("Add", ["log_all", "offset"], "logits", {}),
    ]
    sigmoid = [
        ("Sub", ["unit", "known"], "rest", {}),
        ("Max", ["rest", "tiny"], "known_rest", {}),
        ("Div", ["known", "known_rest"], "odds", {}),
        ("Log", ["odds"], "logits", {}),
    ]

    def change(model: onnx.ModelProto) -> None:
        _behind_yolox(
            model,
            [
                *_DECODE,
                *_SCORES,
                ("Max", ["scores", "tiny"], "known", {}),
                *(softmax if by_softmax else sigmoid),
                ("Identity", ["box"], "pred_boxes", {}),
            ],
            ["logits", "pred_boxes"],
            side=np.array(side_px, np.float32),
            unit=np.array(1, np.float32),
            tiny=np.array(1e-6, np.float32),
            offset=np.array(1.5, np.float32),
        )

    return change


# Operator, inputs, output and attributes; `raw` is what the network gave.
_DECODE = [
    ("Slice", ["raw", "zero", "two", "axis"], "centre_raw", {}),
    ("Add", ["centre_raw", "cell"], "centre_cells", {}),
    ("Mul", ["centre_cells", "stride"], "centre", {}),
    ("Slice", ["raw", "two", "four", "axis"], "size_raw", {}),
    ("Exp", ["size_raw"], "size_cells", {}),
    ("Mul", ["size_cells", "stride"], "size", {}),
    ("Slice", ["raw", "four", "end", "axis"], "verdict", {}),
    ("Concat", ["centre", "size"], "box_px", {"axis": 2}),
]

# Boxes divided by `side`, and a score for each class.
_SCORES = [
    ("Div", ["box_px", "side"], "box", {}),
    ("Slice", ["verdict", "zero", "one", "axis"], "objectness", {}),
    ("Slice", ["verdict", "one", "end", "axis"], "of_class", {}),
    ("Mul", ["objectness", "of_class"], "scores", {}),
]


def _before(
    model: onnx.ModelProto, operator: str, constants: Mapping[str, np.ndarray], **attributes: int
) -> None:
    """Feed the image through `operator` with `constants` first."""
    name = model.graph.input[0].name
    fed = f"{name}_{operator.lower()}"
    for node in model.graph.node:
        node.input[:] = [fed if used == name else used for used in node.input]
    initializers = [
        numpy_helper.from_array(value, f"{fed}_{key}") for key, value in constants.items()
    ]
    model.graph.initializer.extend(initializers)
    inputs = [name, *(value.name for value in initializers)]
    model.graph.node.insert(0, helper.make_node(operator, inputs, [fed], **attributes))  # pyright: ignore[reportArgumentType]


def _behind_yolox(
    model: onnx.ModelProto,
    nodes: Sequence[tuple[str, list[str], str, dict[str, Any]]],
    outputs: Sequence[str],
    **constants: np.ndarray,
) -> None:
    """Append `nodes`, which begin at `raw`, and give `outputs` instead."""
    output = model.graph.output[0]
    rows = output.type.tensor_type.shape.dim[1].dim_value
    for node in model.graph.node:
        node.output[:] = ["raw" if name == output.name else name for name in node.output]
    cell, stride = _cells(model.graph.input[0].type.tensor_type.shape.dim[2].dim_value)
    assert len(stride) == rows
    constants |= {
        "zero": np.array([0]),
        "one": np.array([1]),
        "two": np.array([2]),
        "four": np.array([4]),
        "end": np.array([2**31]),
        "axis": np.array([2]),
        "cell": cell[None],
        "stride": stride[None, :, None],
    }
    model.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items()
    )
    for operator, used, made, attributes in nodes:
        model.graph.node.append(helper.make_node(operator, used, [made], **attributes))
    del model.graph.output[:]
    shape = [1, None, None]
    model.graph.output.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape) for name in outputs
    )


def _cells(side_px: int) -> tuple[np.ndarray, np.ndarray]:
    cells, strides = [], []
    for stride_px in (8, 16, 32):
        lines, columns = np.mgrid[: side_px // stride_px, : side_px // stride_px]
        cells.append(np.stack([columns.ravel(), lines.ravel()], axis=1))
        strides.append(np.full(lines.size, stride_px))
    return np.concatenate(cells).astype(np.float32), np.concatenate(strides).astype(np.float32)
