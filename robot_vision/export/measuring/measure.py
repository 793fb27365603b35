"""Metrics of a bundle on a held-out set, its confusions, and its worst failures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.files.figures import write_figures
from robot_vision.export.measured_set import open_matched
from robot_vision.export.measuring.classifier import measure_classifier
from robot_vision.export.measuring.features import measure_features
from robot_vision.export.measuring.grounding import measure_grounding
from robot_vision.export.measuring.picture_bundle import Measured
from robot_vision.export.measuring.segmentation import measure_segmentation
from robot_vision.export.parity import onnx_predictor
from robot_vision.model_store.store import Bundle
from robot_vision.training.data.caches.open_samples import open_samples
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.boxes import box_figures
from robot_vision.training.metrics.confusions import Confusions, confusions
from robot_vision.training.metrics.gallery import draw_gallery
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.native import Evaluation, Predictor, evaluate
from robot_vision.training.metrics.selected import FoundBoxes


def measure_bundle(
    bundle: Bundle,
    held_out: Path,
    *,
    out: Path,
    images: int,
    worst: int,
    known: Path | None = None,
) -> Measured:
    """Metrics of a bundle by its task, and its worst errors, in the folder `out`.

    `known` is the labelled set for fitting the probes of a feature bundle. Raises
    `BundleError` for a task without such metrics, `ConfigError` if the `known` set is missing.
    """
    task = bundle.manifest.task
    if task == "features":
        return measure_features(
            bundle, held_out, out=out, images=images, worst=worst, known=_known(bundle, known)
        )
    if not has_figures(bundle):
        raise BundleError(
            f"bundle {bundle.manifest.name!r} is of task {task!r}; expected "
            f"{', '.join(_MEASURES)} (native) or features to evaluate"
        )
    return _MEASURES[task](bundle, held_out, out=out, images=images, worst=worst)


def has_figures(bundle: Bundle) -> bool:
    """Whether bundles of its task are measured on a set; others have the metrics of the export."""
    return bundle.manifest.task in _MEASURES


def _known(bundle: Bundle, known: Path | None) -> Path:
    if known is None:
        raise ConfigError(
            f"bundle {bundle.manifest.name!r} gives features: expected --known with the "
            "labelled set that a linear layer and nearest neighbours know, such as data/train"
        )
    return known


def _measure_native(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    metrics, confused = evaluate_bundle(bundle, held_out, out=out, images=images, worst=worst)
    return _measured(metrics, confused)


def evaluate_bundle(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> tuple[dict[str, float | str], Confusions]:
    """Metrics of a native ONNX bundle, and its confusions at the threshold of its best F1.

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
    evaluation = evaluate(
        _predictor(bundle), cache, images=images, masks=True, fills=True, intervals=True
    )
    metrics = manifest_metrics(evaluation)
    names = cache.source.class_names
    return metrics, _write(metrics, evaluation.found, names, out=out, worst=worst)


def _measure_detector(
    bundle: Bundle, held_out: Path, *, out: Path, images: int, worst: int
) -> Measured:
    """Metrics of a detector of any format on the first `images` (0: all), at its input size."""
    names = bundle.manifest.classes
    with TemporaryDirectory() as cache:
        measured = open_matched(held_out, bundle, cache_dir=Path(cache))
        count = len(measured.samples)
        found = list(measured.boxes_found(bundle, min(images or count, count)))
        figures = box_figures(found, names) | bounds(resampled_precision(found, len(names)))
        unlabelled = {f"AP/{name}" for name in set(names).difference(measured.matched.labelled)}
        metrics = {k: round(value, 4) for k, value in figures.items() if k not in unlabelled}
        confused = _write(metrics, found, names, out=out, worst=worst)
    notes = (*measured.matched.notes, *_boxes_only(bundle))
    return _measured(metrics, confused, notes)


def _boxes_only(bundle: Bundle) -> tuple[str, ...]:
    unmeasured = _UNMEASURED.get(bundle.manifest.format)
    return (f"boxes only: {unmeasured} are not measured",) if unmeasured else ()


def _write(
    metrics: Mapping[str, float | str],
    found: Sequence[FoundBoxes],
    names: tuple[str, ...],
    *,
    out: Path,
    worst: int,
) -> Confusions:
    """Writes a detector's files, with its confusions at the threshold of its best F1."""
    write_figures(out / "metrics.json", metrics)
    threshold = float(metrics["best_f1_threshold"])
    draw_gallery(found, names, out / "gallery.png", threshold=threshold, count=worst)
    confused = confusions(found, names, threshold=threshold)
    confused.write(out / "confusions.csv")
    return confused


def _measured(
    metrics: Mapping[str, float | str], confused: Confusions, notes: Sequence[str] = ()
) -> Measured:
    return Measured(
        metrics=metrics,
        notes=(*notes, f"at {metrics['best_f1_threshold']}: {confused.summary()}"),
        files=("metrics.json", "confusions.csv", "gallery.png"),
    )


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
    """Metrics as stored in a manifest: rounded, classes as `AP/<class>`."""
    per_class = {f"AP/{name}": value for name, value in evaluation.class_ap.items()}
    return {name: round(value, 4) for name, value in (evaluation.metrics | per_class).items()}


_UNMEASURED = {
    "yolo_seg": "masks",
    "yolo_pose": "keypoints",
    "yunet": "keypoints",
    "yolo_obb": "angles (the upright boxes around the objects are compared)",
}
_MEASURES = {
    "classification": measure_classifier,
    "segmentation": measure_segmentation,
    "detection": _measure_detector,
    "multitask": _measure_native,
    "grounding": measure_grounding,
}
