"""From a training run to a bundle of the model store: ONNX, weights, manifest with metrics."""

import json
import sys
from pathlib import Path
from typing import Literal

from robot_vision.core.foreign import read_json
from robot_vision.core.manifest import ModelInput, ModelManifest
from robot_vision.export.measure import (
    check_parity,
    evaluate_file,
    input_batches,
    manifest_metrics,
    open_held_out,
)
from robot_vision.export.onnx import INPUTS, TENSOR_OF_ROLE, export_onnx
from robot_vision.export.quantise import to_fp16, to_int8
from robot_vision.model_store.store import Bundle, write_bundle
from robot_vision.models.multitask.native import FEATURE_STRIDE, NativeModel, build_native
from robot_vision.training.data.samples import PAD_VALUE
from robot_vision.training.engine.checkpoint import load_weights_file, mean_weights, save_weights
from robot_vision.training.engine.curves import read_rows
from robot_vision.training.engine.old_recipe import Recipe, load_recipe
from robot_vision.training.engine.run import BUNDLE_WEIGHTS, CURVES, RECIPE

LICENCE = "Apache-2.0"
LIMITS = (
    "Trained on synthetic tabletop scenes only, of ten kinds of simple shapes: what it says of "
    "real pictures is not known. For anything else bring a model or fine-tune this one."
)
PARITY_IMAGES = 100
CALIBRATION_IMAGES = 64
Precision = Literal["fp32", "fp16", "int8"]


def export_run(
    run: Path,
    folder: Path,
    *,
    weights: Path,
    held_out: Path,
    precision: Precision,
    version: str,
    averaged_with: Path | None = None,
) -> Bundle:
    """Export a run's weights into `folder`; the manifest gets the metrics of what is exported.

    `averaged_with` is a file of weights that the run began from. Raises `BundleError` if the FP32
    graph differs from torch on real frames, `ConfigError` if the weights cannot be averaged.
    """
    recipe = load_recipe(run / RECIPE)
    size = recipe.resolutions[-1]
    tensors, classes = (
        mean_weights(weights, averaged_with) if averaged_with else load_weights_file(weights)
    )
    model = build_native(recipe.model, classes=len(classes))
    model.load_state_dict(tensors)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "model.onnx"
    export_onnx(model, file, width_px=size.width_px, height_px=size.height_px)
    cache = open_held_out(held_out, width_px=size.width_px, height_px=size.height_px)
    parity = check_parity(model, file, cache, images=PARITY_IMAGES)
    _convert(file, precision, recipe)
    save_weights(folder / BUNDLE_WEIGHTS, model, class_names=classes)
    metrics = manifest_metrics(evaluate_file(file, cache, images=0))
    metrics |= {"onnx_against_torch_max": float(f"{parity:.2g}")} | _provenance(
        run, recipe, held_out
    )
    manifest = ModelManifest(
        name=folder.name,
        version=version,
        task="multitask",
        format="native",
        architecture=recipe.model,
        input=_input(width_px=size.width_px, height_px=size.height_px),
        outputs=TENSOR_OF_ROLE,
        classes=classes,
        activation="sigmoid",
        score_threshold=round(float(metrics["best_f1_threshold"]), 2),
        feature_stride_px=float(FEATURE_STRIDE),
        precision=precision,
        metrics=metrics,
        licence=LICENCE,
        description=_describe(model, recipe),
        limits=LIMITS,
    )
    return write_bundle(folder, manifest, file)


def _convert(file: Path, precision: Precision, recipe: Recipe) -> None:
    """Replace the FP32 graph by one of smaller numbers, calibrated on the training set."""
    exact = file.with_suffix(".fp32.onnx")
    if precision == "fp32":
        return
    file.replace(exact)
    size = recipe.resolutions[-1]
    if precision == "fp16":
        to_fp16(exact, file)
    else:
        seen = open_held_out(
            Path(recipe.train_set), width_px=size.width_px, height_px=size.height_px
        )
        to_int8(exact, file, input_batches(seen, images=CALIBRATION_IMAGES))
    exact.unlink()


def _provenance(run: Path, recipe: Recipe, held_out: Path) -> dict[str, float | str]:
    """What it takes to make the weights and the figures again."""
    last = read_rows(run / CURVES)[-1]
    return {
        "command": " ".join(["robot-vision", *sys.argv[1:]]),
        "trained_steps": float(last["step"]),
        "trained_minutes": round(float(last["minutes"]), 1),
        "recipe": recipe.model_dump_json(exclude_defaults=True),
        "train_data": _data_recipe(Path(recipe.train_set)),
        "held_out_data": _data_recipe(held_out),
    }


def _data_recipe(folder: Path) -> str:
    """What `robot-vision scenes generate` was asked for, or the name of a set of other origin."""
    file = folder / "recipe.json"
    return json.dumps(read_json(file)) if file.is_file() else folder.name


def _describe(model: NativeModel, recipe: Recipe) -> str:
    parameters = sum(p.numel() for p in model.parameters())
    return (
        f"{recipe.model}, {parameters / 1e6:.2f} M parameters: boxes, masks, metric depth, a "
        "feature grid and an embedding from colour and optional depth, in one pass. The feature "
        "grid is trained so that objects of one class and colour are alike; the embedding, so "
        "that it tells which classes and colours are in view."
    )


def _input(*, width_px: int, height_px: int) -> ModelInput:
    """Pixels as they are: the graph scales them."""
    return ModelInput(
        name=INPUTS[0],
        depth_name=INPUTS[1],
        focal_name=INPUTS[2],
        width_px=width_px,
        height_px=height_px,
        resize="letterbox",
        pad_value=PAD_VALUE,
        size_name="",
        dtype="uint8",
        layout="nhwc",
    )
