"""The native model on a CUDA card: latency of one frame, frames a second of many."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from robot_vision.core.errors import DeviceError
from robot_vision.models.multitask.native import NativeModel, ServedNative
from robot_vision.models.registry import MODELS

WARM_UP_RUNS = 20
CLASSES = 10


@dataclass(frozen=True, kw_only=True)
class GpuTime:
    """Milliseconds of one run on the card, by its own clock."""

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

    Inputs lie on the card already. Raises `DeviceError` without one. FP16 is by autocast, with
    boxes and depth in FP32 as in training; the weights' values do not matter for the time.
    """
    if not torch.cuda.is_available():
        raise DeviceError("device 'cuda' cannot run: torch finds no CUDA device; available: cpu")
    torch.backends.cudnn.benchmark = True
    model = MODELS.get(architecture)(classes=CLASSES)
    assert isinstance(model, NativeModel)
    served = ServedNative(model).eval().cuda()
    times = []
    for batch in batches:
        inputs = _inputs(batch, width_px=width_px, height_px=height_px)
        for half in (False, True):
            run = _forward(served, inputs, half=half)
            for graph in (False, True):
                sample_ms = _time(_captured(run) if graph else run, runs)
                times.append(
                    GpuTime(
                        precision="fp16" if half else "fp32",
                        graph=graph,
                        batch=batch,
                        p50_ms=float(np.percentile(sample_ms, 50)),
                        p95_ms=float(np.percentile(sample_ms, 95)),
                    )
                )
    return times


def describe_card() -> str:
    """torch's version and the card that it uses."""
    return f"torch {torch.__version__}, {torch.cuda.get_device_name()}"


def _inputs(batch: int, *, width_px: int, height_px: int) -> tuple[Tensor, Tensor, Tensor]:
    rgb = torch.randint(0, 256, (batch, height_px, width_px, 3), dtype=torch.uint8, device="cuda")
    depth_m = torch.rand(batch, 1, height_px, width_px, device="cuda") + 0.3
    return rgb, depth_m, torch.full((batch, 1), 360.0, device="cuda")


def _forward(
    served: ServedNative, inputs: tuple[Tensor, Tensor, Tensor], *, half: bool
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
