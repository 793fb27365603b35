"""Exported graphs say what torch says: any batch, any size, and nearly so in fewer bits."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from robot_vision.export.onnx import INPUTS, TENSOR_OF_ROLE, export_onnx
from robot_vision.export.parity import TOLERANCE, largest_differences, onnx_predictor
from robot_vision.export.quantise import to_fp16, to_int8
from robot_vision.models.multitask.native import OUTPUTS, NativeModel, build_native
from robot_vision.training.metrics.native import torch_predictor

WIDTH_PX, HEIGHT_PX = 128, 96


def inputs(
    *, frames: int, batch: int = 1, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(5)
    for index in range(frames):
        rgb = rng.integers(0, 256, (batch, height_px, width_px, 3), dtype=np.uint8)
        depth_m = rng.uniform(0.3, 4, (batch, 1, height_px, width_px)).astype(np.float32)
        depth_m[rng.random(depth_m.shape) < (0.3, 1.0)[index % 2]] = 0
        focal_px = rng.uniform(200, 500, (batch, 1)).astype(np.float32)
        focal_px[0] *= index % 2
        yield rgb, depth_m, focal_px


@pytest.fixture(scope="module")
def model() -> NativeModel:
    """Weights and statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    model = build_native("native-s", classes=4)
    with torch.no_grad():
        for given in inputs(frames=4, batch=4):
            model.train()(*map(torch.from_numpy, given))
    return model.eval()


@pytest.fixture(scope="module")
def file(model: NativeModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("onnx") / "model.onnx"
    return export_onnx(model, target, width_px=WIDTH_PX, height_px=HEIGHT_PX)


def test_onnx_equals_torch_on_a_hundred_frames(model: NativeModel, file: Path) -> None:
    worst = largest_differences(
        torch_predictor(model, device=torch.device("cpu")),
        onnx_predictor(file),
        inputs(frames=100),
    )
    assert set(worst) == set(OUTPUTS)
    assert max(worst.values()) <= TOLERANCE, worst


def test_the_batch_is_free(model: NativeModel, file: Path) -> None:
    worst = largest_differences(
        torch_predictor(model, device=torch.device("cpu")),
        onnx_predictor(file),
        inputs(frames=2, batch=3),
    )
    assert max(worst.values()) <= TOLERANCE, worst


def test_the_graph_takes_pixels_and_names_no_output_as_an_input(file: Path) -> None:
    graph = onnx.load(file).graph
    assert [value.name for value in graph.input] == list(INPUTS)
    assert graph.input[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert [value.name for value in graph.output] == list(TENSOR_OF_ROLE.values())
    assert not {value.name for value in graph.output} & set(INPUTS)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_graph_of_any_size_runs_at_other_sizes(model: NativeModel, tmp_path: Path) -> None:
    target = tmp_path / "any.onnx"
    export_onnx(model, target, width_px=WIDTH_PX, height_px=HEIGHT_PX, any_size=True)
    worst = largest_differences(
        torch_predictor(model, device=torch.device("cpu")),
        onnx_predictor(target),
        inputs(frames=2, batch=2, width_px=192, height_px=160),
    )
    assert max(worst.values()) <= TOLERANCE, worst


def test_half_precision_is_smaller_and_close(file: Path, tmp_path: Path) -> None:
    half = to_fp16(file, tmp_path / "half.onnx")
    assert half.stat().st_size < 0.7 * file.stat().st_size
    worst = largest_differences(onnx_predictor(file), onnx_predictor(half), inputs(frames=4))
    assert worst["scores"] < 0.02
    assert worst["boxes_xyxy"] < 0.05
    assert worst["depth_m"] < 0.05
    graph = onnx.load(half).graph
    used = {name for node in graph.node for name in node.input}
    assert {tensor.name for tensor in graph.initializer} <= used


def test_eight_bits_are_smaller_and_still_the_same_model(file: Path, tmp_path: Path) -> None:
    small = to_int8(file, tmp_path / "small.onnx", inputs(frames=8))
    assert small.stat().st_size < 0.5 * file.stat().st_size
    kinds = {node.op_type for node in onnx.load(small).graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    exact, quantised = onnx_predictor(file), onnx_predictor(small)
    for given in inputs(frames=2):
        one, other = exact(*given), quantised(*given)
        cosine = float((one["embedding"] * other["embedding"]).sum())
        assert cosine > 0.9
