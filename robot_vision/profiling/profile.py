"""Measures a target on every engine that runs here: the report of `robot-vision profile`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from robot_vision.core.errors import BundleError
from robot_vision.core.files.foreign import brief
from robot_vision.machine import describe_machine
from robot_vision.models.card import Size
from robot_vision.profiling.counting.onnx_layers import onnx_cost
from robot_vision.profiling.counting.torch_layers import Layer, Memory, torch_layers, torch_memory
from robot_vision.profiling.engines import Engine, Missing, open_engines
from robot_vision.profiling.memory import peak_bytes
from robot_vision.profiling.operators import Operator, onnx_operators, torch_operators
from robot_vision.profiling.targets import Network, check_size, open_target
from robot_vision.profiling.times import Latency, Throughput, latencies, throughputs

_PROFILED_RUNS = 10


@dataclass(frozen=True, kw_only=True)
class ProfileOptions:
    """The measurements to make. `batches` are sizes for throughput; empty: none is measured.

    `traces` is a folder for traces of every operator's calls; `peak` starts a process per engine.
    """

    engines: tuple[str, ...]
    threads: int = 0
    runs: int = 100
    batches: tuple[int, ...] = ()
    peak: bool = True
    traces: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Counted:
    """Counts of a network in one form, torch or onnx, without measured time.

    `uncounted` are operators that multiply but have no formula.
    """

    form: str
    parameters: int
    macs: int
    layers: list[Layer]
    memory: Memory
    uncounted: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Timed:
    """An engine's times; `peak_why` is the reason if `peak_bytes` could not be measured.

    Operators are empty for engines without a profiler here.
    """

    engine: str
    latency: Latency
    throughput: list[Throughput] = field(default_factory=list)
    batch_is_free: bool = True
    peak_bytes: int | None = None
    peak_why: str = ""
    operators: list[Operator] = field(default_factory=list)
    trace: str = ""


@dataclass(frozen=True, kw_only=True)
class NetworkProfile:
    """One network of a target."""

    network: str
    inputs: dict[str, str]
    counted: list[Counted]
    timed: list[Timed]
    missing: list[Missing]
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All networks of a target, and the machine that ran them."""

    target: str
    kind: str
    threads: int
    machine: dict[str, str]
    networks: list[NetworkProfile]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def profile(
    name: str,
    options: ProfileOptions,
    *,
    size: Size | None = None,
    spec: Mapping[str, object] | None = None,
    progress: Callable[[str], object] = lambda _: None,
) -> Profile:
    """Profile what `open_target` opens by `name`; `progress` gets a line per step.

    Raises `ConfigError` or `BundleError` if it cannot be opened, or not at that size.
    """
    asked = {"name": name, "spec": dict(spec or {}), "size": asdict(size) if size else None}
    with TemporaryDirectory(prefix="robot_vision-profile-") as folder:
        progress(f"opening {name}")
        target = open_target(name, Path(folder), size=size, spec=spec)
        if size:
            check_size(target, size)
        networks = [_profiled(one, options, asked, progress) for one in target.networks]
    return Profile(
        target=target.name,
        kind=target.kind,
        threads=options.threads,
        machine=describe_machine() | {"torch": torch.__version__},
        networks=networks,
    )


def _profiled(
    network: Network,
    options: ProfileOptions,
    asked: dict[str, Any],
    progress: Callable[[str], object],
) -> NetworkProfile:
    notes = list(network.notes)
    progress(f"{network.name}: counting")
    counted = _counted(network, notes)
    engines, missing = open_engines(network, options.engines, threads=options.threads)
    progress(f"{network.name}: {', '.join(one.name for one in engines) or 'no engine'} by turns")
    found = latencies(engines, network.inputs, runs=options.runs)
    timed = []
    for engine, latency in zip(engines, found, strict=True):
        progress(f"{network.name}: {engine.name}")
        timed.append(_timed(network, engine, latency, options, asked))
    return NetworkProfile(
        network=network.name,
        inputs=network.input_shapes,
        counted=counted,
        timed=timed,
        missing=missing,
        notes=tuple(notes),
    )


def _counted(network: Network, notes: list[str]) -> list[Counted]:
    """Counts in each available form; a form that cannot be counted becomes a note."""
    counted = []
    for form, count in (("torch", _in_torch), ("onnx", _in_onnx)):
        try:
            counted += count(network)
        except Exception as error:  # a network may raise anything for our inputs
            notes.append(f"{form} is not counted: {brief(error)}")
    return counted


def _in_torch(network: Network) -> list[Counted]:
    if network.module is None:
        return []
    inputs = [torch.from_numpy(value) for value in network.inputs.values()]
    layers = torch_layers(network.module, inputs)
    return [_summed("torch", layers, torch_memory(network.module, inputs), ())]


def _in_onnx(network: Network) -> list[Counted]:
    if network.file is None:
        return []
    cost = onnx_cost(network.file, network.inputs)
    return [_summed("onnx", cost.layers, cost.memory, cost.uncounted)]


def _summed(
    form: str, layers: Sequence[Layer], memory: Memory, uncounted: tuple[str, ...]
) -> Counted:
    return Counted(
        form=form,
        parameters=sum(layer.parameters for layer in layers),
        macs=sum(layer.macs for layer in layers),
        layers=list(layers),
        memory=memory,
        uncounted=uncounted,
    )


def _timed(
    network: Network,
    engine: Engine,
    latency: Latency,
    options: ProfileOptions,
    asked: dict[str, Any],
) -> Timed:
    batches = options.batches
    throughput = (
        throughputs(engine, network.inputs, batches, runs=max(options.runs // 5, 5))
        if batches
        else []
    )
    trace = options.traces and options.traces / f"{network.name}-{engine.name}.json"
    operators = _operators(network, engine.name, options.threads, trace)
    peak, why = None, ""
    if options.peak:
        peak, why = _peak(network, engine.name, options.threads, asked)
    return Timed(
        engine=engine.name,
        latency=latency,
        throughput=throughput,
        batch_is_free=engine.may_batch,
        peak_bytes=peak,
        peak_why=why,
        operators=operators,
        trace=str(trace) if trace and operators else "",
    )


def _operators(network: Network, engine: str, threads: int, trace: Path | None) -> list[Operator]:
    if engine.startswith("torch"):
        device = engine.removeprefix("torch-")
        return torch_operators(network, runs=_PROFILED_RUNS, trace=trace, device=device)
    if engine == "onnx-cpu":
        return onnx_operators(network, threads=threads, runs=_PROFILED_RUNS, trace=trace)
    return []


def _peak(
    network: Network, engine: str, threads: int, asked: dict[str, Any]
) -> tuple[int | None, str]:
    if engine.endswith("cuda"):
        return None, "of the card's memory it is not measured"
    if engine != "torch-cpu":
        # The file alone: without a torch module.
        size = asdict(network.size) if network.size else None
        asked = {"name": str(network.file), "spec": {}, "size": size}
    try:
        return peak_bytes(engine, asked, network=network.name, threads=threads), ""
    except BundleError as error:
        return None, str(error)
