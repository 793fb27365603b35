"""The weights in the package: whole, small, told of honestly, and one model in both files."""

import numpy as np
import pytest
import torch

from robot_vision.bench.model import measure_model
from robot_vision.export.parity import TOLERANCE, largest_differences, onnx_predictor
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.models.multitask.native import build_native
from robot_vision.training.engine.checkpoint import load_weights_file
from robot_vision.training.metrics.native import torch_predictor

MOST_BYTES = 4_500_000
TOLD = (
    "AP",
    "AP50",
    "mask_AP",
    "AP_depth_withheld",
    "depth_color_absrel",
    "depth_color_depth_absrel",
    "depth_holes_absrel",
    "calibration_error",
    "command",
    "recipe",
)


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    return find_bundle("native-s")


def test_it_is_small_and_says_what_it_is(bundle: Bundle) -> None:
    manifest = bundle.manifest
    assert bundle.model_path.stat().st_size < MOST_BYTES
    assert set(TOLD) <= set(manifest.metrics)
    assert manifest.licence == "Apache-2.0"
    assert "synthetic" in manifest.limits
    assert manifest.score_threshold == pytest.approx(
        float(manifest.metrics["best_f1_threshold"]), abs=0.006
    )


def test_its_weights_in_torch_say_what_its_graph_says(bundle: Bundle) -> None:
    tensors, classes = load_weights_file(bundle.path / "model.safetensors")
    assert classes == bundle.manifest.classes
    model = build_native(bundle.manifest.architecture, classes=len(classes))
    model.load_state_dict(tensors)
    size = bundle.manifest.input
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (1, size.height_px, size.width_px, 3), dtype=np.uint8)
    depth_m = rng.uniform(0.3, 2, (1, 1, size.height_px, size.width_px)).astype(np.float32)
    depth_m[..., 100:220, 90:260] = 0
    focal_px = np.full((1, 1), 400, np.float32)
    worst = largest_differences(
        torch_predictor(model.eval(), device=torch.device("cpu")),
        onnx_predictor(bundle.model_path),
        [(rgb, depth_m, focal_px), (rgb, np.zeros_like(depth_m), focal_px)],
    )
    assert max(worst.values()) <= TOLERANCE, worst


def test_the_benchmark_compares_three_ways(bundle: Bundle) -> None:
    times = measure_model(bundle, threads=1, rounds=1)
    assert 0 < times.onnx_ms < times.torch_ms
    assert times.against_separate_nets > 2
