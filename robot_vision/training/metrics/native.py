"""Metrics of a model on a held-out set: COCO AP, depth errors, calibration."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from robot_vision.models.multitask.native import OUTPUTS, NativeModel, ServedNative
from robot_vision.perception.depth.baselines import FILLS
from robot_vision.training.data.samples.samples import Sample, SampleCache, collate
from robot_vision.training.metrics.bootstrap import bounds
from robot_vision.training.metrics.calibration import best_threshold, expected_calibration_error
from robot_vision.training.metrics.coco import average_precision
from robot_vision.training.metrics.depth import DepthErrors
from robot_vision.training.metrics.matches import resampled_precision
from robot_vision.training.metrics.selected import Found, Selection

BATCH_SIZE = 8

# Of colour, depth in metres and focal lengths, as `NativeModel` takes them.
Predictor = Callable[[np.ndarray, np.ndarray, np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """Metrics by name, AP per class by class name, and the findings with the sensor's depth."""

    metrics: dict[str, float]
    class_ap: dict[str, float]
    found: list[Found]


def evaluate(
    predict: Predictor,
    cache: SampleCache,
    *,
    images: int = 0,
    masks: bool = False,
    fills: bool = False,
    intervals: bool = False,
) -> Evaluation:
    """Metrics on the first `images` of the set (0: all), with the sensor's depth and without.

    `masks` adds mask AP, `fills` the errors in holes of what needs no model (the service's guided
    fill, the nearest pixel, inpainting), `intervals` bounds of AP and AP50. All take their time.
    """
    count = min(images or len(cache), len(cache))
    names = cache.source.class_names
    with_depth = list(_find(predict, cache, count, withheld=False))
    without = list(_find(predict, cache, count, withheld=True))
    metrics = average_precision(with_depth, names, kind="bbox")
    class_ap = {n: metrics.pop(f"AP/{n}") for n in names}
    if masks:
        shape = average_precision(with_depth, names, kind="segm")
        metrics |= {"mask_AP": shape["AP"], "mask_AP50": shape["AP50"]}
    if intervals:
        metrics |= bounds(resampled_precision(with_depth, len(names)))
    blind = average_precision(without, names, kind="bbox")
    metrics |= {"AP_depth_withheld": blind["AP"], "AP50_depth_withheld": blind["AP50"]}
    metrics |= _depth_metrics(with_depth, without)
    if fills:
        metrics |= _fill_metrics([seen.sample for seen in with_depth])
    metrics["calibration_error"] = expected_calibration_error(with_depth)
    metrics["best_f1"], metrics["best_f1_threshold"] = best_threshold(with_depth)
    return Evaluation(metrics=metrics, class_ap=class_ap, found=with_depth)


def torch_predictor(model: NativeModel, *, device: torch.device) -> Predictor:
    """Runs the model in torch in evaluation mode, then restores its mode."""
    served = ServedNative(model)

    def predict(*inputs: np.ndarray) -> dict[str, np.ndarray]:
        training = model.training
        served.eval()
        with torch.no_grad():
            out = served(*(torch.from_numpy(array).to(device) for array in inputs))
        served.train(training)
        return {name: t.cpu().numpy() for name, t in zip(OUTPUTS, out, strict=True)}

    return predict


def _find(
    predict: Predictor, cache: SampleCache, count: int, *, withheld: bool
) -> Iterator[Found]:
    height_px, width_px = cache[0].rgb.shape[:2]
    select = Selection(cache.source.class_names, width_px=width_px, height_px=height_px)
    for start in range(0, count, BATCH_SIZE):
        samples = [cache[i] for i in range(start, min(start + BATCH_SIZE, count))]
        batch = collate(samples)
        depth_m = batch.depth_m.numpy()
        given_m = np.zeros_like(depth_m) if withheld else depth_m
        out = predict(batch.rgb.numpy(), given_m, batch.focal_px.numpy())
        for row, sample in enumerate(samples):
            yield select(sample, {name: tensor[row : row + 1] for name, tensor in out.items()})


def _depth_metrics(with_depth: list[Found], without: list[Found]) -> dict[str, float]:
    """Errors at a quarter of the size: colour alone, colour and depth, inside holes."""
    errors = {"color": DepthErrors(), "color_depth": DepthErrors(), "holes": DepthErrors()}
    for seen, blind in zip(with_depth, without, strict=True):
        true_m = seen.sample.depth_true_mm[2::4, 2::4] / np.float32(1000)
        known = true_m > 0
        hole = known & (seen.sample.depth_mm[2::4, 2::4] == 0)
        errors["color"].add(blind.depth_m, true_m, known)
        errors["color_depth"].add(seen.depth_m, true_m, known)
        errors["holes"].add(seen.depth_m, true_m, hole)
    return _named(errors)


def _fill_metrics(samples: list[Sample]) -> dict[str, float]:
    """Errors inside holes of fills without a model, at the same pixels."""
    errors = {f"holes_{name}": DepthErrors() for name in FILLS}
    for sample in samples:
        sensor_m, true_m = (
            depth_mm / np.float32(1000) for depth_mm in (sample.depth_mm, sample.depth_true_mm)
        )
        unseen = sensor_m == 0
        if unseen.all() or not unseen.any():
            continue
        sensor_m[unseen] = np.nan
        hole = (unseen & (true_m > 0))[2::4, 2::4]
        for name, fill in FILLS.items():
            filled_m = fill(sensor_m, sample.rgb)
            errors[f"holes_{name}"].add(filled_m[2::4, 2::4], true_m[2::4, 2::4], hole)
    return _named(errors)


def _named(errors: dict[str, DepthErrors]) -> dict[str, float]:
    return {
        f"depth_{kind}_{name}": value
        for kind, measured in errors.items()
        for name, value in measured.summary().items()
    }
