"""Time by operator, from the engines' own profilers, with a trace of every call."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.profiler import ProfilerActivity, profile

from robot_vision.backends.onnx_session import session_options
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.profiling.engines import on_device
from robot_vision.profiling.targets import Network
from robot_vision.profiling.trace_file import write_trace


@dataclass(frozen=True, kw_only=True)
class Operator:
    """A kind of operator: calls and milliseconds in one run, and its share of all operators."""

    kind: str
    calls: float
    ms: float
    share: float


def onnx_operators(
    network: Network, *, threads: int, runs: int, trace: Path | None
) -> list[Operator]:
    """Operators of ONNX Runtime on the CPU in its optimised graph, slowest first."""
    assert network.file is not None
    options = session_options(threads)
    options.enable_profiling = True
    with TemporaryDirectory(prefix="robot_vision-profile-") as folder:
        options.profile_file_prefix = str(Path(folder) / "onnx")
        session = open_onnx(network.file, options)
        inputs = dict(network.inputs)
        for _ in range(runs + 1):
            session.run(None, inputs)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    starts = [event["ts"] for event in events if event["name"] == "model_run"]
    counted = [event for event in events if event["ts"] >= starts[1]]  # the first run warms up
    kernels = [e for e in counted if e.get("cat") == "Node" and "op_name" in e.get("args", {})]
    kernels = [event for event in kernels if event["name"].endswith("_kernel_time")]
    if trace is not None:
        process = counted[0]["pid"]
        write_trace(trace, counted, names={process: f"{network.name}, ONNX Runtime"})
    return _ranked(((e["args"]["op_name"], e["dur"] / 1000) for e in kernels), runs)


def torch_operators(
    network: Network, *, runs: int, trace: Path | None, device: str = "cpu"
) -> list[Operator]:
    """Operators of torch, each without the ones it calls, slowest first."""
    assert network.module is not None
    module = on_device(network.module, device)
    inputs = [torch.from_numpy(value).to(device) for value in network.inputs.values()]
    activities = [ProfilerActivity.CPU]
    if device == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.inference_mode():
        module(*inputs)
        with profile(activities=activities) as profiled:
            for _ in range(runs):
                module(*inputs)
    if trace is not None:
        trace.parent.mkdir(parents=True, exist_ok=True)
        profiled.export_chrome_trace(str(trace))
    return _ranked(_self_times(profiled.key_averages(), device), runs)


def _self_times(averages: Iterable[Any], device: str) -> Iterable[tuple[str, float]]:
    for event in averages:
        us = event.self_device_time_total if device == "cuda" else event.self_cpu_time_total
        for _ in range(event.count):
            yield event.key, us / event.count / 1000


def _ranked(calls: Iterable[tuple[str, float]], runs: int) -> list[Operator]:
    ms: Mapping[str, list[float]] = defaultdict(list)
    for kind, spent_ms in calls:
        ms[kind].append(spent_ms)
    total = sum(map(sum, ms.values())) or 1.0
    found = [
        Operator(
            kind=kind,
            calls=len(spent) / runs,
            ms=float(np.sum(spent)) / runs,
            share=float(np.sum(spent)) / total,
        )
        for kind, spent in ms.items()
    ]
    return sorted(found, key=lambda one: one.ms, reverse=True)
