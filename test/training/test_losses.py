"""Each loss is least where the prediction is right, and its gradient points there."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from robot_vision.models.multitask.native import build_native
from robot_vision.models.multitask.native_parts import NativeSpec
from robot_vision.training.data.samples.samples import Batch, SampleCache, collate
from robot_vision.training.data.sets.coco import load_coco_set
from robot_vision.training.losses.assign import Assignment
from robot_vision.training.losses.native import (
    LossWeights,
    MultiTaskLoss,
    appearance_loss,
    box_loss,
    class_loss,
    complete_iou,
    depth_loss,
)


@pytest.fixture
def batch(shapes_set: Path, tmp_path: Path) -> Batch:
    cache = SampleCache(load_coco_set(shapes_set), width_px=128, height_px=96, folder=tmp_path)
    return collate([cache[i] for i in range(4)])


def test_complete_iou_is_one_for_equal_boxes_and_negative_far_away() -> None:
    box = torch.tensor([[10.0, 10.0, 30.0, 50.0]])
    assert complete_iou(box, box).item() == pytest.approx(1.0, abs=1e-4)
    assert complete_iou(box, box + 200.0).item() < 0


def test_gradient_of_the_box_loss_moves_the_box_to_the_object() -> None:
    box = torch.tensor([[[0.0, 0.0, 10.0, 10.0]]], requires_grad=True)
    truth = torch.tensor([[[6.0, 0.0, 16.0, 10.0]]])
    positive = Assignment(object_row=torch.zeros(1, 1).long(), quality=torch.ones(1, 1))
    box_loss(box, truth, positive).backward()
    assert box.grad is not None
    assert box.grad[0, 0, 0] < 0
    assert box.grad[0, 0, 2] < 0


def test_class_loss_prefers_the_quality_as_the_score() -> None:
    assignment = Assignment(object_row=torch.tensor([[0, -1]]), quality=torch.tensor([[0.8, 0.0]]))
    classes = torch.tensor([[1]])

    def loss(own: float, other: float) -> float:
        probabilities = torch.full((1, 2, 3), 0.01)
        probabilities[0, 0, 1] = own
        probabilities[0, 1, 0] = other
        return class_loss(torch.logit(probabilities), classes, assignment).item()

    assert loss(0.8, 0.01) < loss(0.3, 0.01)
    assert loss(0.8, 0.01) < loss(0.99, 0.01)
    assert loss(0.8, 0.01) < loss(0.8, 0.9)


def test_depth_loss_is_zero_when_right_and_ignores_what_is_unknown() -> None:
    truth = torch.rand(1, 1, 16, 24) + 0.5
    wrong = truth * 1.3
    unknown = truth.clone()
    unknown[..., :8, :] = 0
    nothing = torch.zeros(1, 1, 64, 96)
    assert depth_loss(truth, truth, nothing).item() == pytest.approx(0.0, abs=1e-6)
    assert depth_loss(wrong, truth, nothing).item() > 0.2
    mixed = torch.cat([wrong[..., :8, :], truth[..., 8:, :]], dim=2)
    assert depth_loss(mixed, unknown, nothing).item() == pytest.approx(0.0, abs=1e-6)
    assert depth_loss(truth, torch.zeros_like(truth), nothing).item() == 0.0


def test_depth_that_the_sensor_gives_weighs_less_than_what_must_be_guessed() -> None:
    truth = torch.full((1, 1, 16, 24), 1.0)
    given = torch.zeros(1, 1, 64, 96)
    given[..., :48] = 1.0
    wrong_where_given, wrong_elsewhere = truth.clone(), truth.clone()
    wrong_where_given[..., :12] *= 1.2
    wrong_elsewhere[..., 12:] *= 1.2
    assert depth_loss(wrong_where_given, truth, given) < 0.5 * depth_loss(
        wrong_elsewhere, truth, given
    )


def test_what_is_too_far_costs_more_than_what_is_as_many_times_too_near() -> None:
    truth = torch.full((1, 1, 16, 24), 1.0)
    nothing = torch.zeros(1, 1, 64, 96)
    too_near, too_far = (depth_loss(truth * part, truth, nothing) for part in (1 / 1.5, 1.5))
    assert 1.1 * too_near < too_far
    assert torch.isfinite(depth_loss(truth * 1e6, truth, nothing))


def test_a_hole_weighs_more_than_as_much_of_a_picture_without_depth() -> None:
    truth = torch.full((2, 1, 16, 24), 1.0)
    given = torch.zeros(2, 1, 64, 96)
    given[0, ..., 48:] = 1.0
    wrong_in_hole, wrong_without = truth.clone(), truth.clone()
    wrong_in_hole[0, ..., :12] *= 1.2
    wrong_without[1, ..., :12] *= 1.2
    assert depth_loss(wrong_in_hole, truth, given) > 1.5 * depth_loss(wrong_without, truth, given)


def test_turned_hues_ask_for_no_colours(batch: Batch) -> None:
    model = build_native(NativeSpec(classes=3))
    criterion = MultiTaskLoss(model.spec, classes=3, colors=4, weights=LossWeights())
    out = model(batch.rgb, batch.depth_m, batch.focal_px)
    turned = replace(batch, hue_turned=torch.ones(len(batch.rgb), dtype=torch.bool))
    criterion(out, turned)[0].backward()
    for_colors = criterion.presence.weight.grad[3:]
    assert not for_colors.any()
    assert appearance_loss(out["features"], turned).item() == 0.0


def test_appearance_loss_is_less_when_like_objects_look_alike(batch: Batch) -> None:
    labels = torch.unique(batch.class_id * 1000 + batch.color_id)
    alike = torch.zeros(len(batch.rgb), len(labels), 6, 8)
    for image in range(len(batch.rgb)):
        for box, kind, color in zip(
            batch.boxes_xyxy[image], batch.class_id[image], batch.color_id[image], strict=True
        ):
            x0, y0, x1, y1 = (box / 16).round().long().tolist()
            channel = int((labels == kind * 1000 + color).nonzero())
            alike[image, channel, y0 : y1 + 1, x0 : x1 + 1] = 1.0
    noise = torch.rand(alike.shape, generator=torch.Generator().manual_seed(0))
    assert appearance_loss(alike, batch) < appearance_loss(noise, batch)


def test_every_task_pulls_on_the_network(batch: Batch) -> None:
    model = build_native(NativeSpec(classes=2)).train()
    criterion = MultiTaskLoss(model.spec, classes=2, colors=2, weights=LossWeights())
    total, losses = criterion(model(batch.rgb, batch.depth_m, batch.focal_px), batch)
    total.backward()
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in model.parameters())
    scales = criterion.log_scale.parameters()
    assert all(scale.grad is not None and scale.grad.abs() > 0 for scale in scales)


def test_a_set_of_boxes_alone_trains_the_detector_alone(boxes_set: Path, tmp_path: Path) -> None:
    cache = SampleCache(load_coco_set(boxes_set), width_px=128, height_px=96, folder=tmp_path)
    batch = collate([cache[i] for i in range(4)])
    model = build_native(NativeSpec(classes=2)).train()
    criterion = MultiTaskLoss(model.spec, classes=2, colors=0, weights=LossWeights())
    total, losses = criterion(model(batch.rgb, batch.depth_m, batch.focal_px), batch)
    total.backward()
    assert losses["depth"].item() == 0.0
    assert losses["masks"].item() == 0.0
    assert losses["classes"].item() > 0.0
    assert F.relu(batch.depth_true_m).sum() == 0
