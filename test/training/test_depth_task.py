"""Depth from colour: its batches, its loss, its figures, and what a bundle of it needs."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.models.registry import MODELS
from robot_vision.training.data.held_out.depth import DepthHeldOut
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.depth import depth_loss
from robot_vision.training.tasks.depth import DepthOptions, DepthTask

CPU = torch.device("cpu")


def task_of(train: Path, val: Path | None, cache: Path, **options: object) -> DepthTask:
    values = {"train_set": str(train), "val_set": str(val or ""), "cache_dir": str(cache)}
    sizes = [{"width_px": 96, "height_px": 64, "until": 0.5}, {"width_px": 128, "height_px": 96}]
    chosen = DepthOptions.model_validate(values | {"resolutions": sizes} | options)
    recipe = Recipe.model_validate({"task": "depth", "model": "tiny-depth", "options": chosen})
    task = TASKS.get("depth")(recipe, CPU)
    assert isinstance(task, DepthTask)
    return task


class Everywhere(nn.Module):
    """Says one depth everywhere, at another size than the truth has."""

    def __init__(self, depth_m: float) -> None:
        super().__init__()
        self.depth_m = depth_m

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        return {"depth": torch.full((len(rgb), 1, 10, 15), self.depth_m)}


def test_batches_follow_the_part_of_the_run_and_repeat(shapes_set: Path, tmp_path: Path) -> None:
    task = task_of(shapes_set, None, tmp_path)
    early, late = (next(task.batches(3, part)) for part in (0.0, 0.9))
    assert early.rgb.shape == (16, 64, 96, 3)
    assert late.rgb.shape == (16, 96, 128, 3)
    again = next(task_of(shapes_set, None, tmp_path).batches(3, 0.9))
    assert torch.equal(late.rgb, again.rgb)
    assert not torch.equal(late.rgb, next(task.batches(4, 0.9)).rgb)


def test_truth_is_never_hidden(shapes_set: Path, tmp_path: Path) -> None:
    hiding = {"depth_holes": 1.0, "depth_withheld": 1.0, "scale_min": 1, "scale_max": 1}
    task = task_of(shapes_set, None, tmp_path, augmentation=hiding | {"shift": 0})
    batch = next(task.batches(0, 0.9))
    assert (batch.depth_m > 0).all()


def test_the_loss_is_naught_where_the_answer_is_right_and_forgives_a_factor_by_half() -> None:
    true_m = torch.rand(3, 1, 12, 16) + 0.5
    true_m[0, :, :4] = 0
    right, _ = depth_loss(true_m.clamp(min=0.1), true_m)
    assert right.item() == pytest.approx(0, abs=1e-6)
    total, parts = depth_loss(true_m.clamp(min=0.1) * 2, true_m)
    log2 = float(np.log(2))
    assert parts["scale_invariant"].item() == pytest.approx(0.5 * log2**2, rel=1e-4)
    assert parts["log_l1"].item() == pytest.approx(log2, rel=1e-4)
    assert total.item() == pytest.approx(sum(p.item() for p in parts.values()))


def test_an_image_without_truth_pulls_nowhere() -> None:
    depth_m = torch.ones(2, 1, 4, 4, requires_grad=True)
    true_m = torch.ones(2, 1, 4, 4) * 2
    true_m[1] = 0
    total, _ = depth_loss(depth_m, true_m)
    total.backward()
    assert depth_m.grad is not None
    assert depth_m.grad[0].all()
    assert not depth_m.grad[1].any()


def test_steps_lower_the_loss(shapes_set: Path, tmp_path: Path) -> None:
    task = task_of(shapes_set, None, tmp_path)
    torch.manual_seed(0)
    card = MODELS.get("tiny-depth")
    model = card.build(card.tiny)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.02)
    losses = []
    for step in range(12):
        batch = next(task.batches(step, 0.0))
        total, _ = task.loss(task.answer(model, batch), batch)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        losses.append(total.item())
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])


def test_the_trivial_answer_gains_nothing_and_another_is_worse(
    shapes_set: Path, tmp_path: Path
) -> None:
    task = task_of(shapes_set, shapes_set, tmp_path)
    median_m = task.travels()["median_depth_m"]
    assert median_m == pytest.approx(1.5)
    figures = task.evaluate(Everywhere(median_m).train())
    assert figures["absrel_gain"] == pytest.approx(0, abs=1e-6)
    assert figures["absrel"] == pytest.approx(figures["trivial_absrel"])
    assert figures["rmse_m"] == pytest.approx(figures["trivial_rmse_m"], rel=1e-4)
    assert task.evaluate(Everywhere(3.0))["absrel_gain"] < -1
    assert task_of(shapes_set, None, tmp_path).evaluate(Everywhere(1.0)) == {}


def test_evaluation_leaves_the_model_in_training(shapes_set: Path, tmp_path: Path) -> None:
    model = Everywhere(1.0).train()
    task_of(shapes_set, shapes_set, tmp_path).evaluate(model)
    assert model.training


def test_a_set_without_depth_is_refused(boxes_set: Path, shapes_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no depth: expected `depth_true_file`"):
        task_of(boxes_set, None, tmp_path)
    with pytest.raises(ConfigError, match="has no depth: expected `depth_true_file`"):
        task_of(shapes_set, boxes_set, tmp_path)
    with pytest.raises(ConfigError, match=r"options\.train_set=data/train"):
        task_of(Path(), None, tmp_path, train_set="")


def test_what_is_exported_is_measured_and_described(shapes_set: Path, tmp_path: Path) -> None:
    task = task_of(shapes_set, shapes_set, tmp_path)
    held_out = DepthTask.held_out(task.recipe, task.travels(), None)
    assert isinstance(held_out, DepthHeldOut)
    assert held_out.size is not None
    assert (held_out.size.width_px, held_out.size.height_px) == (128, 96)
    for inputs in (held_out.inputs("model.onnx", 2), held_out.calibration("model.onnx", 2)):
        assert [i["rgb"].shape for i in inputs] == [(1, 96, 128, 3)] * 2
    answer = {"depth": np.full((1, 1, 24, 32), 1.5, np.float32)}
    metrics = held_out.metrics({"model.onnx": lambda _: answer})
    assert metrics["absrel_gain"] == 0
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "model.safetensors").write_bytes(b"")
    image = ModelInput(
        name="rgb", width_px=128, height_px=96, depth_name="", focal_name="", size_name=""
    )
    values = {"name": "tiny", "format": "depth_metric", "metrics": metrics, "image": image}
    with pytest.raises(ValueError, match=r"model\.onnx is not a file"):
        held_out.write(tmp_path / "tiny", values | {"files": ("model.onnx",), "outputs": {}})


def test_weights_of_another_task_are_refused(shapes_set: Path, tmp_path: Path) -> None:
    recipe = task_of(shapes_set, shapes_set, tmp_path).recipe
    with pytest.raises(ConfigError, match="carry no median_depth_m"):
        DepthTask.held_out(recipe, {"classes": ["cup"]}, None)
