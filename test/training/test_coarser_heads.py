"""Coarser heads learn from the labels of the fine one; what is ignored pulls nowhere."""

import pytest
import torch
import torch.nn.functional as F

from robot_vision.training.data.labels.labelled import IGNORED
from robot_vision.training.losses.coarser_heads import coarser_losses

WEIGHT = torch.ones(3)


def labels() -> torch.Tensor:
    """Class 1 on the left, 2 in the middle of the right, the rest background; an ignored row."""
    found = torch.zeros(1, 8, 8, dtype=torch.long)
    found[:, :, :4] = 1
    found[:, 2, 6] = 2
    found[:, 0] = IGNORED
    return found


def test_right_answers_cost_nothing() -> None:
    medium = 50.0 * F.one_hot(labels()[:, 2::4, 2::4], 3).permute(0, 3, 1, 2)
    coarse = torch.tensor([[50.0, 50.0, 50.0]])
    losses = coarser_losses({"medium": medium, "coarse": coarse}, labels(), class_weight=WEIGHT)
    assert float(losses["medium"]) == pytest.approx(0, abs=1e-4)
    assert float(losses["coarse"]) == pytest.approx(0, abs=1e-4)


def test_what_no_pixel_shows_is_not_in_view() -> None:
    seen = labels()
    seen[seen == 2] = IGNORED
    said = {"coarse": torch.tensor([[50.0, 50.0, -50.0]])}
    assert float(coarser_losses(said, seen, class_weight=WEIGHT)["coarse"]) < 1e-4


def test_where_all_is_ignored_nothing_pulls() -> None:
    medium = torch.zeros(1, 3, 2, 2, requires_grad=True)
    ignored = torch.full((1, 8, 8), IGNORED)
    loss = coarser_losses({"medium": medium}, ignored, class_weight=WEIGHT)["medium"]
    loss.backward()
    assert float(loss.detach()) == 0
    assert medium.grad is not None
    assert not medium.grad.any()


def test_a_model_without_such_heads_has_no_such_losses() -> None:
    assert coarser_losses({"output": torch.zeros(1, 3, 8, 8)}, labels(), class_weight=WEIGHT) == {}
