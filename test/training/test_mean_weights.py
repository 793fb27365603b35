"""Weights averaged with those that they were trained from."""

from pathlib import Path

import pytest
import torch

from robot_vision.core.errors import ConfigError
from robot_vision.models.multitask.native import build_native
from robot_vision.training.engine.checkpoint import mean_weights, save_weights


def weights_of(file: Path, *, seed: int, names: tuple[str, ...] = ("cup", "bowl")) -> Path:
    torch.manual_seed(seed)
    model = build_native("native-s", classes=len(names))
    for norm in model.modules():
        if isinstance(norm, torch.nn.BatchNorm2d) and norm.num_batches_tracked is not None:
            norm.num_batches_tracked += 7
    save_weights(file, model, class_names=names)
    return file


def test_the_mean_lies_half_way_between_both(tmp_path: Path) -> None:
    files = [weights_of(tmp_path / f"{seed}.safetensors", seed=seed) for seed in (1, 2)]
    ends = [mean_weights(file, file)[0] for file in files]
    mean, classes = mean_weights(files[0], files[1])
    assert classes == ("cup", "bowl")
    assert mean.keys() == ends[0].keys()
    moved = 0
    for name, tensor in mean.items():
        assert tensor.dtype == ends[0][name].dtype
        if tensor.is_floating_point():
            assert torch.allclose(tensor, (ends[0][name] + ends[1][name]) / 2, atol=1e-6)
            moved += not torch.equal(tensor, ends[0][name])
        else:
            assert tensor == 7
    assert moved > 50
    build_native("native-s", classes=2).load_state_dict(mean)


def test_other_classes_and_other_networks_are_refused(tmp_path: Path) -> None:
    file = weights_of(tmp_path / "ours.safetensors", seed=1)
    renamed = weights_of(tmp_path / "renamed.safetensors", seed=1, names=("cup", "dish"))
    with pytest.raises(ConfigError, match="cup, bowl and cup, dish and differ in no layer"):
        mean_weights(file, renamed)
    more = weights_of(tmp_path / "more.safetensors", seed=1, names=("cup", "bowl", "can"))
    with pytest.raises(ConfigError, match=r"differ in heads\.0\.classes\.bias, heads\.0\.classes"):
        mean_weights(file, more)
    with pytest.raises(ConfigError, match="cannot read the weights"):
        mean_weights(file, tmp_path / "missing.safetensors")
