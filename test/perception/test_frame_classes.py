"""What a frame shows as a whole: classifiers, segmentation models, and a detector's own heads."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import make_bundle

from robot_vision.core.errors import BundleError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, Perception
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline
from robot_vision.tracking import build_tracker

IMAGE = {"name": "images", "width_px": 64, "height_px": 48, "resize": "stretch"}
CLASSES = ["cup", "bowl", "can"]
DETECTIONS = np.zeros((1, 7, 9), np.float32)
MAP = np.zeros((1, 4, 12, 16), np.float32)  # logits of the background and three classes
MAP[0, 0] = 2
MAP[0, 2, :6] = 5
BUNDLES: dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]] = {
    "detector": ({"task": "detection", "format": "yolov8"}, {"out": DETECTIONS}),
    "heads": (
        {"task": "multitask", "format": "native"},
        {
            "boxes_xyxy": np.zeros((1, 2, 4), np.float32),
            "scores": np.zeros((1, 2, 3), np.float32),
            "class_probabilities": np.array([[0.1, 0.9, 0.8]], np.float32),
            "semantic": MAP,
        },
    ),
    "classifier": (
        {
            "task": "classification",
            "format": "classification",
            "reading": {"scores": "logits"},
            "outputs": {"output": "logits", "features": "features"},
        },
        {
            "logits": np.array([[1.0, -2.0, 3.0]], np.float32),
            "features": np.ones((1, 6, 3, 4), np.float32),
        },
    ),
    "segmenter": (
        {
            "task": "segmentation",
            "format": "semantic",
            "reading": {"scores": "logits", "background": "first"},
        },
        {"output": MAP[:, :, ::-1].copy()},
    ),
}


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    for name, (manifest, constants) in BUNDLES.items():
        described = {"input": IMAGE, "classes": CLASSES, **manifest}
        make_bundle(tmp_path / name, manifest=described, constants=constants)
    return tmp_path


def pipeline_of(bundles: Path, values: dict[str, Any]) -> Pipeline:
    names = {k: str(bundles / v) if k.endswith("model") else v for k, v in values.items()}
    base = ServiceConfig(threads=1, device="cpu")
    config = with_values(base, {"model": str(bundles / "detector")} | names)
    return Pipeline(
        config, perceiver=build_perceiver(config), tracker=build_tracker(config.tracker)
    )


def answer(pipeline: Pipeline, *, stamp_ns: int = 1) -> Perception:
    rgb = np.zeros((48, 64, 3), np.uint8)
    return pipeline.process(Frame(stamp_ns=stamp_ns, frame_id="camera", rgb=rgb))


def test_models_of_their_own_say_what_a_frame_shows(bundles: Path) -> None:
    pipeline = pipeline_of(
        bundles, {"classifier_model": "classifier", "segmentation_model": "segmenter"}
    )
    found = answer(pipeline)
    assert found.classification is not None
    assert found.classification.class_id.tolist() == [2, 0, 1]
    assert found.classification.probability.sum() == pytest.approx(1)
    assert found.classification.class_names == tuple(CLASSES)
    assert found.classification.model_id == "classifier@1"
    assert found.segmentation is not None
    assert found.segmentation.class_id[:6].tolist() == [[-1] * 16] * 6
    assert found.segmentation.class_id[6:].tolist() == [[1] * 16] * 6
    assert found.segmentation.model_id == "segmenter@1"
    assert found.notes == answer(pipeline_of(bundles, {})).notes


def test_a_detectors_heads_are_read_where_no_model_is_named(bundles: Path) -> None:
    found = answer(pipeline_of(bundles, {"model": "heads"}))
    assert found.classification is not None
    assert found.classification.class_id.tolist() == [1, 2, 0]
    assert found.classification.probability == pytest.approx([0.9, 0.8, 0.1])
    assert found.segmentation is not None
    assert np.unique(found.segmentation.class_id[:6]).tolist() == [1]
    assert np.unique(found.segmentation.class_id[6:]).tolist() == [-1]
    both = {"model": "heads", "classifier_model": "classifier", "segmentation_model": "segmenter"}
    found = answer(pipeline_of(bundles, both))
    assert found.classification is not None
    assert found.segmentation is not None
    assert found.classification.model_id == "classifier@1"
    assert found.segmentation.model_id == "segmenter@1"


def test_a_detector_alone_says_nothing_of_the_whole_frame(bundles: Path) -> None:
    found = answer(pipeline_of(bundles, {}))
    assert found.classification is None
    assert found.segmentation is None


def test_features_come_from_any_bundle_that_has_them(bundles: Path) -> None:
    both = {"feature_model": "classifier", "classifier_model": "classifier"}
    found = answer(pipeline_of(bundles, both))
    assert found.features is not None
    assert found.features.model_id == "classifier@1"
    assert found.classification is not None
    with pytest.raises(BundleError, match="no output with the role 'features'; it has output"):
        pipeline_of(bundles, {"feature_model": "segmenter"})


@pytest.mark.parametrize(
    ("parameter", "expected"),
    [("classifier_model", "classification"), ("segmentation_model", "segmentation")],
)
def test_a_bundle_of_another_task_is_refused(bundles: Path, parameter: str, expected: str) -> None:
    message = f"{parameter}: bundle 'detector' has task 'detection'; expected {expected}"
    with pytest.raises(BundleError, match=message):
        pipeline_of(bundles, {parameter: "detector"})


@pytest.mark.parametrize("bad", [np.nan, np.inf, 7.0])
def test_what_cannot_be_a_probability_is_reported_and_left_out(tmp_path: Path, bad: float) -> None:
    make_bundle(
        tmp_path / "detector",
        manifest={"task": "multitask", "format": "native", "input": IMAGE, "classes": CLASSES},
        constants={
            **BUNDLES["heads"][1],
            "class_probabilities": np.array([[0.1, bad, 0.8]], np.float32),
            "semantic": np.full_like(MAP, bad if bad != 7.0 else 0.0),
        },
    )
    found = answer(pipeline_of(tmp_path, {}))
    assert found.classification is None
    assert "no classification: detector@1 returned invalid probabilities" in found.notes
    if bad != 7.0:
        assert found.segmentation is None
        assert any(note.startswith("no segmentation: detector@1") for note in found.notes)


def test_a_frame_that_is_not_computed_repeats_neither(bundles: Path) -> None:
    pipeline = pipeline_of(bundles, {"model": "heads", "compute_every": 2})
    assert answer(pipeline, stamp_ns=1).classification is not None
    skipped = answer(pipeline, stamp_ns=2)
    assert skipped.classification is None
    assert skipped.segmentation is None
    again = answer(pipeline, stamp_ns=3)
    assert again.segmentation is not None
    assert again.segmentation.stamp_ns == 3


def test_tracks_live_on_where_the_detector_stays(bundles: Path) -> None:
    pipeline = pipeline_of(bundles, {})
    epoch = answer(pipeline, stamp_ns=1).tracks.epoch
    with_classes = pipeline_of(bundles, {"classifier_model": "classifier"}).perceiver
    pipeline.swap_perceiver(with_classes, same_detector=True).close()
    found = answer(pipeline, stamp_ns=2)
    assert found.classification is not None
    assert found.tracks.epoch == epoch
    pipeline.swap_perceiver(pipeline_of(bundles, {}).perceiver).close()
    assert answer(pipeline, stamp_ns=3).tracks.epoch == epoch + 1


@pytest.mark.parametrize(
    ("role", "output", "expected"),
    [
        ("class_probabilities", np.zeros((1, 2), np.float32), "3 in its second dimension"),
        ("semantic", np.zeros((1, 3, 4, 4), np.float32), "4 in its second dimension"),
        ("semantic", np.zeros((4, 4, 4), np.float32), "4 dimensions, the first of them 1"),
    ],
)
def test_a_head_that_does_not_fit_the_classes_is_refused(
    tmp_path: Path, role: str, output: np.ndarray, expected: str
) -> None:
    constants = {**BUNDLES["heads"][1], role: output}
    manifest = {"task": "multitask", "format": "native", "input": IMAGE, "classes": CLASSES}
    make_bundle(tmp_path / "detector", manifest=manifest, constants=constants)
    with pytest.raises(BundleError, match=expected):
        pipeline_of(tmp_path, {})
