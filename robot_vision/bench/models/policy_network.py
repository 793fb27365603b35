"""The cost of a policy's network: time from inputs to a chunk, and memory."""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import psutil

from robot_vision.core.errors import BundleError
from robot_vision.machine import describe_machine
from robot_vision.model_store.policies import PolicyBundle
from robot_vision.policies.engines import PolicyNetwork, open_served

_DTYPES = {"tensor(uint8)": np.uint8, "tensor(bool)": np.bool_, "tensor(float)": np.float32}


@dataclass(frozen=True, kw_only=True)
class NetworkCost:
    """Cost of one network, batch 1; memory is the growth of this process, loaded and warm."""

    provider: str
    file_mib: float
    load_s: float
    first_ms: float
    p50_ms: float
    p95_ms: float
    memory_mib: float
    cuda_mib: float | None


def bench_network(bundle: PolicyBundle, *, runs: int, threads: int) -> dict[str, Any]:
    """Measure it; results as JSON with the machine."""
    cost = measure_network(bundle.network_path, runs=runs, threads=threads)
    return {
        "bench": "policy network",
        "machine": describe_machine(),
        "policy": bundle.manifest.policy_id,
        "threads": threads,
        "runs": runs,
        **{name: _rounded(value) for name, value in vars(cost).items()},
    }


def measure_network(file: Path, *, runs: int, threads: int) -> NetworkCost:
    """Run it on noise with the shape of real text and pictures."""
    before_mib, begin_s = _memory_mib(), perf_counter()
    network = open_served(file, threads=threads)
    load_s, inputs = perf_counter() - begin_s, _noise(network, file)
    times_ms = np.array([_run_ms(network, inputs) for _ in range(runs + 1)])
    provider = getattr(network, "provider", "onnx-cpu")
    return NetworkCost(
        provider=provider,
        file_mib=file.stat().st_size / 2**20,
        load_s=load_s,
        first_ms=float(times_ms[0]),
        p50_ms=float(np.percentile(times_ms[1:], 50)),
        p95_ms=float(np.percentile(times_ms[1:], 95)),
        memory_mib=_memory_mib() - before_mib,
        cuda_mib=_cuda_mib() if provider.endswith("cuda") else None,
    )


def _noise(network: PolicyNetwork, file: Path) -> dict[str, np.ndarray]:
    """Noise for every possible input."""
    rng, found = np.random.default_rng(0), dict[str, np.ndarray]()
    for each in network.get_inputs():
        if each.type not in _DTYPES or not all(isinstance(size, int) for size in each.shape):
            raise BundleError(f"{file} takes {each.name} as {each.type} {each.shape}")
        high = 255 if each.type == "tensor(uint8)" else 1
        found[each.name] = (high * rng.random(each.shape) + 0.5).astype(_DTYPES[each.type])
    return found


def _run_ms(network: PolicyNetwork, inputs: dict[str, np.ndarray]) -> float:
    begin_s = perf_counter()
    network.run(None, inputs)
    return 1e3 * (perf_counter() - begin_s)


def _memory_mib() -> float:
    return psutil.Process().memory_info().rss / 2**20


def _cuda_mib() -> float:
    import torch

    return torch.cuda.max_memory_allocated() / 2**20


def _rounded(value: float | str | None) -> float | str | None:
    return round(value, 2) if isinstance(value, float) else value
