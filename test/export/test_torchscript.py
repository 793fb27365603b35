"""TorchScript of every registered model: what a program that embeds it loads says the same."""

import json
from collections.abc import Iterator
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robot_vision.core.errors import BundleError
from robot_vision.export.parity import TOLERANCE
from robot_vision.export.torchscript import NAMES, write_torchscript
from robot_vision.models.card import Graph, Size
from robot_vision.models.registry import MODELS

SIZE = Size(width_px=96, height_px=64)
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")


@pytest.fixture(autouse=True)
def unchecked() -> Iterator[None]:
    """While torch traces, sizes are tensors, which the checks of types refuse."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def samples(graph: Graph, *, count: int = 2) -> list[dict[str, np.ndarray]]:
    """Noise in the shapes of the example, one at a time where the batch is free."""
    draw = np.random.default_rng(3)
    rows = []
    for _ in range(count):
        row = {}
        for name, tensor in graph.example.items():
            value = tensor[:1] if 0 in graph.dynamic.get(name, {}) else tensor
            given = value.numpy().copy()
            if given.dtype == np.uint8:
                given = draw.integers(0, 256, given.shape, np.uint8)
            elif np.issubdtype(given.dtype, np.floating):
                given = given + draw.random(given.shape, np.float32)
            row[name] = given
        rows.append(row)
    return rows


@pytest.mark.parametrize("name", list(MODELS))
def test_any_registered_model(name: str, tmp_path: Path) -> None:
    card = MODELS.get(name)
    assert card.serving is not None
    torch.manual_seed(0)
    for graph in card.serving.graphs(card.build(card.tiny), card.tiny, SIZE):
        file = tmp_path / f"{graph.file}.pt"
        assert write_torchscript(graph, file, samples(graph)) <= TOLERANCE
        held = {NAMES: ""}
        loaded = torch.jit.load(str(file), _extra_files=held)
        names = json.loads(held[NAMES])
        assert names["inputs"] == list(graph.example)
        assert names["outputs"] == list(graph.outputs.values())
        (given,) = samples(graph, count=1)
        tensors = [torch.from_numpy(given[each]) for each in names["inputs"]]
        with torch.no_grad():
            for found, expected in zip(loaded(*tensors), graph.module(*tensors), strict=True):
                torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


class Choosing(nn.Module):
    """What it does depends on what it is given: a trace keeps one way alone."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (x * 2 if float(x.mean()) > 0.1 else x,)


def test_a_trace_that_says_something_else_is_refused(tmp_path: Path) -> None:
    graph = Graph(
        file="choosing.onnx",
        module=Choosing(),
        example={"x": torch.zeros(1, 4)},
        outputs={"y": "y"},
    )
    file = tmp_path / "choosing.pt"
    with pytest.raises(BundleError, match="output 'y' differs from torch by"):
        write_torchscript(graph, file, samples(graph))
    assert not file.exists()
    with pytest.raises(BundleError, match="no held-out samples"):
        write_torchscript(graph, file, [])
