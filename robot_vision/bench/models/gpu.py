"""A model on a CUDA GPU: latency of one frame, throughput of batches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor, nn

from robot_vision.core.errors import DeviceError
from robot_vision.models.card import Graph, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import fresh_graph

WARM_UP_RUNS = 20
CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class GpuTime:
    """Milliseconds of one run on the GPU, by its own clock."""

    precision: str
    graph: bool
    batch: int
    p50_ms: float
    p95_ms: float

    @property
    def frames_per_s(self) -> float:
        return 1000 * self.batch / self.p50_ms


def measure_gpu(
    architecture: str, *, width_px: int, height_px: int, batches: list[int], runs: int
) -> list[GpuTime]:
    """Time FP32 and FP16, launched kernel by kernel and as one CUDA graph, in eager torch.

    Inputs are already on the GPU. Raises `DeviceError` without one. FP16 is by autocast, with
    boxes and depth in FP32 as in training; weight values do not affect the time.
    """
    if not torch.cuda.is_available():
        raise DeviceError("device 'cuda' cannot run: torch finds no CUDA device; available: cpu")
    torch.backends.cudnn.benchmark = True
    size = Size(width_px=width_px, height_px=height_px)
    graph = fresh_graph(MODELS.get(architecture), size, classes=CLASSES)
    served = graph.module.cuda()
    times = []
    for batch in batches:
        inputs = _inputs(graph, batch)
        for half in (False, True):
            run = _forward(served, inputs, half=half)
            for captured in (False, True):
                sample_ms = _time(_captured(run) if captured else run, runs)
                times.append(
                    GpuTime(
                        precision="fp16" if half else "fp32",
                        graph=captured,
                        batch=batch,
                        p50_ms=float(np.percentile(sample_ms, 50)),
                        p95_ms=float(np.percentile(sample_ms, 95)),
                    )
                )
    return times


def describe_card() -> str:
    """torch's version and the GPU it uses."""
    return f"torch {torch.__version__}, {torch.cuda.get_device_name()}"


def _inputs(graph: Graph, batch: int) -> list[Shaped[Tensor, "batch ..."]]:
    """The first sample of the graph's example, repeated, on the GPU."""
    example = [tensor[:1].cuda() for tensor in graph.example.values()]
    return [tensor.repeat(batch, *[1] * (tensor.ndim - 1)) for tensor in example]


def _forward(
    served: nn.Module, inputs: list[Shaped[Tensor, "batch ..."]], *, half: bool
) -> Callable[[], object]:
    def run() -> object:
        with torch.inference_mode(), torch.autocast("cuda", torch.float16, enabled=half):
            return served(*inputs)

    return run


def _captured(run: Callable[[], object]) -> Callable[[], object]:
    """All kernels of a run as one CUDA graph, replayed without Python between them."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def _time(run: Callable[[], object], runs: int) -> list[float]:
    for _ in range(WARM_UP_RUNS):
        run()
    times_ms = []
    for _ in range(runs):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times_ms.append(start.elapsed_time(end))
    return times_ms
