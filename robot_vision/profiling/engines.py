"""Engines that run a network: torch and ONNX Runtime on the CPU and on CUDA, and OpenVINO."""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import nn

from robot_vision.backends.onnx_session import session_options
from robot_vision.backends.openvino_backend import open_openvino
from robot_vision.core.errors import DeviceError, RobotVisionError
from robot_vision.core.files.foreign import brief
from robot_vision.model_store.onnx_open import CPU, open_onnx
from robot_vision.profiling.onnx_inputs import free_batch
from robot_vision.profiling.targets import Network

_CUDA = "CUDAExecutionProvider"
Inputs = Mapping[str, np.ndarray]


@dataclass(frozen=True, kw_only=True, eq=False)
class Engine:
    """`prepared(inputs)` is a synchronous run with the inputs already on the device.

    `may_batch`: inputs may have a larger batch than the network was opened with.
    """

    name: str
    prepared: Callable[[Inputs], Callable[[], object]]
    may_batch: bool


@dataclass(frozen=True, kw_only=True)
class Missing:
    """An engine that was not measured, and the reason."""

    name: str
    why: str


def open_engines(
    network: Network, names: Sequence[str], *, threads: int
) -> tuple[list[Engine], list[Missing]]:
    """The engines of `names` (see `ENGINES`) that run here, and the reasons for the others."""
    opened: list[Engine] = []
    missing: list[Missing] = []
    for name in names:
        try:
            engine = ENGINES[name](network, threads)
            engine.prepared(network.inputs)()
        except Exception as error:  # network and engine decide which error they raise
            is_known = isinstance(error, RobotVisionError)
            why = str(error) if is_known else f"{type(error).__name__}: {error}"
            missing.append(Missing(name=name, why=brief(why)))
        else:
            opened.append(engine)
    return opened, missing


def _torch(network: Network, threads: int, *, device: str) -> Engine:
    module = network.module
    if module is None:
        raise DeviceError("no weights of a registered model: there is only ONNX")
    if device == "cuda" and not torch.cuda.is_available():
        raise DeviceError("torch finds no CUDA device")
    if threads:
        torch.set_num_threads(threads)
    placed = on_device(module, device)

    def prepared(inputs: Inputs) -> Callable[[], object]:
        given = [torch.from_numpy(inputs[name]).to(device) for name in network.inputs]

        def run() -> None:
            with torch.inference_mode():
                placed(*given)
            if device == "cuda":
                torch.cuda.synchronize()

        return run

    return Engine(name=f"torch-{device}", prepared=prepared, may_batch=True)


def _onnx(network: Network, threads: int, *, device: str) -> Engine:
    """ONNX Runtime returns once outputs are in the CPU's memory: it needs no synchronising."""
    file = _file(network)
    providers = [CPU] if device == "cpu" else [_CUDA, CPU]
    if providers[0] not in ort.get_available_providers():
        raise DeviceError(f"this build of ONNX Runtime has no {providers[0]}")
    if device != "cpu" and hasattr(ort, "preload_dlls"):
        ort.preload_dlls()  # finds CUDA's libraries where pip put them
    session = open_onnx(file, session_options(threads), providers=providers)
    if session.get_providers()[0] != providers[0]:
        raise DeviceError(f"ONNX Runtime fell back to {session.get_providers()[0]}; see its log")

    def prepared(inputs: Inputs) -> Callable[[], object]:
        given = dict(inputs)
        return lambda: session.run(None, given)

    return Engine(name=f"onnx-{device}", prepared=prepared, may_batch=free_batch(file))


def _openvino(network: Network, threads: int) -> Engine:
    """Compiled for the shapes of its inputs, as the back-end does."""
    file = _file(network)

    def prepared(inputs: Inputs) -> Callable[[], object]:
        compiled = open_openvino(file, inputs, threads=threads)
        return lambda: compiled.run(inputs)

    return Engine(name="openvino", prepared=prepared, may_batch=free_batch(file))


def on_device(module: nn.Module, device: str) -> nn.Module:
    """The module on the CPU as it is, elsewhere a copy: engines take turns."""
    return module if device == "cpu" else copy.deepcopy(module).to(device)


def _file(network: Network) -> Path:
    if network.file is None:
        raise DeviceError(next(iter(network.notes), "there is no ONNX file"))
    return network.file


ENGINES: Mapping[str, Callable[[Network, int], Engine]] = {
    "torch-cpu": partial(_torch, device="cpu"),
    "onnx-cpu": partial(_onnx, device="cpu"),
    "openvino": _openvino,
    "torch-cuda": partial(_torch, device="cuda"),
    "onnx-cuda": partial(_onnx, device="cuda"),
}


def repeated(inputs: Inputs, batch: int) -> dict[str, Any]:
    """The samples of `inputs`, so many times."""
    return {name: np.repeat(value, batch, axis=0) for name, value in inputs.items()}
