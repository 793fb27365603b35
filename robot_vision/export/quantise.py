"""Reduced precision: FP16 for GPUs, INT8 by static quantisation (QDQ) where it pays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

from robot_vision.core.errors import ConfigError

# Metric depth and box sides need more than eight bits: if there are convolutions, only they
# are quantised; otherwise matrix products.
_CONVOLUTIONS = ["Conv"]
_PRODUCTS = ["MatMul", "Gemm"]


def to_fp16(file: Path, target: Path) -> Path:
    """Half precision inside; inputs and outputs keep their types."""
    model = onnx.load(file)
    _separate_scales(model.graph)
    onnx.save(convert_float_to_float16(model, keep_io_types=True), target)
    return target


@dataclass(frozen=True, kw_only=True)
class Scheme:
    """How a graph is quantised to INT8. The fast and accurate choice differs by model and machine.

    `operators` are ONNX types, empty for convolutions only, else products; `excluded` are patterns
    of layers that stay unchanged. `ranges` of activations come from calibration, or from
    quantisation-aware training. `opset` 0 is that of the export.
    """

    operators: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    per_channel: bool = True
    activations: Literal["uint8", "int8"] = "uint8"
    ranges: Literal["minmax", "percentile", "entropy", "trained"] = "minmax"
    opset: int = 0


# Of a layer's input, from lowest to highest, by the layer's name in torch.
TrainedRanges = Mapping[str, Sequence[float]]
_METHODS = {
    "minmax": CalibrationMethod.MinMax,
    "trained": CalibrationMethod.MinMax,
    "percentile": CalibrationMethod.Percentile,
    "entropy": CalibrationMethod.Entropy,
}


def to_int8(
    file: Path,
    target: Path,
    calibration: Iterable[Mapping[str, np.ndarray]],
    scheme: Scheme | None = None,
    trained: TrainedRanges | None = None,
) -> Path:
    """Weights and activations in eight bits, ranges from `calibration` and what is `trained`.

    `calibration` holds inputs of the graph by name. If there are trained ranges, layers without
    one stay unchanged.
    """
    scheme, trained = scheme or Scheme(), trained or {}
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    try:
        _at_opset(prepared, scheme.opset)
        model = onnx.load(prepared)
        kinds = {node.op_type for node in model.graph.node}
        quantize_static(
            str(prepared),
            str(target),
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=scheme.per_channel,
            activation_type=QuantType.QInt8 if scheme.activations == "int8" else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=_METHODS[scheme.ranges],
            op_types_to_quantize=list(scheme.operators)
            or (_CONVOLUTIONS if "Conv" in kinds else _PRODUCTS),
            nodes_to_exclude=_excluded(model.graph, scheme.excluded, trained),
            extra_options={"TensorQuantOverrides": _overrides(model.graph, trained)},
        )
    finally:
        prepared.unlink(missing_ok=True)
    return target


def _layers(graph: onnx.GraphProto) -> Iterator[tuple[onnx.NodeProto, str]]:
    """Nodes that multiply by weights, with the weights' names in the graph."""
    constants = {tensor.name for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type in (*_CONVOLUTIONS, *_PRODUCTS) and node.input[1] in constants:
            yield node, node.input[1].removesuffix(".weight")


def _excluded(
    graph: onnx.GraphProto, patterns: Sequence[str], trained: TrainedRanges
) -> list[str]:
    """Names of nodes. A graph names a layer as its torch module does, with a prefix."""
    return [
        node.name
        for node, layer in _layers(graph)
        if any(fnmatchcase(layer, f"*{pattern}") for pattern in patterns)
        or (trained and _trained_range(layer, trained) is None)
    ]


def _overrides(graph: onnx.GraphProto, trained: TrainedRanges) -> dict[str, Any]:
    """Ranges by tensor; the widest if several layers share an input."""
    ranges: dict[str, tuple[float, float]] = {}
    for node, layer in _layers(graph):
        found = _trained_range(layer, trained)
        if found is not None:
            low, high = ranges.get(node.input[0], found)
            ranges[node.input[0]] = (min(low, found[0]), max(high, found[1]))
    return {
        tensor: [{"rmin": np.float32(low), "rmax": np.float32(high)}]
        for tensor, (low, high) in ranges.items()
        if low < high
    }


def _trained_range(layer: str, trained: TrainedRanges) -> tuple[float, float] | None:
    found = next((r for name, r in trained.items() if f".{layer}".endswith(f".{name}")), None)
    return None if found is None else (float(found[0]), float(found[1]))


def _at_opset(file: Path, opset: int) -> None:
    if not opset:
        return
    try:
        model = onnx.version_converter.convert_version(onnx.load(file), opset)
    except Exception as error:  # the converter's exceptions share no base but this
        raise ConfigError(f"the graph cannot be converted to opset {opset}: {error}") from error
    onnx.save(model, file)


class _Reader(CalibrationDataReader):
    def __init__(self, calibration: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._rows: Iterator[Mapping[str, np.ndarray]] = iter(calibration)

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        row = next(self._rows, None)
        return None if row is None else dict(row)


def _separate_scales(graph: onnx.GraphProto) -> None:
    """Give each `Resize` its own scales: the converter names a cast after each use of them."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    resized = [n for n in graph.node if n.op_type == "Resize" and len(n.input) > 2]
    owned: set[str] = set()
    for index, node in enumerate(resized):
        name = node.input[2]
        if name in owned and name in constants:
            own = graph.initializer.add()
            own.CopyFrom(constants[name])
            own.name = node.input[2] = f"{name}_{index}"
        owned.add(name)
