"""Exported models side by side: accuracy, size and speed on this machine."""

import json
import re
import subprocess
import sys
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import numpy as np
import torch
from scipy.stats import t
from torch import nn

from robot_vision.backends import load_backend
from robot_vision.backends.contract import blank_inputs
from robot_vision.bench.models.garden_frame import frame_run
from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.core.errors import BundleError, ForeignFileError
from robot_vision.core.files.foreign import parse_json
from robot_vision.model_store.measured import GardenRow
from robot_vision.model_store.store import Bundle
from robot_vision.models.card import Graph, Size
from robot_vision.models.contract import gmacs
from robot_vision.models.registry import MODELS
from robot_vision.models.served import served_graph
from robot_vision.models.weights import load_exactly, read_weights, spec_of
from robot_vision.training.engine.task import TASKS

# What models predict, by metric: multi-task models are listed with single-task ones.
ASKED = {
    "top1": "Classification",
    "AP50": "Detection",
    "miou": "Segmentation",
    "presence_map": "Classes in view",
    "ari_foreground": "Slots",
    "absrel_gain": "Depth from colour",
}

_STUDENTS_SEEDS = 3


def measure_bundle(bundle: Bundle, *, threads: int, rounds: int) -> list[GardenRow]:
    """Figures from the bundle's manifest, and its times and memory at batch 1 on the CPU.

    One row per prediction. Raises `BundleError` unless the bundle contains one of our torch models
    besides its graph.
    """
    manifest = bundle.manifest
    if not manifest.architecture:
        raise BundleError(
            f"{bundle.path} names no architecture; expected a bundle of `robot-vision export`"
        )
    task = MODELS.get(manifest.architecture).task
    graph = _torch_graph(bundle)
    torch_ms, onnx_ms, frame_ms = _times_ms(bundle, graph, threads=threads, rounds=rounds)

    def figure(name: str) -> float:
        return float(manifest.metrics.get(name, np.nan))

    own = TASKS.get(task).metric
    asked = {name: what for name, what in ASKED.items() if name in manifest.metrics}
    costs = GardenRow(
        name=manifest.name,
        asked="",
        task=task,
        architecture=manifest.architecture,
        recipe=_recipe_but_seed(bundle),
        licence=manifest.licence,
        device="cpu",
        metric="",
        value=np.nan,
        low=np.nan,
        high=np.nan,
        trivial=np.nan,
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
        frame_p50_ms=float(np.median(frame_ms)),
        trained_minutes=figure("trained_minutes"),
        export_difference=figure("onnx_against_torch_max"),
    )
    return [
        replace(
            costs,
            asked=what,
            metric=name,
            value=figure(name),
            low=figure(f"{name}_low"),
            high=figure(f"{name}_high"),
            trivial=figure(f"trivial_{name}"),
        )
        for name, what in (asked or {own: task}).items()
    ]


def joined_by_seed(rows: list[GardenRow]) -> list[GardenRow]:
    """One row for runs that differ only in their seed: the mean, with Student's 95 % interval.

    For two seeds, which say little about the spread, the interval is the mean of their own. Costs
    are those of the first run.
    """
    groups: dict[tuple[str, str, int, int], list[GardenRow]] = {}
    for row in rows:
        key = (row.metric, row.recipe, row.width_px, row.height_px)
        groups.setdefault(key, []).append(row)
    return [_joined(group) for group in groups.values()]


def _joined(group: list[GardenRow]) -> GardenRow:
    first, count = group[0], len(group)
    if count == 1:
        return first
    values, low, high, trivial = (
        np.array([getattr(row, name) for row in group])
        for name in ("value", "low", "high", "trivial")
    )
    mean = float(values.mean())
    bounds = float(low.mean()), float(high.mean())
    if count >= _STUDENTS_SEEDS:
        half = float(t.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count))
        bounds = mean - half, mean + half
    return replace(
        first,
        name=_shared_name([row.name for row in group]),
        value=mean,
        low=bounds[0],
        high=bounds[1],
        trivial=float(trivial.mean()),
        seeds=count,
    )


def _shared_name(names: list[str]) -> str:
    """The common part of names, without the seed: `unet` of `unet-seed0`, `unet-1`."""
    letters = takewhile(lambda column: len(set(column)) == 1, zip(*names, strict=False))
    shared = "".join(column[0] for column in letters)
    return re.sub(r"[-_.](seed|s)?[-_.]?$", "", shared) or names[0]


def _recipe_but_seed(bundle: Bundle) -> str:
    """The manifest's recipe without its seed; unchanged if it is not a recipe in JSON."""
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
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Milliseconds of eager torch, ONNX Runtime and a whole frame, in interleaved blocks."""
    torch.set_num_threads(threads)
    inputs = blank_inputs(bundle.manifest)
    backend = load_backend(bundle, device="cpu", threads=threads)
    tensors = [torch.from_numpy(inputs[name]) for name in graph.example]
    with torch.inference_mode():
        torch_ms, onnx_ms, frame_ms = take_turns_ms(
            [
                lambda: graph.module(*tensors),
                lambda: backend.run(inputs),
                frame_run(bundle, threads=threads),
            ],
            rounds=rounds,
        )
    backend.close()
    return torch_ms, onnx_ms, frame_ms


def _memory_mb(bundle: Bundle, *, threads: int) -> float:
    """Peak memory that loading and running the bundle adds to a process, including ONNX
    Runtime."""
    module = "robot_vision.bench.models.garden_memory"
    command = [sys.executable, "-m", module, str(bundle.path.resolve()), str(threads)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def list_exported(folder: Path) -> list[Path]:
    """Folders of bundles below `folder`, by name; raises `BundleError` if there are none."""
    found = sorted(file.parent for file in Path(folder).glob("*/model.yaml"))
    if not found:
        raise BundleError(
            f"{folder} contains no bundles; expected folders of `robot-vision export`"
        )
    return found
