"""Smaller numbers: FP16 for GPUs, INT8 by static quantisation (QDQ) for what profits from it."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import onnx
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

# Metric depth and box sides need more than eight bits: where there are convolutions, they alone
# are quantised; else what multiplies matrices.
_CONVOLUTIONS = ["Conv"]
_PRODUCTS = ["MatMul", "Gemm"]


def to_fp16(file: Path, target: Path) -> Path:
    """Half precision inside; inputs and outputs keep their types."""
    model = onnx.load(file)
    _separate_scales(model.graph)
    onnx.save(convert_float_to_float16(model, keep_io_types=True), target)
    return target


def to_int8(file: Path, target: Path, calibration: Iterable[Mapping[str, np.ndarray]]) -> Path:
    """Weights per channel and activations in eight bits, their ranges from `calibration`.

    `calibration` is inputs of the graph by name.
    """
    kinds = {node.op_type for node in onnx.load(file).graph.node}
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(file), str(prepared), skip_symbolic_shape=True)
    try:
        quantize_static(
            str(prepared),
            str(target),
            _Reader(calibration),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            op_types_to_quantize=_CONVOLUTIONS if "Conv" in kinds else _PRODUCTS,
        )
    finally:
        prepared.unlink(missing_ok=True)
    return target


class _Reader(CalibrationDataReader):
    def __init__(self, calibration: Iterable[Mapping[str, np.ndarray]]) -> None:
        self._rows: Iterator[Mapping[str, np.ndarray]] = iter(calibration)

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        row = next(self._rows, None)
        return None if row is None else dict(row)


def _separate_scales(graph: onnx.GraphProto) -> None:
    """Give each `Resize` scales of its own: the converter names a cast after each use of them."""
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
