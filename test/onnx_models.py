"""Small real ONNX models for tests: constants, or what they were given."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from robot_vision.core.manifests.manifest import ModelManifest
from robot_vision.model_store.store import Bundle, write_bundle

Shape = Sequence[int | str]


def save_model(
    path: Path,
    *,
    inputs: Mapping[str, tuple[Shape, type]],
    constants: Mapping[str, np.ndarray] | None = None,
    echoes: Mapping[str, str] | None = None,
) -> Path:
    """Write a model whose outputs are `constants` by name and `echoes` (output → input)."""
    constants, echoes = constants or {}, echoes or {}
    nodes = [
        helper.make_node("Constant", [], [name], value=numpy_helper.from_array(value, name))
        for name, value in constants.items()
    ]
    nodes += [helper.make_node("Identity", [source], [name]) for name, source in echoes.items()]
    outputs = [_value(name, value.shape, value.dtype) for name, value in constants.items()]
    outputs += [_value(name, *inputs[source]) for name, source in echoes.items()]
    graph = helper.make_graph(
        nodes, "test", [_value(name, *spec) for name, spec in inputs.items()], outputs
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def make_bundle(
    folder: Path,
    *,
    manifest: Mapping[str, Any],
    constants: Mapping[str, np.ndarray] | None = None,
    echoes: Mapping[str, str] | None = None,
) -> Bundle:
    """A bundle in `folder` whose model takes the manifest's inputs and gives these outputs."""
    described = ModelManifest.model_validate({"name": folder.name, **manifest})
    spec = described.input
    size = (spec.height_px, spec.width_px)
    shape = (spec.batch, 3, *size) if spec.layout == "nchw" else (spec.batch, *size, 3)
    inputs: dict[str, tuple[Shape, type]] = {spec.name: (shape, np.dtype(spec.dtype).type)}
    if spec.depth_name:
        inputs[spec.depth_name] = ((1, 1, *size), np.float32)
    if spec.size_name:
        inputs[spec.size_name] = ((spec.batch, 2), np.int64)
    folder.mkdir(parents=True, exist_ok=True)
    file = save_model(folder / described.file, inputs=inputs, constants=constants, echoes=echoes)
    return write_bundle(folder, described, file)


def _value(name: str, shape: Shape, dtype: Any) -> onnx.ValueInfoProto:
    kind: TensorProto.DataType = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, list(shape))
