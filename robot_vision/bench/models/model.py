"""Savings of one exported encoder: ONNX Runtime against torch, and against three separate nets."""

from dataclasses import dataclass

import numpy as np
import torch

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.bench.models.separate_nets import SeparateNets
from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import fresh_graph


@dataclass(frozen=True, kw_only=True)
class ModelTimes:
    """Medians of batch 1, in milliseconds, of one interleaved measurement."""

    onnx_ms: float
    torch_ms: float
    separate_nets_ms: float

    @property
    def against_torch(self) -> float:
        return self.torch_ms / self.onnx_ms

    @property
    def against_separate_nets(self) -> float:
        return self.separate_nets_ms / self.onnx_ms


def measure_model(bundle: Bundle, *, threads: int, rounds: int) -> ModelTimes:
    """Time the bundle on the CPU, its architecture in eager torch, and the separate nets.

    Blocks of a few runs are interleaved, so that other load affects all alike.
    """
    torch.set_num_threads(threads)
    manifest = bundle.manifest
    inputs = blank_inputs(manifest)
    backend = load_backend(bundle, device="cpu", threads=threads)
    graph = fresh_graph(
        MODELS.get(manifest.architecture),
        Size(width_px=manifest.input.width_px, height_px=manifest.input.height_px),
        classes=len(manifest.classes),
    )
    tensors = [torch.from_numpy(inputs[name]) for name in graph.example]
    separate = SeparateNets().eval()
    image = separate.example_input()
    with torch.inference_mode():
        times_ms = take_turns_ms(
            [lambda: backend.run(inputs), lambda: graph.module(*tensors), lambda: separate(image)],
            rounds=rounds,
        )
    backend.close()
    onnx_ms, torch_ms, separate_ms = (float(np.median(each)) for each in times_ms)
    return ModelTimes(onnx_ms=onnx_ms, torch_ms=torch_ms, separate_nets_ms=separate_ms)
