"""The two ONNX graphs of a pair in sessions of ONNX Runtime."""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnxruntime as ort

from robot_vision.core.errors import BundleError, DeviceError
from robot_vision.model_store.onnx_open import CPU, open_onnx
from robot_vision.segment.pair import Graph

_CUDA = "CUDAExecutionProvider"
_DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int32)": "int32",
    "tensor(int64)": "int64",
}


class RunningGraph:
    """One ONNX file, open: arrays in, arrays out, by name.

    `device` is cpu, cuda or auto (CUDA if available). Raises `BundleError` for a file
    that cannot be run, `DeviceError` if the device is not available.
    """

    def __init__(self, file: Path, *, device: str = "cpu", threads: int = 1) -> None:
        self.file = file
        self._session = _session(file, device=device, threads=threads)
        self.provider = "cuda" if self._session.get_providers()[0] == _CUDA else "cpu"
        self.graph = Graph(
            inputs={tensor.name: _shape(tensor) for tensor in self._session.get_inputs()},
            dtypes={t.name: _dtype(t) for t in self._session.get_inputs()},
            outputs={tensor.name: _shape(tensor) for tensor in self._session.get_outputs()},
        )

    def run(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs by name; raises `BundleError` if the graph fails on these inputs."""
        names = list(self.graph.outputs)
        try:
            values = self._session.run(names, dict(inputs))
        except Exception as error:  # ONNX Runtime's exceptions share no base but this
            shapes = ", ".join(f"{name} {list(array.shape)}" for name, array in inputs.items())
            raise BundleError(f"{self.file} fails on {shapes}: {error}") from error
        return dict(zip(names, map(np.asarray, values), strict=True))


def _session(file: Path, *, device: str, threads: int) -> ort.InferenceSession:
    has_cuda = _CUDA in ort.get_available_providers()
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(f"unknown device {device!r}; expected auto, cpu or cuda")
    if device == "cuda" and not has_cuda:
        raise DeviceError(f"device 'cuda': this build of ONNX Runtime has no {_CUDA}")
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or len(os.sched_getaffinity(0))
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Runs only now and then, and the pipeline needs these cores: never polls for work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted = [_CUDA, CPU] if has_cuda and device != "cpu" else [CPU]
    session = open_onnx(file, options, providers=wanted)
    if device == "cuda" and session.get_providers()[0] != _CUDA:
        raise DeviceError(f"device 'cuda': ONNX Runtime fell back to the CPU for {file}")
    return session


def _dtype(tensor: ort.NodeArg) -> str:
    kind = str(tensor.type)
    return _DTYPES.get(kind, kind)


def _shape(tensor: ort.NodeArg) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) else None for size in tensor.shape)
