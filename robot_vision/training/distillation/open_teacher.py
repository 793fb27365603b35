"""Opens a teacher: a run of `robot-vision train`, a bundle of ours, or a foreign ONNX bundle."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelManifest, OutputReading
from robot_vision.model_store.bundle_files import sha256_of
from robot_vision.model_store.onnx_open import open_onnx
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.models.card import Card, Graph, Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import served_graph
from robot_vision.models.weights import Weights, load_exactly, read_weights, spec_of
from robot_vision.training.distillation.teacher import Run, Teacher
from robot_vision.training.engine.recipes.recipe_file import load_recipe
from robot_vision.training.engine.run import BUNDLE_WEIGHTS, RECIPE, WEIGHTS
from robot_vision.training.engine.task import TASKS


def open_teacher(name: str, device: torch.device) -> Teacher:
    """The teacher in a run's folder, or the bundle of that name or in that folder.

    A bundle with weights of a registered model runs in torch on `device`, any other
    one in ONNX Runtime on the CPU. Raises `ConfigError` or `BundleError` if it cannot teach.
    """
    folder = Path(name)
    if (folder / RECIPE).is_file():
        return _of_run(folder, device)
    bundle = find_bundle(name)
    if bundle.manifest.input.carried:
        raise ConfigError(
            f"teacher {name!r} carries state from frame to frame, but a batch has no previous "
            "frame"
        )
    if bundle.manifest.architecture in MODELS and (bundle.path / BUNDLE_WEIGHTS).is_file():
        return _of_weights(bundle, device)
    return of_onnx(bundle, device)


def _of_run(folder: Path, device: torch.device) -> Teacher:
    recipe, weights = load_recipe(folder / RECIPE), read_weights(folder / WEIGHTS)
    size = getattr(recipe.options, "served_size", None)
    if size is None:
        raise ConfigError(f"teacher {folder}: task {recipe.task!r} is not a picture task")
    card, task = MODELS.get(weights.model or recipe.model), TASKS.get(recipe.task)
    graph, spec = _graph(card, weights, recipe.spec, size)
    if card.serving is None or card.serving.image is None:
        raise ConfigError(f"teacher {folder}: model {card.name!r} takes no picture")
    manifest = ModelManifest(
        name=folder.name,
        task=recipe.task,
        format=card.serving.format,
        input=card.serving.image(spec, size),
        outputs=graph.outputs,
        reading=getattr(task, "reading", OutputReading()),
        classes=tuple(weights.travels.get("classes", ())),
    )
    return _in_torch(manifest, graph, weights, device, about=f"run {folder}")


def _of_weights(bundle: Bundle, device: torch.device) -> Teacher:
    manifest = bundle.manifest
    weights = read_weights(bundle.path / BUNDLE_WEIGHTS)
    size = Size(width_px=manifest.input.width_px, height_px=manifest.input.height_px)
    graph, _ = _graph(MODELS.get(manifest.architecture), weights, {}, size)
    return _in_torch(manifest, graph, weights, device, about=f"bundle {manifest.model_id}")


def _graph(
    card: Card[Any], weights: Weights, values: Mapping[str, Any], size: Size
) -> tuple[Graph, Any]:
    """The served model with these weights, in evaluation mode; and its spec."""
    spec = spec_of(weights, card, values)
    # Building draws weights that are then replaced; this must not affect the run's random numbers.
    with torch.random.fork_rng(devices=[]):
        model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    return served_graph(card, model, spec, size), spec


def _in_torch(
    manifest: ModelManifest, graph: Graph, weights: Weights, device: torch.device, *, about: str
) -> Teacher:
    module: nn.Module = graph.module.to(device).eval().requires_grad_(False)

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = module(*(inputs[name] for name in graph.example))
        return dict(zip(graph.outputs, found, strict=True))

    return Teacher(manifest=manifest, identity=sha256_of(weights.file), about=about, run=run)


def of_onnx(bundle: Bundle, device: torch.device) -> Teacher:
    """Any bundle whose file is ONNX, in ONNX Runtime."""
    manifest = bundle.manifest
    if bundle.model_path.suffix != ".onnx":
        raise ConfigError(
            f"teacher {manifest.name!r} is {manifest.file}; expected an ONNX bundle, or one with "
            f"{BUNDLE_WEIGHTS} of a model that is registered here"
        )
    options = ort.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = open_onnx(bundle.model_path, options)
    return Teacher(
        manifest=manifest,
        identity=manifest.sha256,
        about=f"bundle {manifest.model_id} in ONNX Runtime",
        run=_in_onnx(session, manifest, device),
    )


def _in_onnx(session: ort.InferenceSession, manifest: ModelManifest, device: torch.device) -> Run:
    names = [output.name for output in session.get_outputs()]
    tensors = manifest.outputs or _roles(names, manifest)
    first = session.get_inputs()[0].shape[0]
    taken = first if isinstance(first, int) else 0  # pictures at a time; 0: any number

    def part(inputs: Mapping[str, np.ndarray], start: int, count: int) -> list[np.ndarray]:
        rows = [min(start + row, len(next(iter(inputs.values()))) - 1) for row in range(count)]
        found = session.run(list(tensors.values()), {n: v[rows] for n, v in inputs.items()})
        return [np.asarray(value) for value in found]

    def run(inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        arrays = {name: value.cpu().numpy() for name, value in inputs.items()}
        pictures = len(next(iter(arrays.values())))
        at_a_time = taken or pictures
        parts = [part(arrays, at, at_a_time) for at in range(0, pictures, at_a_time)]
        return {
            role: torch.from_numpy(np.concatenate(values)[:pictures]).float().to(device)
            for role, values in zip(tensors, zip(*parts, strict=True), strict=True)
        }

    return run


def _roles(names: list[str], manifest: ModelManifest) -> dict[str, str]:
    """Tensors by role if the manifest names none: the only one, or those of equal names."""
    if manifest.task == "classification" and len(names) == 1:
        return {"output": names[0]}
    return {name: name for name in names}
