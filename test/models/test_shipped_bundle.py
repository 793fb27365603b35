"""The weights in the package: whole, small, honest of themselves, one model in both files."""

import numpy as np
import pytest
from goes import measured

from robot_vision.bench.models.model import measure_model
from robot_vision.export.parity import TOLERANCE, check_parity
from robot_vision.model_store.policies import find_policy
from robot_vision.model_store.store import Bundle, find_bundle
from robot_vision.models.card import Size
from robot_vision.models.registry import MODELS
from robot_vision.models.served import served_graph
from robot_vision.models.weights import load_exactly, read_weights, spec_of

MOST_BYTES = 4_500_000
STATED = (
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
    assert set(STATED) <= set(manifest.metrics)
    assert manifest.licence == "Apache-2.0"
    assert "synthetic" in manifest.limits
    assert manifest.score_threshold == pytest.approx(
        float(manifest.metrics["best_f1_threshold"]), abs=0.006
    )


def test_its_weights_in_torch_say_what_its_graph_says(bundle: Bundle) -> None:
    card = MODELS.get(bundle.manifest.architecture)
    weights = read_weights(bundle.path / "model.safetensors")
    assert tuple(weights.travels["classes"]) == bundle.manifest.classes
    spec = spec_of(weights, card, {"classes": len(bundle.manifest.classes)})
    model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    image = bundle.manifest.input
    size = Size(width_px=image.width_px, height_px=image.height_px)
    rng = np.random.default_rng(0)
    rgb = rng.integers(0, 256, (1, size.height_px, size.width_px, 3), dtype=np.uint8)
    depth_m = rng.uniform(0.3, 2, (1, 1, size.height_px, size.width_px)).astype(np.float32)
    depth_m[..., 100:220, 90:260] = 0
    given = {"rgb": rgb, "depth_m": depth_m, "focal_px": np.full((1, 1), 400, np.float32)}
    blind = given | {"depth_m": np.zeros_like(depth_m)}
    graph = served_graph(card, model, spec, size)
    assert graph.outputs == bundle.manifest.outputs
    check_parity(graph, bundle.model_path, [given, blind], most=TOLERANCE)


def test_the_policys_weights_say_nearly_what_its_graphs_say() -> None:
    """Nearly: they are kept in half precision, for going on with training."""
    bundle = find_policy("policy-s")
    card = MODELS.get(bundle.manifest.architecture)
    weights = read_weights(bundle.path / bundle.manifest.weights_file)
    spec = spec_of(weights, card, {"words": len(bundle.manifest.vocabulary.words)})
    model = card.build(spec)
    load_exactly(model, weights, name=card.name)
    assert card.serving is not None
    for graph in card.serving.graphs(model, spec, Size(width_px=0, height_px=0)):
        given = {name: tensor.numpy() for name, tensor in graph.example.items()}
        check_parity(graph, bundle.path / graph.file, [given], most=0.02)


def test_the_benchmark_compares_three_ways(bundle: Bundle) -> None:
    def slower_than_expected() -> float:
        """At least 1 where ONNX is no faster than torch, or not twice as fast as separate nets."""
        times = measure_model(bundle, threads=1, rounds=1)
        assert times.onnx_ms > 0
        return max(times.onnx_ms / times.torch_ms, 2 / times.against_separate_nets)

    assert measured(slower_than_expected, below=1.0) < 1.0
