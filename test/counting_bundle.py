"""A feature model that counts: its features are how many frames it has seen since it began."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import write_bundle

_CELLS = (1, 2, 3, 4)


def make_counting_bundle(folder: Path, *, step: float = 1.0, **changes: Any) -> Path:
    """`counted` [1,1] comes back as `count`, `step` more; `changes` are of the input."""
    folder.mkdir(parents=True, exist_ok=True)
    image = {
        "name": "rgb",
        "width_px": 64,
        "height_px": 48,
        "resize": "stretch",
        "carried": [{"input": "counted", "output": "count", "shape": [1]}],
    }
    manifest = ModelManifest.model_validate(
        {
            "name": folder.name,
            "task": "features",
            "format": "features",
            "outputs": {"features": "features"},
            "input": image | changes,
        }
    )
    file = folder / manifest.file
    onnx.save(_model(step), str(file))
    return write_bundle(folder, manifest, file).path


def _model(step: float) -> onnx.ModelProto:
    zeros = np.zeros(_CELLS, np.float32)
    nodes = [
        _constant("step", np.array([[step]], np.float32)),
        _constant("cells", zeros),
        _constant("most", np.array([[1e6]], np.float32)),
        helper.make_node("Add", ["counted", "step"], ["count"]),
        helper.make_node("Min", ["count", "most"], ["shown"]),
        helper.make_node("Add", ["shown", "cells"], ["features"]),
    ]
    floats = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "counting",
        [
            helper.make_tensor_value_info("rgb", floats, [1, 3, 48, 64]),
            helper.make_tensor_value_info("counted", floats, [1, 1]),
        ],
        [
            helper.make_tensor_value_info("features", floats, list(_CELLS)),
            helper.make_tensor_value_info("count", floats, [1, 1]),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _constant(name: str, value: np.ndarray) -> onnx.NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))
