"""Files of weights: what does not fit is named; a mean is of two of a kind."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.registry import MODELS
from robot_vision.models.weights import (
    Weights,
    load_exactly,
    load_weights,
    mean_of,
    read_weights,
    spec_of,
    write_weights,
)

CARD = MODELS.get("policy-s")


def weights(file: Path, **changes: object) -> Weights:
    values: dict[str, object] = {
        "file": file,
        "tensors": {"layer.weight": torch.ones(2, 3), "count": torch.tensor(7)},
        "model": "policy-s",
        "spec": CARD.tiny.model_dump(mode="json"),
        "travels": {"classes": ["cup", "bowl"]},
    }
    return Weights(**(values | changes))  # type: ignore[arg-type]


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    given = weights(file)
    write_weights(file, given)
    read = read_weights(file)
    assert (read.model, read.spec, read.travels) == ("policy-s", given.spec, given.travels)
    assert torch.equal(read.tensors["layer.weight"], given.tensors["layer.weight"])
    assert spec_of(read, CARD, {}) == CARD.tiny
    assert list(tmp_path.iterdir()) == [file]


def test_half_precision_spares_whole_numbers(tmp_path: Path) -> None:
    file = tmp_path / "weights.safetensors"
    write_weights(file, weights(file), half=True)
    read = read_weights(file).tensors
    assert read["layer.weight"].dtype == torch.float16
    assert read["count"].dtype == torch.int64


def test_files_of_before_say_their_classes(tmp_path: Path) -> None:
    file = tmp_path / "old.safetensors"
    save_file({"x": torch.ones(1)}, file, metadata={"classes": '["cup"]'})
    assert read_weights(file).travels == {"classes": ["cup"]}
    assert spec_of(read_weights(file), CARD, {"words": 40, "no_field": 1}).words == 40


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"spec": "{"}, "spec in .*expected JSON"),
        ({"spec": "[1]"}, "expected a mapping as spec"),
        ({"travels": "3"}, "expected a mapping as travels"),
    ],
)
def test_damaged_metadata_are_named(tmp_path: Path, metadata: dict[str, str], says: str) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"x": torch.ones(1)}, file, metadata=metadata)
    with pytest.raises(ConfigError, match=says):
        read_weights(file)


def test_input_that_is_not_a_file_of_weights_is_named(tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("hello")
    for name in ("text.safetensors", "missing.safetensors"):
        with pytest.raises(ConfigError, match=f"cannot read the weights .*{name}"):
            read_weights(tmp_path / name)


def test_a_folder_that_cannot_be_written_keeps_what_was_there(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "weights.safetensors"
    with pytest.raises(ConfigError, match="cannot write the weights"):
        write_weights(file, weights(file))


def test_layers_that_do_not_fit_are_named(tmp_path: Path) -> None:
    layer = nn.Linear(3, 2)
    model = nn.Sequential(layer)
    given = weights(
        tmp_path / "w.safetensors",
        tensors={"0.weight": torch.ones(5, 3), "more": torch.ones(1)},
    )
    with pytest.raises(
        ConfigError,
        match=r"missing: 0\.bias; unexpected: more; of another shape: 0\.weight \[5, 3\] for",
    ):
        load_exactly(model, given, name="toy")
    before = layer.weight.detach().clone()
    fit = load_weights(model, given.tensors | {"0.bias": torch.full((2,), 4.0)})
    assert fit.fresh == ("0.weight",)
    assert torch.equal(layer.weight, before)
    assert layer.bias.tolist() == [4.0, 4.0]


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="weights of 'native-s', expected 'policy-s'"):
        spec_of(weights(tmp_path / "w", model="native-s"), CARD, {})
    with pytest.raises(ConfigError, match="not a multiple of heads"):
        spec_of(weights(tmp_path / "w", spec={"width": 9, "heads": 2}), CARD, {})


def test_a_mean_lies_half_way_and_is_of_two_of_a_kind(tmp_path: Path) -> None:
    one = weights(tmp_path / "one")
    other = weights(tmp_path / "other", tensors=one.tensors | {"layer.weight": torch.zeros(2, 3)})
    mean = mean_of(one, other)
    assert torch.equal(mean.tensors["layer.weight"], torch.full((2, 3), 0.5))
    assert mean.tensors["count"] == 7
    with pytest.raises(ConfigError, match=r"classes are .*bowl.* and .*dish"):
        mean_of(one, weights(tmp_path / "x", travels={"classes": ["cup", "dish"]}))
    with pytest.raises(ConfigError, match=r"x cannot be averaged: missing: count, layer"):
        mean_of(one, weights(tmp_path / "x", tensors={}))
