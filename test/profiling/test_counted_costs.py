"""Multiplications, parameters and memory: as public counters and arithmetic have them."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import references
import torch
import torch.nn.functional as F
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from robot_vision.core.parameters.values import with_values
from robot_vision.models.registry import MODELS
from robot_vision.profiling.counting.onnx_layers import onnx_cost
from robot_vision.profiling.counting.onnx_macs import macs_of
from robot_vision.profiling.counting.torch_layers import torch_layers, torch_memory


@pytest.mark.parametrize(
    ("encoder", "public", "published_gmacs"),
    [
        ("resnet18", "resnet18", 1.82),
        ("resnet50", "resnet50", 4.11),
        ("vit-s16", "vit_small_patch16_224", 4.61),
    ],
)
def test_gmacs_are_those_of_a_public_counter_and_as_published(
    encoder: str, public: str, published_gmacs: float
) -> None:
    """ptflops counts timm's model with its attention unfused: fused, it counts none either."""
    card = MODELS.get("classifier")
    model = card.build(with_values(card.spec, {"encoder.name": encoder, "classes": 1000})).eval()
    layers = torch_layers(model, [torch.zeros(1, 224, 224, 3, dtype=torch.uint8)])
    gmacs = sum(layer.macs for layer in layers) / 1e9
    assert gmacs == pytest.approx(published_gmacs, rel=0.01)

    timm, ptflops = references.timm(), references.ptflops()
    timm.layers.set_fused_attn(False)
    try:
        reference = timm.create_model(public).eval()
    finally:
        timm.layers.set_fused_attn(True)
    with torch.no_grad():
        counted, parameters = ptflops.get_model_complexity_info(
            reference,
            (3, 224, 224),
            as_strings=False,
            print_per_layer_stat=False,
            backend="aten",
        )
    assert gmacs == pytest.approx(counted / 1e9, rel=0.01)
    assert sum(layer.parameters for layer in layers) == parameters


class Attending(nn.Module):
    """Tokens that attend to each other by the fused kernel, and nothing else."""

    def forward(self, tokens: Tensor) -> Tensor:
        return F.scaled_dot_product_attention(tokens, tokens, tokens)


def test_fused_attention_on_the_cpu_is_counted() -> None:
    tokens = torch.randn(1, 2, 7, 16)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        Attending()(tokens)
    by_torch = counter.get_total_flops() // 2
    layers = torch_layers(Attending(), [tokens])
    assert sum(layer.macs for layer in layers) == 2 * (2 * 7 * 7 * 16)
    assert by_torch == 0, "torch counts it by now: ours may be simpler"


class Net(nn.Module):
    """A layer in a list, one that is used twice, and products outside of any layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList([nn.Conv2d(3, 4, 3, padding=1)])
        self.mix = nn.Linear(8, 8, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stages[0](x)
        x = self.mix(self.mix(x))
        return x @ x.transpose(2, 3)


def test_layers_share_out_what_the_network_multiplies() -> None:
    rows = {layer.name: layer for layer in torch_layers(Net(), [torch.zeros(1, 3, 8, 8)])}
    assert {name: layer.macs for name, layer in rows.items()} == {
        "(the network itself)": 4 * 8 * 8 * 8,
        "stages.0": 64 * 4 * 27,
        "mix": 2 * 4 * 8 * 8 * 8,
    }
    assert rows["stages.0"].parameters == 4 * 27 + 4
    assert (rows["mix"].kind, rows["mix"].parameters) == ("Linear", 64)


def test_memory_is_what_is_alive_at_once() -> None:
    net = nn.Sequential(nn.Conv2d(1, 4, 1), nn.ReLU(), nn.Conv2d(4, 1, 1))
    memory = torch_memory(net, [torch.zeros(1, 1, 10, 10)])
    assert memory.weights == 4 * (4 + 4 + 4 + 1)
    assert memory.activations == 4 * (400 + 400 + 100)
    assert memory.peak_activations == 4 * (400 + 400)


CASES: list[tuple[str, dict[str, Any], list[Any], list[Any], int]] = [
    ("Conv", {"group": 2}, [(1, 4, 8, 8), (6, 2, 3, 3)], [(1, 6, 8, 8)], 6 * 64 * 2 * 9),
    ("ConvTranspose", {}, [(1, 4, 8, 8), (4, 6, 2, 2)], [(1, 6, 16, 16)], 4 * 64 * 6 * 4),
    ("QLinearConv", {}, [(1, 3, 8, 8), (), (), (6, 3, 1, 1)], [(1, 6, 8, 8)], 6 * 64 * 3),
    ("MatMul", {}, [(2, 5, 7), (7, 3)], [(2, 5, 3)], 2 * 5 * 3 * 7),
    ("Gemm", {"transA": 1}, [(7, 5), (7, 3)], [(5, 3)], 5 * 3 * 7),
    ("Einsum", {"equation": "bqd,bkd->bqk"}, [(2, 5, 7), (2, 3, 7)], [(2, 5, 3)], 2 * 5 * 3 * 7),
    ("Einsum", {"equation": "...ij,jk->...ik"}, [(2, 5, 7), (7, 3)], [(2, 5, 3)], 2 * 5 * 3 * 7),
    ("Einsum", {"equation": "ij->ji"}, [(5, 7)], [(7, 5)], 0),
    ("LSTM", {}, [(9, 2, 5), (1, 16, 5), (1, 16, 4)], [(9, 1, 2, 4)], 18 * 16 * (5 + 4)),
    ("GRU", {}, [(9, 2, 5), (1, 12, 5), (1, 12, 4)], [(9, 1, 2, 4)], 18 * 12 * (5 + 4)),
    ("Attention", {}, [(1, 2, 7, 16)] * 3, [(1, 2, 7, 16)], 2 * 7 * 7 * 32),
    ("MultiHeadAttention", {}, [(1, 7, 32), (1, 9, 32), (1, 9, 32)], [(1, 7, 32)], 7 * 9 * 64),
    ("Add", {}, [(5, 7), (5, 7)], [(5, 7)], 0),
]


@pytest.mark.parametrize(("kind", "attributes", "inputs", "outputs", "macs"), CASES)
def test_operators_of_onnx_by_arithmetic(
    kind: str, attributes: dict[str, Any], inputs: list[Any], outputs: list[Any], macs: int
) -> None:
    names = [f"x{row}" for row in range(len(inputs))]
    node = helper.make_node(kind, names, ["y"], **attributes)
    assert macs_of(node, inputs, outputs) == macs


def test_what_no_formula_knows_is_named(tmp_path: Path) -> None:
    """A branch whose products are hidden in a graph of its own."""
    weights = numpy_helper.from_array(np.ones((4, 4), np.float32), "w")
    branches = {
        f"{side}_branch": helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], [f"{side}_y"])],
            side,
            [],
            [helper.make_tensor_value_info(f"{side}_y", TensorProto.FLOAT, [1, 4])],
        )
        for side in ("then", "else")
    }
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["outside"]),
            helper.make_node("If", ["which"], ["inside"], **branches),
            helper.make_node("Add", ["outside", "inside"], ["y"]),
        ],
        "branching",
        [
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4]),
            helper.make_tensor_value_info("which", TensorProto.BOOL, []),
        ],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 4])],
        [weights],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, tmp_path / "branching.onnx")
    inputs = {"x": np.ones((1, 4), np.float32), "which": np.array(True)}
    cost = onnx_cost(tmp_path / "branching.onnx", inputs)
    assert cost.uncounted == ("If",)
    assert sum(layer.macs for layer in cost.layers) == 16
    assert cost.memory.weights == 64
    # The first product waits for the second; then both, and their sum.
    assert (cost.memory.activations, cost.memory.peak_activations) == (48, 48)


def test_a_fused_attention_of_onnx_runtime_has_its_own_inputs() -> None:
    """Queries, keys and values are projected in it: 50·32·96, and 2·50·50·32 between them."""
    node = helper.make_node("Attention", ["x", "w", "b"], ["y"], domain="com.microsoft")
    shapes = [(1, 50, 32), (32, 96), (96,)]
    assert macs_of(node, shapes, [(1, 50, 32)]) == 50 * 32 * 96 + 2 * 50 * 50 * 32


def test_what_the_file_holds_in_functions_and_constants_is_counted(tmp_path: Path) -> None:
    """Some exporters write blocks as functions of the file, and weights as nodes."""
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    block = helper.make_function("own", "Block", ["x", "w"], ["y"], [product], opsets[:1])
    weights = numpy_helper.from_array(np.ones((32, 8), np.float32))
    nodes = [
        helper.make_node("Constant", [], ["weights"], value=weights),
        helper.make_node("Block", ["picture", "weights"], ["answer"], domain="own"),
    ]
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [4, 32])
    answer = helper.make_tensor_value_info("answer", TensorProto.FLOAT, [4, 8])
    graph = helper.make_graph(nodes, "graph", [picture], [answer])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9, functions=[block])
    file = tmp_path / "model.onnx"
    onnx.save(model, file)
    cost = onnx_cost(file, {"picture": np.zeros((4, 32), np.float32)})
    assert [(one.kind, one.parameters, one.macs) for one in cost.layers] == [
        ("MatMul", 32 * 8, 4 * 32 * 8)
    ]
    assert cost.memory.weights == 4 * 32 * 8
    assert cost.memory.activations == 4 * 4 * 8
