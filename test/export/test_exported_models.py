"""Exported graphs say what torch says: any batch, any size, and nearly so in fewer bits."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.export.graph import export_graph
from robot_vision.export.parity import (
    TOLERANCE,
    check_parity,
    largest_differences,
    onnx_predictor,
)
from robot_vision.export.quantise import to_fp16, to_int8
from robot_vision.models.card import Graph, Size
from robot_vision.models.multitask.native import NativeSpec, build_native, served_graphs
from robot_vision.models.registry import MODELS

WIDTH_PX, HEIGHT_PX = 128, 96


def inputs(
    *, frames: int, batch: int = 1, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX
) -> Iterator[dict[str, np.ndarray]]:
    rng = np.random.default_rng(5)
    for index in range(frames):
        rgb = rng.integers(0, 256, (batch, height_px, width_px, 3), dtype=np.uint8)
        depth_m = rng.uniform(0.3, 4, (batch, 1, height_px, width_px)).astype(np.float32)
        depth_m[rng.random(depth_m.shape) < (0.3, 1.0)[index % 2]] = 0
        focal_px = rng.uniform(200, 500, (batch, 1)).astype(np.float32)
        focal_px[0] *= index % 2
        yield {"rgb": rgb, "depth_m": depth_m, "focal_px": focal_px}


def graph_of(*, any_size: bool = False) -> Graph:
    """Weights and statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    spec = NativeSpec(classes=4)
    model = build_native(spec)
    with torch.no_grad():
        for given in inputs(frames=4, batch=4):
            model.train()(*map(torch.from_numpy, given.values()))
    size = Size(width_px=WIDTH_PX, height_px=HEIGHT_PX, any_size=any_size)
    (graph,) = served_graphs(model.eval(), spec, size)
    return graph


@pytest.fixture(scope="module")
def graph() -> Graph:
    return graph_of()


@pytest.fixture(scope="module")
def file(graph: Graph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_graph(graph, tmp_path_factory.mktemp("onnx") / "model.onnx")


def test_onnx_equals_torch_on_a_hundred_frames(graph: Graph, file: Path) -> None:
    assert check_parity(graph, file, inputs(frames=100), most=TOLERANCE) <= TOLERANCE


def test_the_batch_is_free(graph: Graph, file: Path) -> None:
    check_parity(graph, file, inputs(frames=2, batch=3), most=TOLERANCE)


def test_the_graph_takes_pixels_and_names_no_output_as_an_input(graph: Graph, file: Path) -> None:
    found = onnx.load(file).graph
    assert [value.name for value in found.input] == list(graph.example)
    assert found.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [value.name for value in found.output] == list(graph.outputs.values())
    assert not set(graph.outputs.values()) & set(graph.example)


def test_an_output_named_as_an_input_is_refused(graph: Graph, tmp_path: Path) -> None:
    outputs = dict(graph.outputs) | {"depth_m": "depth_m"}
    with pytest.raises(ConfigError, match="names an output as an input: depth_m"):
        export_graph(replace(graph, outputs=outputs), tmp_path / "model.onnx")


def test_a_size_that_the_model_refuses_is_refused_in_its_words(tmp_path: Path) -> None:
    card = MODELS.get("classifier")
    assert card.serving is not None
    model = card.build(card.tiny)
    (graph,) = card.serving.graphs(model, card.tiny, Size(width_px=100, height_px=96))
    with pytest.raises(ConfigError, match=r"^a picture of 100 x 96 px .* nearest is 96 x 96$"):
        export_graph(graph, tmp_path / "model.onnx")


def test_another_graph_is_found_to_differ(graph: Graph, file: Path) -> None:
    class Shifted(nn.Module):
        def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
            with torch.no_grad():
                first, *rest = graph.module(*given)
            return (first + 1, *rest)

    with pytest.raises(BundleError, match=r"'boxes_xyxy' differs from torch by .*at most 0\.0001"):
        check_parity(replace(graph, module=Shifted()), file, inputs(frames=1), most=TOLERANCE)


def test_without_samples_nothing_is_proven(graph: Graph, file: Path) -> None:
    with pytest.raises(BundleError, match="there are no held-out samples"):
        check_parity(graph, file, [], most=TOLERANCE)


def test_input_that_is_not_a_number_differs() -> None:
    def constant(value: float) -> dict[str, np.ndarray]:
        return {"x": np.array([[1.0, value]], np.float32)}

    def worst(one: float, other: float) -> float:
        return largest_differences(lambda _: constant(one), lambda _: constant(other), [{}])["x"]

    assert worst(1.0, np.nan) == np.inf
    assert worst(np.nan, np.nan) == np.inf
    assert worst(1.0, 1.0) == 0
    assert worst(-1e4, -1e4 + 1) < 1e-3


def test_hidden_logits_are_not_a_measure_for_the_others() -> None:
    one, other = np.array([-1e4, 2.0]), np.array([-1e4, 1.0])
    found = largest_differences(lambda _: {"x": one}, lambda _: {"x": other}, [{}])
    assert found["x"] == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_graph_of_any_size_runs_at_other_sizes(tmp_path: Path) -> None:
    graph = graph_of(any_size=True)
    file = export_graph(graph, tmp_path / "any.onnx")
    others = inputs(frames=2, batch=2, width_px=192, height_px=160)
    check_parity(graph, file, others, most=TOLERANCE)


def test_half_precision_is_smaller_and_close(graph: Graph, file: Path, tmp_path: Path) -> None:
    half = to_fp16(file, tmp_path / "half.onnx")
    assert half.stat().st_size < 0.7 * file.stat().st_size
    exact, fewer = (onnx_predictor(f, graph.outputs) for f in (file, half))
    worst = largest_differences(exact, fewer, inputs(frames=4))
    assert worst["scores"] < 0.02
    assert worst["boxes_xyxy"] < 0.05
    assert worst["depth_m"] < 0.05
    found = onnx.load(half).graph
    used = {name for node in found.node for name in node.input}
    assert {tensor.name for tensor in found.initializer} <= used


def test_eight_bits_are_smaller_and_still_the_same_model(
    graph: Graph, file: Path, tmp_path: Path
) -> None:
    small = to_int8(file, tmp_path / "small.onnx", inputs(frames=8))
    assert small.stat().st_size < 0.5 * file.stat().st_size
    kinds = {node.op_type for node in onnx.load(small).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    exact, quantised = (onnx_predictor(f, graph.outputs) for f in (file, small))
    for given in inputs(frames=2):
        one, other = exact(given), quantised(given)
        cosine = float((one["embedding"] * other["embedding"]).sum())
        assert cosine > 0.9


def test_where_there_are_no_convolutions_products_of_matrices_are_quantised(
    tmp_path: Path,
) -> None:
    card = MODELS.get("policy-s")
    torch.manual_seed(0)
    assert card.serving is not None
    language, _ = card.serving.graphs(
        card.build(card.tiny), card.tiny, Size(width_px=0, height_px=0)
    )
    file = export_graph(language, tmp_path / "language.onnx")
    given = {name: tensor.numpy() for name, tensor in language.example.items()}
    small = to_int8(file, tmp_path / "small.onnx", [given])
    assert "QuantizeLinear" in {node.op_type for node in onnx.load(small).graph.node}
