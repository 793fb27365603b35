"""INT8 is searched on a real graph: only what is faster and says enough is accepted."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from robot_vision.compressing.search import Search, Space, Tried, check_space
from robot_vision.core.errors import ConfigError
from robot_vision.export.quantise import Scheme

RNG = np.random.default_rng(0)
ROWS = [{"x": RNG.random((1, 8, 16, 16), dtype=np.float32)} for _ in range(4)]
SPACE = Space(
    operators=[("Conv",)],
    excluded=[(), ("last",)],
    per_channel=[True],
    activations=["uint8"],
    opsets=[0],
    ranges=["minmax", "percentile"],
)


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two convolutions, `first` and `last`."""
    weights = [
        numpy_helper.from_array(RNG.normal(size=(8, 8, 3, 3)).astype(np.float32), f"{n}.weight")
        for n in ("first", "last")
    ]
    nodes = [
        helper.make_node("Conv", ["x", "first.weight"], ["middle"], "a", pads=[1, 1, 1, 1]),
        helper.make_node("Conv", ["middle", "last.weight"], ["y"], "b", pads=[1, 1, 1, 1]),
    ]
    shape = [1, 8, 16, 16]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "two",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
            weights,
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )
    file = tmp_path_factory.mktemp("graph") / "model.onnx"
    onnx.save(model, file)
    return file


def rounded_layers(file: Path) -> set[str]:
    constants = onnx.load(file).graph.initializer
    return {c.name.split(".")[0] for c in constants if c.name.endswith("weight_quantized")}


def searching(graph: Path, *, least_gain: float = 0.0) -> Search:
    """The judge likes what leaves `last` alone."""
    return Search(
        file=graph,
        outputs={"y": "y"},
        rows=ROWS,
        trained={},
        judge=lambda file: 0.5 if "last" in rounded_layers(file) else 0.9,
        least_gain=least_gain,
        least_figure=0.8,
        threads=1,
        rounds=1,
        say=print,
    )


def test_it_accepts_what_says_enough(graph: Path, tmp_path: Path) -> None:
    search = searching(graph)
    tried = search.run(SPACE, tmp_path)
    assert len(tried) == 4
    assert {t.figure for t in tried} == {0.5, 0.9}
    best = search.accepted(tried)
    assert best is not None
    assert best.scheme.excluded == ("last",)
    assert rounded_layers(search.make(best.scheme, tmp_path / "best.onnx")) == {"first"}


def test_what_is_slower_is_not_judged(graph: Path, tmp_path: Path) -> None:
    search = searching(graph, least_gain=1000)
    tried = search.run(SPACE, tmp_path)
    assert len(tried) == 2
    assert all(np.isnan(t.figure) and t.gain > 0 for t in tried)
    assert search.accepted(tried) is None


def test_the_fastest_of_the_good_is_taken(graph: Path) -> None:
    tried = [
        Tried(scheme=Scheme(), gain=3.0, figure=0.7),
        Tried(scheme=Scheme(opset=20), gain=2.0, figure=0.8),
        Tried(scheme=Scheme(opset=21), gain=2.0, figure=0.9),
    ]
    assert searching(graph).accepted(tried) is tried[2]


def test_an_opset_that_there_is_not_is_reported_and_the_others_go_on(
    graph: Path, tmp_path: Path
) -> None:
    space = Space(
        operators=[("Conv",)],
        excluded=[()],
        per_channel=[True],
        activations=["uint8"],
        opsets=[0, 9999],
        ranges=["minmax"],
    )
    tried = searching(graph).run(space, tmp_path)
    assert [bool(t.failed) for t in tried] == [False, True]


def test_trained_ranges_need_a_training() -> None:
    space = Space(
        operators=[()], excluded=[()], per_channel=[True], activations=["uint8"], opsets=[0],
        ranges=["trained"],
    )  # fmt: skip
    with pytest.raises(ConfigError, match="expected a step `tune` with eight_bits"):
        check_space(space, {})
