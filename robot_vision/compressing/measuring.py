"""Quality and cost of a model: the task's figure, size, latency, energy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from jaxtyping import Shaped

from robot_vision.bench.models.turns import take_turns_ms
from robot_vision.compressing.energy import energy_mj
from robot_vision.compressing.weights_folder import build
from robot_vision.core.errors import ConfigError
from robot_vision.export.measuring.measure import has_figures, measure_bundle
from robot_vision.export.parity import onnx_predictor
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, load_recipe
from robot_vision.training.engine.run import RECIPE
from robot_vision.training.engine.task import TASKS, HeldOut, Predictor
from robot_vision.training.metrics.native import evaluate

# Memory bandwidth and caches are warm after so many blocks; energy needs a longer time.
_ENERGY_RUNS = 50


@dataclass(frozen=True, kw_only=True)
class Cost:
    """Of the ONNX file: batch 1, in ONNX Runtime on the CPU, in turns with the others."""

    size_mb: float
    p50_ms: float
    p95_ms: float
    energy_mj: float | None


def metric_of(recipe: Recipe) -> str:
    """The figure that the task selects weights by; raises `ConfigError` if it has none."""
    metric = TASKS.get(recipe.task).metric
    if not metric:
        raise ConfigError(
            f"task {recipe.task!r} has no figure that selects weights: smaller models "
            "cannot be judged"
        )
    return metric


def weights_figure(run: Path, *, images: int) -> float:
    """The task's figure of a run's weights in torch, on pictures of its validation set."""
    recipe = load_recipe(run / RECIPE)
    limits = {"options.evaluation_images": images} if _has_images(recipe) else {}
    recipe = changed(recipe, {"run.init_weights": "", **limits})
    task = TASKS.get(recipe.task)(recipe, torch.device("cpu"))
    model = build(run).model
    task.modules(model)  # some tasks evaluate with modules beside the model
    figures = task.evaluate(model)
    metric = metric_of(recipe)
    if metric not in figures:
        raise ConfigError(f"{run / RECIPE} has no held-out set: expected options.val_set")
    return figures[metric]


def graph_figure(bundle: Bundle, recipe: Recipe, held_out: Path, *, images: int) -> float:
    """The task's figure of a bundle in ONNX Runtime, on `images` pictures."""
    metric = metric_of(recipe)
    if bundle.manifest.task == "multitask":
        kept = getattr(recipe.options, "cache_dir", "")
        return _native_figures(bundle, held_out, images, kept)[metric]
    if not has_figures(bundle):
        raise ConfigError(
            f"bundles of task {bundle.manifest.task!r} are not measured by `robot-vision "
            "evaluate`: INT8 could not be accepted"
        )
    with TemporaryDirectory() as out:
        measured = measure_bundle(bundle, held_out, out=Path(out), images=images, worst=1)
    return float(measured.metrics[metric])


def _native_figures(
    bundle: Bundle, held_out: Path, images: int, cache_dir: str
) -> dict[str, float]:
    """Boxes only: masks and intervals take longer than the model."""
    image = bundle.manifest.input
    run = onnx_predictor(bundle.model_path, bundle.manifest.outputs)
    cache = open_samples(
        held_out, width_px=image.width_px, height_px=image.height_px, cache_dir=cache_dir
    )

    def predict(*inputs: Shaped[np.ndarray, "b ..."]) -> dict[str, np.ndarray]:
        names = (image.name, image.depth_name, image.focal_name)
        return run(dict(zip(names, inputs, strict=True)))

    return evaluate(predict, cache, images=images).metrics


def costs(
    bundles: Sequence[Bundle], held_out: HeldOut, *, threads: int, rounds: int
) -> list[Cost]:
    """All timed in turns on one real input, so that other load affects all alike."""
    graph = bundles[0].manifest.file
    inputs = next(iter(held_out.inputs(graph, 1)), None)
    if inputs is None:
        raise ConfigError("the held-out set is empty: expected pictures to time the models on")
    runs = [_run(bundle, inputs, threads) for bundle in bundles]
    times_ms = take_turns_ms(runs, rounds=rounds)
    return [
        Cost(
            size_mb=bundle.model_path.stat().st_size / 1e6,
            p50_ms=float(np.median(ms)),
            p95_ms=float(np.percentile(ms, 95)),
            energy_mj=energy_mj(run, times=_ENERGY_RUNS),
        )
        for bundle, run, ms in zip(bundles, runs, times_ms, strict=True)
    ]


def _run(
    bundle: Bundle, inputs: Mapping[str, np.ndarray], threads: int
) -> Callable[[], dict[str, np.ndarray]]:
    predict: Predictor = onnx_predictor(
        bundle.model_path, bundle.manifest.outputs, threads=threads
    )
    return lambda: predict(inputs)


def _has_images(recipe: Recipe) -> bool:
    return "evaluation_images" in type(recipe.options).model_fields
