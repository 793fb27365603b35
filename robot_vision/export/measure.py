"""The figures that a bundle's manifest carries, measured on held-out sets."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from robot_vision.core.errors import BundleError
from robot_vision.export.onnx import TENSOR_OF_ROLE
from robot_vision.export.parity import TOLERANCE, largest_differences, onnx_predictor
from robot_vision.model_store.store import Bundle
from robot_vision.models.multitask.native import NativeModel
from robot_vision.training.data.coco import load_coco_set
from robot_vision.training.data.samples import SampleCache, collate
from robot_vision.training.metrics.confusions import Confusions, confusions
from robot_vision.training.metrics.gallery import draw_gallery
from robot_vision.training.metrics.native import Evaluation, evaluate, torch_predictor


def open_held_out(folder: Path, *, width_px: int, height_px: int) -> SampleCache:
    """A set at the model's input size."""
    return SampleCache(
        load_coco_set(folder), width_px=width_px, height_px=height_px, folder=folder / "cache"
    )


def evaluate_file(file: Path, cache: SampleCache, *, images: int) -> Evaluation:
    """All metrics of an exported model, masks too, through ONNX Runtime on the CPU."""
    return evaluate(onnx_predictor(file), cache, images=images, masks=True)


def evaluate_bundle(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> tuple[dict[str, float | str], Confusions]:
    """Metrics of a native ONNX bundle, and what it confuses at the threshold of its best F1.

    Writes `metrics.json`, `confusions.csv` and `gallery.png`.
    """
    manifest = bundle.manifest
    if manifest.format != "native" or bundle.model_path.suffix != ".onnx":
        raise BundleError(
            f"bundle {manifest.name!r} is {manifest.format} in {manifest.file}; "
            "only native ONNX bundles can be evaluated"
        )
    size = manifest.input
    cache = open_held_out(held_out, width_px=size.width_px, height_px=size.height_px)
    if cache.source.class_names != manifest.classes:
        raise BundleError(
            f"bundle {manifest.name!r} knows {', '.join(manifest.classes)}; "
            f"{held_out} holds {', '.join(cache.source.class_names)}"
        )
    evaluation = evaluate_file(bundle.model_path, cache, images=images)
    metrics = manifest_metrics(evaluation)
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    threshold = float(metrics["best_f1_threshold"])
    names = cache.source.class_names
    draw_gallery(evaluation.found, names, out / "gallery.png", threshold=threshold, count=worst)
    confused = confusions(evaluation.found, names, threshold=threshold)
    confused.write(out / "confusions.csv")
    return metrics, confused


def input_batches(
    cache: SampleCache, *, images: int, batch_size: int = 1
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Inputs of the first images of a set, as the service would feed them."""
    count = min(images, len(cache))
    for start in range(0, count, batch_size):
        batch = collate([cache[i] for i in range(start, min(start + batch_size, count))])
        yield batch.rgb.numpy(), batch.depth_m.numpy(), batch.focal_px.numpy()


def check_parity(model: NativeModel, file: Path, cache: SampleCache, *, images: int) -> float:
    """The largest difference of ONNX and torch over real frames; `BundleError` above 1e-4."""
    predict = torch_predictor(model, device=torch.device("cpu"))
    worst = largest_differences(predict, onnx_predictor(file), input_batches(cache, images=images))
    for role, difference in worst.items():
        if difference > TOLERANCE:
            raise BundleError(
                f"{file}: output {TENSOR_OF_ROLE[role]!r} differs from torch by {difference:.2g}, "
                f"expected at most {TOLERANCE}"
            )
    return max(worst.values())


def manifest_metrics(evaluation: Evaluation) -> dict[str, float | str]:
    """Metrics as a manifest holds them: rounded, classes as `AP/<class>`."""
    per_class = {f"AP/{name}": value for name, value in evaluation.class_ap.items()}
    return {name: round(value, 4) for name, value in (evaluation.metrics | per_class).items()}
