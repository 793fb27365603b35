"""Runs ONNX models with OpenVINO on the CPU: faster than ONNX Runtime for INT8 models.

`auto` never chooses it: whether it pays depends on the model (docs/profile.md).
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.backends.contract import TensorSpec, blank_inputs, check_inputs, wanted_outputs
from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.model_store.file_kinds import external_files
from robot_vision.model_store.store import Bundle

_DTYPES = {"f32": "float32", "f16": "float16", "f64": "float64", "u8": "uint8", "i32": "int32"}
_DTYPES |= {"i64": "int64", "boolean": "bool"}


class OpenVinoBackend:
    """One ONNX model, compiled for the shapes of its manifest and proven by a run."""

    provider = "openvino"
    fallback_reason = ""

    def __init__(self, bundle: Bundle, *, threads: int) -> None:
        manifest = bundle.manifest
        blank = blank_inputs(manifest)
        model = _read(bundle.model_path)
        check_inputs(manifest, _inputs(model))
        self._network = OpenVinoNetwork(model, blank, threads=threads, what=bundle.model_path)
        self._outputs = wanted_outputs(manifest, self._network.output_names)
        try:
            self.run(blank)
        except RuntimeError as error:
            raise BundleError(f"{bundle.model_path} fails on a blank frame: {error}") from error

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The model's outputs by tensor name."""
        found = self._network.run(inputs)
        return {name: found[name] for name in self._outputs}

    def close(self) -> None:
        """Release the model and its memory."""
        del self._network


class OpenVinoNetwork:
    """A model compiled for inputs of the shapes of `example`; not thread-safe."""

    def __init__(
        self, model: Any, example: Mapping[str, np.ndarray], *, threads: int, what: Path
    ) -> None:
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            # By default it uses BF16 where the processor has it, which shifts boxes by 3 px.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads or len(os.sched_getaffinity(0)),
            "ENABLE_CPU_PINNING": False,
        }
        try:
            model.reshape({name: list(value.shape) for name, value in example.items()})
            self._compiled = _openvino().Core().compile_model(model, "CPU", settings)
        except RuntimeError as error:
            raise BundleError(f"{what}: OpenVINO cannot compile it: {error}") from error
        self._row = {n: row for row, output in enumerate(model.outputs) for n in output.names}
        self._request = self._compiled.create_infer_request()

    @property
    def output_names(self) -> list[str]:
        """Every name of an output: merged ONNX tensors have several."""
        return list(self._row)

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """All outputs by name, in memory owned by the caller."""
        found = self._request.infer(dict(inputs), share_inputs=True).to_tuple()
        return {name: found[row] for name, row in self._row.items()}


def open_openvino(
    file: Path, example: Mapping[str, np.ndarray], *, threads: int
) -> OpenVinoNetwork:
    """Compiles an ONNX file for inputs like `example`; raises `DeviceError` or `BundleError`."""
    return OpenVinoNetwork(_read(file), example, threads=threads, what=file)


def _read(file: Path) -> Any:
    openvino = _openvino()
    external_files(file)
    try:
        return openvino.Core().read_model(file)
    except RuntimeError as error:
        raise BundleError(f"{file} cannot be read by OpenVINO: {error}") from error


def _openvino() -> Any:
    try:
        import openvino
    except ImportError as error:
        raise DeviceError(
            f"device 'openvino' cannot run: {error}; pip install 'robot_vision[openvino]'"
        ) from error
    return openvino


def _inputs(model: Any) -> dict[str, TensorSpec]:
    found = {}
    for tensor in model.inputs:
        shape = tuple(
            side.get_length() if side.is_static else None for side in tensor.partial_shape
        )
        kind = str(tensor.element_type.get_type_name())
        found[tensor.node.friendly_name] = TensorSpec(shape=shape, dtype=_DTYPES.get(kind, kind))
    return found
