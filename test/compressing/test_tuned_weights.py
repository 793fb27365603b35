"""The engine goes on from pruned, sparse and rounded weights, and the export serves them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import onnx
import pytest
import torch
from onnx import numpy_helper
from runs import Rows, assert_same, shapes_recipe
from safetensors.torch import load_file

from robot_vision.compressing.pruning.channels import Wanted, prune_channels
from robot_vision.compressing.weights_folder import build, write
from robot_vision.core.errors import ConfigError
from robot_vision.export.bundle import ExportOptions, export_run
from robot_vision.models.weights import read_weights, write_weights
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.run import build_run
from robot_vision.training.engine.stepping.eight_bits import RANGES

pytest.importorskip("torch_pruning")
FEW = {"run__steps": 2, "run__round_steps": 1}


@pytest.fixture(scope="module")
def whole(shapes_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    run = tmp_path_factory.mktemp("whole") / "run"
    train(recipe(shapes_set, run), run, reporter=Rows())
    return run


@pytest.fixture(scope="module")
def narrow(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    built, out = build(whole), tmp_path_factory.mktemp("narrow") / "run"
    wanted = Wanted(ratio=0.5, round_to=2, by="magnitude")
    pruned = prune_channels(built.model, built.example(), wanted)
    write(out, built, pruned.model.state_dict(), built.recipe, pruned=True)
    return out


def recipe(shapes_set: Path, run: Path, **changes: Any) -> Recipe:
    sets = {"options__val_set": str(shapes_set), "options__evaluation_images": 2}
    return shapes_recipe(shapes_set, run.parent / "cache", **(FEW | sets | changes))


def test_a_run_goes_on_from_pruned_weights_and_resumes_bit_for_bit(
    shapes_set: Path, narrow: Path, tmp_path: Path
) -> None:
    tuned = recipe(shapes_set, narrow, run__init_weights=str(narrow))
    train(tuned, tmp_path / "run", reporter=Rows())
    found = read_weights(tmp_path / "run" / "weights.safetensors")
    begun = read_weights(narrow / "weights.safetensors")
    assert found.pruned
    assert {n: t.shape for n, t in found.tensors.items()} == {
        n: t.shape for n, t in begun.tensors.items()
    }
    with pytest.raises(KeyboardInterrupt):
        train(tuned, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(tuned, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("run", "cut")))


def test_a_pruned_run_is_served_as_any_other(narrow: Path, whole: Path, tmp_path: Path) -> None:
    export_run(narrow, tmp_path / "narrow")
    export_run(whole, tmp_path / "whole")
    sizes = [(tmp_path / f / "model.onnx").stat().st_size for f in ("narrow", "whole")]
    assert sizes[0] < sizes[1]
    shapes = [
        [(o.name, str(o.type)) for o in onnx.load(tmp_path / f / "model.onnx").graph.output]
        for f in ("narrow", "whole")
    ]
    assert shapes[0] == shapes[1]
    assert read_weights(tmp_path / "narrow" / "model.safetensors").pruned


def test_another_model_cannot_begin_from_pruned_weights(shapes_set: Path, narrow: Path) -> None:
    other = recipe(shapes_set, narrow, model="native-m", run__init_weights=str(narrow))
    with pytest.raises(ConfigError, match="is a pruned 'native-s', the recipe's model is"):
        build_run(other)


def test_other_classes_begin_afresh_in_a_pruned_model(
    shapes_set: Path, narrow: Path, tmp_path: Path
) -> None:
    found = read_weights(narrow / "weights.safetensors")
    three = {n: torch.cat([t, t[:1]]) if ".classes." in n else t for n, t in found.tensors.items()}
    other = replace(found, tensors=three, travels={"classes": ["a", "b", "c"]})
    write_weights(tmp_path / "other.safetensors", other)
    file = str(tmp_path / "other.safetensors")
    run = build_run(recipe(shapes_set, narrow, run__init_weights=file))
    layer = run.model.get_submodule("heads.0.classes")
    assert tuple(layer.weight.shape[:2]) == (2, three["heads.0.classes.weight"].shape[1])
    answer = run.model(*run.card.example(run.spec, 2).values())
    assert answer["class_logits"].shape[2] == 2


def test_zeros_stay_where_a_recipe_says_so(shapes_set: Path, whole: Path, tmp_path: Path) -> None:
    built = build(whole)
    layer = "encoder.stages.3.0.pointwise.0"
    weight = built.model.get_submodule(layer).weight
    assert isinstance(weight, torch.Tensor)
    weight.data[:, ::2] = 0
    write(tmp_path / "sparse", built, built.model.state_dict(), built.recipe, pruned=False)
    for keeps, zeros in ((True, weight.shape[1] // 2), (False, 0)):
        out = tmp_path / f"run-{keeps}"
        changes = {"run__init_weights": str(tmp_path / "sparse"), "run__keep_zeros": keeps}
        train(recipe(shapes_set, whole, **changes), out, reporter=Rows())
        found = read_weights(out / "weights.safetensors").tensors[f"{layer}.weight"]
        assert int((found.abs().sum(dim=(0, 2, 3)) == 0).sum()) == zeros


def test_ranges_that_were_trained_are_those_of_the_int8_graph(
    shapes_set: Path, whole: Path, tmp_path: Path
) -> None:
    aware = recipe(
        shapes_set, whole, run__init_weights=str(whole), run__eight_bits=["encoder.stages.1.*"]
    )
    train(aware, tmp_path / "run", reporter=Rows())
    ranges = read_weights(tmp_path / "run" / "weights.safetensors").travels[RANGES]
    assert ranges
    assert all(name.startswith("encoder.stages.1.") for name in ranges)
    export_run(tmp_path / "run", tmp_path / "int8", ExportOptions(precision="int8"))
    graph = onnx.load(tmp_path / "int8" / "model.onnx").graph
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    scales = [
        float(constants[node.input[1]])
        for node in graph.node
        if node.op_type == "QuantizeLinear" and constants[node.input[1]].ndim == 0
    ]
    for low, high in ranges.values():
        assert min(abs(scale - (high - low) / 255) for scale in scales) < 1e-6
    rounded = [c for c in constants.values() if c.dtype == "int8" and c.ndim == 4]
    assert len(rounded) == len(ranges)  # what was not trained in eight bits stays as it is


def test_a_run_in_eight_bits_resumes_bit_for_bit(
    shapes_set: Path, whole: Path, tmp_path: Path
) -> None:
    aware = recipe(shapes_set, whole, run__eight_bits=["encoder.*"])
    train(aware, tmp_path / "run", reporter=Rows())
    with pytest.raises(KeyboardInterrupt):
        train(aware, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(aware, tmp_path / "cut", reporter=Rows())
    assert_same(*(load_file(tmp_path / f / "checkpoint.safetensors") for f in ("run", "cut")))


def test_a_pattern_of_no_layer_is_refused(shapes_set: Path, whole: Path) -> None:
    with pytest.raises(ConfigError, match="'nothing' matches no convolution or linear layer"):
        build_run(recipe(shapes_set, whole, run__eight_bits=["nothing"]))
