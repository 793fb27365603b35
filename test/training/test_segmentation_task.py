"""Segmentation: label maps of both kinds of sets, the loss, figures, and what is refused."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from picture_sets import picture_recipe, write_folders, write_label_pngs
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.models.encoders.encoder import EncoderChoice
from robot_vision.models.segmentation.unet import UNet, UNetSpec
from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.segmentation import (
    SegmentationWeights,
    dice_loss,
    segmentation_loss,
)
from robot_vision.training.metrics.segmentation import SegmentationCounts, at_cells
from robot_vision.training.tasks.segmentation import SegmentationTask

CPU = torch.device("cpu")
HALVES = ("background", "bright")
STILL = {"scale_min": 1, "scale_max": 1, "shift": 0, "flip": 0, "color": 0}


def task_of(train: Path, val: Path | None, cache: Path, **options: object) -> SegmentationTask:
    recipe = picture_recipe("segmentation", "unet", train, val, cache, **options)
    task = TASKS.get("segmentation")(recipe, CPU)
    assert isinstance(task, SegmentationTask)
    return task


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_label_pngs(tmp_path_factory.mktemp("set") / "halves", images=6, names=HALVES)


class Bright(nn.Module):
    """Says of each cell whether it is bright: right on pictures of halves."""

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        bright = rgb[:, 2::4, 2::4].float().mean(dim=3) / 255 - 0.5
        return {"output": torch.stack([-bright, bright], dim=1)}


def test_labels_follow_the_picture_and_what_lies_beside_it_is_ignored(
    halves: Path, tmp_path: Path
) -> None:
    # 96 x 64 px in 64 x 64: a picture of 64 x 43 with grey above and below, and its first rows
    # are ignored in its labels.
    task = task_of(halves, None, tmp_path, augmentation=STILL)
    batch = next(task.batches(0, 0.0))
    assert batch.rgb.shape == (6, 64, 64, 3)
    assert batch.labels.shape == (6, 16, 16)
    assert (batch.labels[:, :3] == IGNORED).all()
    assert (batch.labels[:, -2:] == IGNORED).all()
    bright = batch.rgb[:, 2::4, 2::4].float().mean(dim=3) > 130
    known = batch.labels != IGNORED
    assert (bright[known] == batch.labels[known].bool()).float().mean() > 0.98


def test_objects_with_masks_become_rows_after_the_background(
    shapes_set: Path, tmp_path: Path
) -> None:
    sizes = [{"width_px": 128, "height_px": 96}]
    task = task_of(shapes_set, None, tmp_path, augmentation=STILL, resolutions=sizes)
    assert task.spec_values() == {"classes": 3}
    batch = next(task.batches(0, 0.0))
    assert set(batch.labels.unique().tolist()) == {0, 1, 2}
    rgb = batch.rgb[:, 2::4, 2::4].float()
    colored = (rgb.max(dim=3).values - rgb.min(dim=3).values) > 90
    assert (colored == (batch.labels > 0)).float().mean() > 0.97


def test_dice_and_cross_entropy_are_those_of_their_definitions() -> None:
    labels = torch.tensor([[[0, 1], [1, IGNORED]]])
    logits = torch.zeros(1, 3, 2, 2)
    # Each class has a third of three cells. 2·common/(both): row 0: 2/3/(1+1), row 1: 4/3/(1+2).
    assert dice_loss(logits, labels).item() == pytest.approx(1 - (1 / 3 + 4 / 9) / 2)
    weights = SegmentationWeights(cross_entropy=2.0, dice=0.5)
    total, parts = segmentation_loss(logits, labels, weights=weights, class_weight=torch.ones(3))
    assert parts["cross_entropy"].item() == pytest.approx(2 * np.log(3))
    assert total.item() == pytest.approx(sum(part.item() for part in parts.values()))
    right = torch.nn.functional.one_hot(labels.clamp(max=2), 3).permute(0, 3, 1, 2) * 50.0
    assert dice_loss(right, labels).item() == pytest.approx(0, abs=1e-6)


def test_ignored_cells_pull_nowhere() -> None:
    labels = torch.tensor([[[0, 1], [IGNORED, IGNORED]]])
    for known in (labels, torch.full_like(labels, IGNORED)):
        logits = torch.randn(1, 2, 2, 2, requires_grad=True)
        total, _ = segmentation_loss(
            logits, known, weights=SegmentationWeights(), class_weight=torch.ones(2)
        )
        total.backward()
        assert logits.grad is not None
        assert not logits.grad[..., 1, :].any()
        assert logits.grad[..., 0, :].any() == (known is labels)


def test_iou_and_boundary_f1_are_those_of_a_map_by_hand() -> None:
    truth = np.zeros((4, 10), np.uint8)
    truth[:, 5:] = 1
    truth[0] = IGNORED
    answer = np.zeros((4, 10), np.uint8)
    answer[:, 6:] = 1
    counts = SegmentationCounts(("ground", "thing", "never seen"))
    counts.add(answer, truth)
    found = counts.summary()
    assert found["iou/ground"] == pytest.approx(15 / 18)
    assert found["iou/thing"] == pytest.approx(12 / 15)
    assert "iou/never seen" not in found
    assert found["miou"] == pytest.approx((15 / 18 + 12 / 15) / 2)
    assert found["pixel_accuracy"] == pytest.approx(0.9)
    assert found["boundary_f1"] == 1.0  # one cell away, which is forgiven
    counts.add(np.roll(answer, -4, axis=1), truth)
    assert counts.summary()["boundary_f1"] < 0.8


def test_an_answer_of_no_class_is_missed() -> None:
    counts = SegmentationCounts(("a", "b"))
    counts.add(np.array([[0, IGNORED]], np.uint8), np.array([[0, 1]], np.uint8))
    found = counts.summary()
    assert found["iou/b"] == 0
    assert found["pixel_accuracy"] == 0.5


def test_a_truth_is_read_at_the_middle_of_cells() -> None:
    labels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert at_cells(labels, rows=2, columns=2).tolist() == [[18, 22], [50, 54]]
    assert np.array_equal(at_cells(labels, rows=8, columns=8), labels)


def test_the_trivial_answers_stand_beside(halves: Path, tmp_path: Path) -> None:
    task = task_of(halves, halves, tmp_path)
    figures = task.evaluate(Bright().train())
    assert figures["miou"] > 0.9
    assert figures["trivial_miou/majority"] < 0.4
    assert figures["trivial_miou/mean_shape"] < figures["trivial_miou/color_histogram"]
    assert figures["trivial_miou"] == figures["trivial_miou/color_histogram"] > 0.9
    assert figures["miou_gain"] == pytest.approx(figures["miou"] - figures["trivial_miou"])


@pytest.mark.parametrize("upsampling", ["bilinear", "transposed"])
def test_u_net_answers_at_a_quarter_with_any_encoder(upsampling: str) -> None:
    for name, options in (
        ("resnet18", {"depths": (1, 1), "width": 4}),
        ("vit-s16", {"depth": 1, "width": 16, "heads": 2}),
        ("native-s", {}),
    ):
        choice = EncoderChoice(name=name, options=options)
        spec = UNetSpec.model_validate(
            {"encoder": choice, "classes": 3, "width": 4, "upsampling": upsampling}
        )
        with torch.no_grad():
            answer = UNet(spec).eval()(torch.zeros(2, 64, 96, 3, dtype=torch.uint8))["output"]
        assert answer.shape == (2, 3, 16, 24)


def test_sets_that_do_not_fit_are_refused(
    halves: Path, shapes_set: Path, boxes_set: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"disc, slab; expected .*: background, bright"):
        task_of(halves, shapes_set, tmp_path)
    with pytest.raises(ConfigError, match=r"have boxes without masks; expected `segmentation`"):
        task_of(boxes_set, None, tmp_path)
    one = write_label_pngs(tmp_path / "one", images=1, names=("all",))
    with pytest.raises(ConfigError, match=r"has 1 classes: all; expected 2 to 255.*'background'"):
        task_of(one, None, tmp_path)
    folders = write_folders(tmp_path / "folders", images=1)
    with pytest.raises(ConfigError, match=r"one class per image; expected label PNGs"):
        task_of(folders, None, tmp_path)


def test_labels_that_do_not_fit_are_named(tmp_path: Path) -> None:
    spoilt = write_label_pngs(tmp_path / "spoilt", images=2, names=HALVES)
    mask = spoilt / "labels" / "1.png"
    cv2.imwrite(str(mask), np.full((64, 96), 7, np.uint8))
    with pytest.raises(ConfigError, match=r"1\.png holds the class ids \[7\]; expected 0 to 1"):
        next(task_of(spoilt, None, tmp_path / "cache").batches(0, 0.0))
    cv2.imwrite(str(mask), np.zeros((32, 48), np.uint8))
    with pytest.raises(ConfigError, match=r"1\.png"):
        next(task_of(spoilt, None, tmp_path / "cache").batches(0, 0.0))
