"""The figures of a bundle on a held-out set, what it confuses, and where it fails most."""

import json
from pathlib import Path

import numpy as np

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.measure_classifier import measure_classifier
from robot_vision.export.measure_features import measure_features
from robot_vision.export.measure_segmentation import measure_segmentation
from robot_vision.export.parity import onnx_predictor
from robot_vision.export.picture_bundle import Measured
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.open_samples import open_samples
from robot_vision.training.metrics.confusions import Confusions, confusions
from robot_vision.training.metrics.gallery import draw_gallery
from robot_vision.training.metrics.native import Evaluation, Predictor, evaluate


def measure_bundle(
    bundle: Bundle,
    held_out: Path,
    *,
    out: Path,
    images: int,
    worst: int,
    known: Path | None = None,
) -> Measured:
    """Figures of a bundle by its task, and what it gets most wrong, in the folder `out`.

    `known` is the labelled set that probes of a bundle of features are fitted to. Raises
    `BundleError` for a task that has no such figures, `ConfigError` without a `known` set.
    """
    if bundle.manifest.task == "features":
        if known is None:
            raise ConfigError(
                f"bundle {bundle.manifest.name!r} gives features: expected --known with the "
                "labelled set that a linear layer and nearest neighbours know, such as data/train"
            )
        limits = {"images": images, "worst": worst}
        return measure_features(bundle, held_out, out=out, known=known, **limits)
    measure = {
        "classification": measure_classifier,
        "segmentation": measure_segmentation,
        "multitask": _measure_native,
    }.get(bundle.manifest.task)
    if measure is None:
        raise BundleError(
            f"bundle {bundle.manifest.name!r} is of task {bundle.manifest.task!r}; expected "
            "classification, segmentation, features or multitask (native) to evaluate"
        )
    return measure(bundle, held_out, out=out, images=images, worst=worst)


def _measure_native(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    metrics, confused = evaluate_bundle(bundle, held_out, out=out, images=images, worst=worst)
    return Measured(
        metrics=metrics,
        notes=(f"at {metrics['best_f1_threshold']}: {confused.summary()}",),
        files=("metrics.json", "confusions.csv", "gallery.png"),
    )


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
    cache = open_samples(held_out, width_px=size.width_px, height_px=size.height_px)
    if cache.source.class_names != manifest.classes:
        raise BundleError(
            f"bundle {manifest.name!r} knows {', '.join(manifest.classes)}; "
            f"{held_out} holds {', '.join(cache.source.class_names)}"
        )
    evaluation = evaluate(_predictor(bundle), cache, images=images, masks=True, fills=True)
    metrics = manifest_metrics(evaluation)
    out.mkdir(parents=True, exist_ok=True)
    (out / "metrics.json").write_text(json.dumps(metrics, indent=1) + "\n")
    threshold = float(metrics["best_f1_threshold"])
    names = cache.source.class_names
    draw_gallery(evaluation.found, names, out / "gallery.png", threshold=threshold, count=worst)
    confused = confusions(evaluation.found, names, threshold=threshold)
    confused.write(out / "confusions.csv")
    return metrics, confused


def _predictor(bundle: Bundle) -> Predictor:
    """Runs the bundle's graph as the metrics call it: colour, depth, focal lengths."""
    manifest = bundle.manifest
    image = manifest.input
    names = (image.name, image.depth_name, image.focal_name)
    run = onnx_predictor(bundle.model_path, manifest.outputs)

    def predict(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        return run(dict(zip(names, inputs, strict=True)))

    return predict


def manifest_metrics(evaluation: Evaluation) -> dict[str, float | str]:
    """Metrics as a manifest holds them: rounded, classes as `AP/<class>`."""
    per_class = {f"AP/{name}": value for name, value in evaluation.class_ap.items()}
    return {name: round(value, 4) for name, value in (evaluation.metrics | per_class).items()}
