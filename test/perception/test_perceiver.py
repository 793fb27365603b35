"""A detector with depth and feature models of their own; errors that name what is wrong."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import make_bundle

from robot_vision.core.errors import BundleError
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, Percept
from robot_vision.perception.perceiver import build_perceiver

IMAGE = {"name": "images", "width_px": 64, "height_px": 48, "resize": "stretch"}
SLOPE_M = np.tile(np.linspace(1, 3, 16, dtype=np.float32), (12, 1))
STAGES = {"preprocess", "inference", "postprocess", "depth"}


@pytest.fixture
def bundles(tmp_path: Path) -> dict[str, str]:
    """A detector that finds nothing, depth models and a feature model, by what they are."""
    rng = np.random.default_rng(0)
    described: dict[str, tuple[dict[str, Any], dict[str, np.ndarray]]] = {
        "detector": (
            {"task": "detection", "format": "yolov8", "classes": ["cup"]},
            {"out": np.zeros((1, 5, 9), np.float32)},
        ),
        "metric": (
            {"task": "depth", "format": "depth_metric"},
            {"depth": SLOPE_M[None, None] * 2},
        ),
        "relative": (  # [1, h, w], as Depth Anything has it
            {"task": "depth", "format": "depth_relative"},
            {"predicted": 5 / SLOPE_M[None] + 1},
        ),
        "features": (
            {"task": "features", "format": "features"},
            {"features": rng.random((1, 6, 3, 4), dtype=np.float32)},
        ),
    }
    for name, (manifest, constants) in described.items():
        manifest = {"input": IMAGE, **manifest}
        make_bundle(tmp_path / name, manifest=manifest, constants=constants)
    return {name: str(tmp_path / name) for name in described}


def perceiver_of(bundles: dict[str, str], **config: str) -> Perceiver:
    values = {"model": "detector"} | config
    values = {
        name: bundles.get(value, value) if name.endswith("model") else value
        for name, value in values.items()
    }
    return build_perceiver(with_values(ServiceConfig(threads=1, device="cpu"), values))


def perceive(perceiver: Perceiver, depth_m: np.ndarray | None) -> Percept:
    rgb = np.zeros((48, 64, 3), np.uint8)
    frame = Frame(stamp_ns=3, frame_id="camera", rgb=rgb, depth_m=depth_m)
    return perceiver.perceive(frame)


def half_of_the_sensor() -> np.ndarray:
    depth_m = np.repeat(np.repeat(SLOPE_M, 4, axis=0), 4, axis=1)
    depth_m[:, :32] = np.nan
    return depth_m


@pytest.mark.parametrize("kind", ["metric", "relative"])
def test_a_depth_model_fills_what_the_sensor_misses(bundles: dict[str, str], kind: str) -> None:
    perceiver = perceiver_of(bundles, depth_model=kind, **{"depth.fill": "model"})
    percept = perceive(perceiver, half_of_the_sensor())
    assert percept.depth is not None
    assert (percept.depth.source, percept.depth.valid_fraction) == ("fused", 1.0)
    assert percept.depth.depth_m[20, 1] == pytest.approx(1.0, rel=0.05)
    assert percept.depth.depth_m[20, -1] == pytest.approx(3.0, rel=0.05)
    assert set(percept.stage_s) == STAGES


def test_a_depth_model_that_fills_no_holes_is_reported(
    bundles: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    perceiver_of(bundles, depth_model="metric", **{"depth.fill": "model"})
    assert not caplog.records
    perceiver_of(bundles, depth_model="metric")
    assert "only if the sensor measures nothing at all; set depth.fill: model" in caplog.text


def test_depth_without_a_sensor_is_the_metric_models(bundles: dict[str, str]) -> None:
    percept = perceive(perceiver_of(bundles, depth_model="metric"), None)
    assert percept.depth is not None
    assert percept.depth.source == "model"
    assert np.allclose(percept.depth.depth_m, SLOPE_M * 2)
    assert perceive(perceiver_of(bundles, depth_model="relative"), None).depth is None


def test_without_a_depth_model_holes_are_filled_from_around(bundles: dict[str, str]) -> None:
    percept = perceive(perceiver_of(bundles), half_of_the_sensor())
    assert percept.depth is not None
    assert (percept.depth.source, percept.depth.valid_fraction) == ("fused", 1.0)
    assert percept.depth.measured.mean() == 0.5


def test_the_sensor_alone_is_depth_too(bundles: dict[str, str]) -> None:
    perceiver = perceiver_of(bundles, **{"depth.mode": "sensor"})
    percept = perceive(perceiver, half_of_the_sensor())
    assert percept.depth is not None
    assert (percept.depth.source, percept.depth.valid_fraction) == ("sensor", 0.5)
    assert set(percept.stage_s) == STAGES


def test_a_feature_model_of_its_own(bundles: dict[str, str]) -> None:
    percept = perceive(perceiver_of(bundles, feature_model="features"), None)
    assert percept.features is not None
    assert percept.features.model_id == "features@1"
    assert percept.features.grid.shape == (6, 3, 4)
    pooled = percept.features.grid.mean(axis=(1, 2))
    assert np.allclose(percept.features.embedding, pooled / np.linalg.norm(pooled), atol=1e-5)


def test_what_was_loaded_is_reported(bundles: dict[str, str]) -> None:
    perceiver = perceiver_of(bundles, depth_model="metric")
    assert (perceiver.provider, perceiver.model_id) == ("cpu", "detector@1")
    assert perceiver.class_names == ("cup",)
    assert perceiver.fallback_reason == ""
    auto = perceiver_of(bundles, device="auto")
    assert (auto.provider == "cpu") == bool(auto.fallback_reason)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model": "metric"}, r"task 'depth'; expected detection or multitask"),
        ({"depth_model": "features"}, r"task 'features'; expected depth"),
        ({"feature_model": "detector"}, r"no output with the role .features.; it has output"),
        ({"model": "no-such-model"}, r"no model bundle 'no-such-model'"),
    ],
)
def test_a_bundle_in_the_wrong_place_is_explained(
    bundles: dict[str, str], config: dict[str, str], message: str
) -> None:
    with pytest.raises(BundleError, match=message):
        perceiver_of(bundles, **config)
