"""Exported models beside each other: how good, how large, how fast, on this machine."""

import json
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from torch import nn

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.bench.turns import take_turns_ms
from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.foreign import parse_json
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Graph, Size
from robot_vision.models.contract import gmacs
from robot_vision.models.registry import MODELS
from robot_vision.models.served import served_graph
from robot_vision.models.weights import load_exactly, read_weights, spec_of
from robot_vision.training.engine.task import TASKS


@dataclass(frozen=True, kw_only=True)
class GardenRow:
    """One bundle. `recipe` is that of its run without the seed: equal ones differ by seed alone.

    `low` and `high` bound the metric with 95 % confidence, NaN where nothing says how sure it is.
    `trivial` is what the task's trivial answer reaches, NaN where the task has none.
    """

    name: str
    task: str
    architecture: str
    recipe: str
    metric: str
    value: float
    low: float
    high: float
    trivial: float
    seeds: int
    width_px: int
    height_px: int
    parameters: int
    gmacs: float
    memory_mb: float
    torch_p50_ms: float
    torch_p95_ms: float
    onnx_p50_ms: float
    onnx_p95_ms: float
    trained_minutes: float
    export_difference: float


def measure_bundle(bundle: Bundle, *, threads: int, rounds: int) -> GardenRow:
    """Figures from the bundle's manifest, and its times and memory at batch 1 on the CPU.

    Raises `BundleError` unless the bundle holds a torch model of ours beside its graph.
    """
    manifest = bundle.manifest
    if not manifest.architecture:
        raise BundleError(
            f"{bundle.path} names no architecture; expected a bundle that `robot-vision export` "
            "wrote"
        )
    task = MODELS.get(manifest.architecture).task
    metric = TASKS.get(task).metric
    graph = _torch_graph(bundle)
    torch_ms, onnx_ms = _times_ms(bundle, graph, threads=threads, rounds=rounds)

    def figure(name: str) -> float:
        return float(manifest.metrics.get(name, np.nan))

    return GardenRow(
        name=manifest.name,
        task=task,
        architecture=manifest.architecture,
        recipe=_recipe_but_seed(bundle),
        metric=metric,
        value=figure(metric),
        low=figure(f"{metric}_low"),
        high=figure(f"{metric}_high"),
        trivial=figure(f"trivial_{metric}"),
        seeds=1,
        width_px=manifest.input.width_px,
        height_px=manifest.input.height_px,
        parameters=sum(p.numel() for p in graph.module.parameters()),
        gmacs=gmacs(graph.module, (tensor[:1] for tensor in graph.example.values())),
        memory_mb=_memory_mb(bundle, threads=threads),
        torch_p50_ms=float(np.median(torch_ms)),
        torch_p95_ms=float(np.percentile(torch_ms, 95)),
        onnx_p50_ms=float(np.median(onnx_ms)),
        onnx_p95_ms=float(np.percentile(onnx_ms, 95)),
        trained_minutes=figure("trained_minutes"),
        export_difference=figure("onnx_against_torch_max"),
    )


def joined_by_seed(rows: list[GardenRow]) -> list[GardenRow]:
    """One row for runs that differ by their seed alone: the mean, within Student's 95 % interval.

    What is not the metric stays as the first run has it.
    """
    groups: dict[tuple[str, int, int], list[GardenRow]] = {}
    for row in rows:
        groups.setdefault((row.recipe, row.width_px, row.height_px), []).append(row)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[GardenRow]) -> GardenRow:
    if len(group) == 1:
        return group[0]
    values = np.array([row.value for row in group])
    mean = float(values.mean())
    error = values.std(ddof=1) / np.sqrt(len(values))
    half = float(t.ppf(0.975, len(values) - 1) * error)
    first = group[0]
    return replace(first, value=mean, low=mean - half, high=mean + half, seeds=len(group))


def _recipe_but_seed(bundle: Bundle) -> str:
    """What the manifest says of its recipe; as it stands where that is no recipe as JSON."""
    text = str(bundle.manifest.metrics.get("recipe", bundle.path))
    try:
        recipe = parse_json(text, what="the recipe")
    except ForeignFileError:
        return text
    if isinstance(recipe, dict) and isinstance(recipe.get("run"), dict):
        recipe["run"].pop("seed", None)
    return json.dumps(recipe, sort_keys=True)


def _torch_graph(bundle: Bundle) -> Graph:
    """The graph of the bundle in torch, with its weights."""
    manifest = bundle.manifest
    card = MODELS.get(manifest.architecture)
    weights = read_weights(bundle.model_path.with_suffix(".safetensors"))
    spec = spec_of(weights, card, {"classes": len(manifest.classes)})
    model: nn.Module = card.build(spec)
    load_exactly(model, weights, name=card.name)
    size = Size(width_px=manifest.input.width_px, height_px=manifest.input.height_px)
    return served_graph(card, model, spec, size)


def _times_ms(
    bundle: Bundle, graph: Graph, *, threads: int, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds of eager torch and of ONNX Runtime, in blocks that take turns."""
    torch.set_num_threads(threads)
    inputs = blank_inputs(bundle.manifest)
    backend = load_backend(bundle, device="cpu", threads=threads)
    tensors = [torch.from_numpy(inputs[name]) for name in graph.example]
    with torch.inference_mode():
        torch_ms, onnx_ms = take_turns_ms(
            [lambda: graph.module(*tensors), lambda: backend.run(inputs)], rounds=rounds
        )
    backend.close()
    return torch_ms, onnx_ms


def _memory_mb(bundle: Bundle, *, threads: int) -> float:
    """What loading and running the bundle adds to a process at its peak, ONNX Runtime included."""
    module = "robot_vision.bench.garden_memory"
    command = [sys.executable, "-m", module, str(bundle.path.resolve()), str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def list_exported(folder: Path) -> list[Path]:
    """Folders of bundles below `folder`, by name; raises `BundleError` if there are none."""
    found = sorted(file.parent for file in Path(folder).glob("*/model.yaml"))
    if not found:
        raise BundleError(
            f"{folder} holds no bundles: expected folders that `robot-vision export` wrote"
        )
    return found
