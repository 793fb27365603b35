"""Weights averaged with those that they were trained from."""

from pathlib import Path

import pytest
import torch

from robot_vision.core.errors import ConfigError
from robot_vision.models.multitask.native import build_native
from robot_vision.models.multitask.native_parts import NativeSpec
from robot_vision.models.weights import Weights, load_exactly, mean_of, read_weights, write_weights


def weights_of(file: Path, *, seed: int, names: tuple[str, ...] = ("cup", "bowl")) -> Weights:
    torch.manual_seed(seed)
    model = build_native(NativeSpec(classes=len(names)))
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d) and norm.num_batches_tracked is not None:
            norm.num_batches_tracked += 7
    written = Weights(
        file=file, tensors=model.state_dict(), model="native-s", travels={"classes": list(names)}
    )
    write_weights(file, written)
    return read_weights(file)


def test_the_mean_lies_half_way_between_both(tmp_path: Path) -> None:
    one, two = (weights_of(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (1, 2))
    mean = mean_of(one, two)
    assert mean.travels == {"classes": ["cup", "bowl"]}
    assert mean.tensors.keys() == one.tensors.keys()
    moved = 0
    for name, tensor in mean.tensors.items():
        assert tensor.dtype == one.tensors[name].dtype
        if tensor.is_floating_point():
            half = (one.tensors[name] + two.tensors[name]) / 2
            assert torch.allclose(tensor, half, atol=1e-6)
            moved += not torch.equal(tensor, one.tensors[name])
        else:
            assert tensor == 7
    assert moved > 50
    load_exactly(build_native(NativeSpec(classes=2)), mean, name="native-s")


def test_other_classes_and_other_networks_are_refused(tmp_path: Path) -> None:
    ours = weights_of(tmp_path / "ours.safetensors", seed=1)
    renamed = weights_of(tmp_path / "renamed.safetensors", seed=1, names=("cup", "dish"))
    with pytest.raises(ConfigError, match=r"classes are .*bowl.*dish.*their layers are the same"):
        mean_of(ours, renamed)
    more = weights_of(tmp_path / "more.safetensors", seed=1, names=("cup", "bowl", "can"))
    with pytest.raises(ConfigError, match=r"another shape: heads\.0\.classes\.bias"):
        mean_of(ours, more)
    with pytest.raises(ConfigError, match="cannot read the weights"):
        read_weights(tmp_path / "missing.safetensors")
