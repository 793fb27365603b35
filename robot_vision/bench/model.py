"""What one exported encoder saves: ONNX Runtime against torch, and against three separate nets."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter, sleep

import numpy as np
import torch

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.bench.separate_nets import SeparateNets
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import fresh_graph

BLOCK_RUNS = 5
# The thread pools of both libraries go on spinning for a while after a run.
SETTLE_S = 0.05


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

    Blocks of a few runs take turns, so that what else the machine does falls on all alike.
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
        onnx_ms, torch_ms, separate_ms = _take_turns(
            [lambda: backend.run(inputs), lambda: graph.module(*tensors), lambda: separate(image)],
            rounds=rounds,
        )
    backend.close()
    return ModelTimes(onnx_ms=onnx_ms, torch_ms=torch_ms, separate_nets_ms=separate_ms)


def _take_turns(runs: list[Callable[[], object]], *, rounds: int) -> list[float]:
    """The median milliseconds of each, over `rounds` blocks after one to warm up."""
    times_ms: list[list[float]] = [[] for _ in runs]
    for round_index in range(rounds + 1):
        for row, run in enumerate(runs):
            sleep(SETTLE_S)
            run()
            for _ in range(BLOCK_RUNS):
                start_s = perf_counter()
                run()
                if round_index > 0:
                    times_ms[row].append((perf_counter() - start_s) * 1e3)
    return [float(np.median(row)) for row in times_ms]
