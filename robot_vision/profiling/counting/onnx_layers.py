"""Multiplications, parameters and peak memory of an ONNX graph.

Shapes are those of a run: every tensor of the graph is an output once, so that free axes and
computed sizes are known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
from onnx import inliner

from robot_vision.core.errors import BundleError
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.profiling.counting.onnx_macs import Shape, macs_of
from robot_vision.profiling.counting.torch_layers import Layer, Memory

_TOGETHER = 64  # output tensors of one run: all are in memory at once
_SCOPES = "pkg.torch.onnx.name_scopes"
# Types of weights; 64-bit integers are shapes and indices.
_WEIGHTS = {
    getattr(onnx.TensorProto, name)
    for name in ("FLOAT", "FLOAT16", "BFLOAT16", "DOUBLE", "INT8", "UINT8", "INT4", "UINT4")
}


@dataclass(frozen=True, kw_only=True)
class OnnxCost:
    """Nodes that multiply or hold parameters, memory, and operators without a formula."""

    layers: list[Layer]
    memory: Memory
    uncounted: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Sized:
    shape: Shape
    nbytes: int


def onnx_cost(file: Path, inputs: Mapping[str, np.ndarray]) -> OnnxCost:
    """Counts of one run on `inputs`. Raises `BundleError` if the graph cannot be opened."""
    model = onnx.load(file)
    if model.functions:  # of the file itself: their nodes take their place
        model = inliner.inline_local_functions(model)
    graph = model.graph
    held = {one.name: one for one in graph.initializer} | _constants(graph)
    sized = {name: _Sized(shape=tuple(one.dims), nbytes=_bytes(one)) for name, one in held.items()}
    sized |= {name: _Sized(shape=x.shape, nbytes=x.nbytes) for name, x in inputs.items()}
    sized |= _run_sizes(model, inputs)
    weights = {name for name, one in held.items() if one.data_type in _WEIGHTS}
    layers, uncounted, used = [], [], set()
    for node in graph.node:
        shapes = [sized[name].shape if name in sized else None for name in node.input]
        given = [sized[name].shape if name in sized else None for name in node.output]
        macs = macs_of(node, shapes, given)
        if macs is None:
            uncounted.append(node.op_type)
        new = weights & set(node.input) - used
        used |= new
        parameters = sum(int(np.prod(held[name].dims)) for name in new)
        if macs or parameters:
            layers.append(
                Layer(name=_name(node), kind=node.op_type, parameters=parameters, macs=macs or 0)
            )
    memory = Memory(
        weights=sum(_bytes(one) for one in held.values()),
        activations=sum(
            sized[name].nbytes for name in _made(graph) if name in sized and name not in held
        ),
        peak_activations=_peak(graph, sized),
    )
    return OnnxCost(layers=layers, memory=memory, uncounted=tuple(dict.fromkeys(uncounted)))


def _run_sizes(model: onnx.ModelProto, inputs: Mapping[str, np.ndarray]) -> dict[str, _Sized]:
    """Sizes of all tensors between nodes, from runs without fusion."""
    asked = onnx.ModelProto()
    asked.CopyFrom(model)
    outputs = {one.name for one in asked.graph.output}
    names = [name for name in _made(asked.graph) if name]
    asked.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in outputs
    )
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    sized: dict[str, _Sized] = {}
    with TemporaryDirectory(prefix="robot_vision-shapes-") as folder:
        file = Path(folder) / "shapes.onnx"
        try:
            onnx.save(asked, file)
        except ValueError as error:  # protocol buffers are limited to 2 GB
            raise BundleError(f"the graph is too large to be counted: {error}") from error
        session = open_onnx(file, options)
        for start in range(0, len(names), _TOGETHER):
            part = names[start : start + _TOGETHER]
            for name, value in zip(part, session.run(part, dict(inputs)), strict=True):
                if isinstance(value, np.ndarray):
                    sized[name] = _Sized(shape=value.shape, nbytes=value.nbytes)
    return sized


def _constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Tensors that the file holds in nodes: weights, where an exporter writes no initialisers."""
    return {
        node.output[0]: one.t
        for node in graph.node
        for one in node.attribute
        if node.op_type == "Constant" and one.name == "value"
    }


def _made(graph: onnx.GraphProto) -> Iterator[str]:
    return (name for node in graph.node for name in node.output if name)


def _peak(graph: onnx.GraphProto, sized: Mapping[str, _Sized]) -> int:
    """Peak bytes if each tensor is freed after its last use, in the file's order."""
    last = {name: row for row, node in enumerate(graph.node) for name in node.input}
    last |= {one.name: len(graph.node) for one in graph.output}
    alive: dict[str, int] = {}
    peak = 0
    for row, node in enumerate(graph.node):
        if node.op_type != "Constant":  # which are weights
            alive |= {name: sized[name].nbytes for name in node.output if name in sized}
        peak = max(peak, sum(alive.values()))
        alive = {name: size for name, size in alive.items() if last.get(name, -1) > row}
    return peak


def _name(node: onnx.NodeProto) -> str:
    """The module that it came from, if the exporter recorded it."""
    for one in node.metadata_props:
        if one.key == _SCOPES:
            scopes = [part.strip(" '\"") for part in one.value.strip("[]").split(",")]
            named = [scope for scope in scopes if scope and not scope.startswith(node.op_type)]
            return f"{named[-2] if len(named) > 1 else ''} ({node.name})".strip()
    return node.name or (node.output[0] if node.output else node.op_type)


def _bytes(tensor: onnx.TensorProto) -> int:
    bits = 4 if tensor.data_type in (onnx.TensorProto.INT4, onnx.TensorProto.UINT4) else 0
    count = int(np.prod(tensor.dims))
    if bits:
        return (count * bits + 7) // 8
    return count * onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
