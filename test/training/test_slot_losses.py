"""Slots are matched with things whatever their order; what is right costs nothing."""

import pytest
import torch

from robot_vision.training.losses.slots import (
    matched,
    slot_class_loss,
    slot_mask_losses,
    true_segments,
)

# Background, a large thing (2) and a small one (1).
INSTANCES = torch.tensor([[0, 0, 0, 0, 2, 2, 2, 1]], dtype=torch.uint8)


def test_segments_are_the_background_and_things_by_size() -> None:
    segments, ids = true_segments(INSTANCES, 4)
    assert ids.tolist() == [[0, 2, 1, 256]]
    assert segments.sum(dim=2).tolist() == [[4, 3, 1, 0]]
    assert torch.equal(segments[0, 1], (INSTANCES[0] == 2).float())


def test_the_smallest_things_are_left_out_where_slots_are_few() -> None:
    _, ids = true_segments(INSTANCES, 2)
    assert ids.tolist() == [[0, 2]]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_perfect_masks_cost_nothing_in_any_order(order: list[int]) -> None:
    segments, _ = true_segments(INSTANCES, 3)
    masks = segments[:, order]
    chosen = matched(masks, segments)
    assert chosen.tolist() == [[order.index(row) for row in range(3)]]
    losses = slot_mask_losses(masks, segments, chosen)
    assert float(losses["masks"]) == pytest.approx(0, abs=1e-4)
    assert float(losses["dice"]) == pytest.approx(0, abs=1e-4)


def test_empty_segments_are_matched_with_nothing() -> None:
    segments, _ = true_segments(INSTANCES, 4)
    uniform = torch.full((1, 4, 8), 0.25)
    chosen = matched(uniform, segments)
    assert chosen[0, 3] == -1
    assert sorted(chosen[0, :3].tolist())[0] >= 0
    assert len(set(chosen[0, :3].tolist())) == 3


def test_a_small_thing_counts_as_much_as_a_large_one() -> None:
    segments, _ = true_segments(INSTANCES, 3)
    chosen = torch.tensor([[0, 1, 2]])
    missed = []
    for thing in (1, 2):
        masks = segments.clone()
        masks[:, thing] = 0.5 * segments[:, thing]
        missed.append(float(slot_mask_losses(masks, segments, chosen)["masks"]))
    assert missed[0] == pytest.approx(missed[1], rel=1e-3)


def test_classes_are_asked_of_the_slot_that_has_the_thing() -> None:
    _, ids = true_segments(INSTANCES, 4)
    class_id = torch.tensor([[5, 3]])  # of the instances 1 and 2
    chosen = torch.tensor([[2, 0, 1, -1]])
    logits = torch.zeros(1, 4, 8)
    for slot, wanted in ((2, 7), (0, 3), (1, 5)):  # background is the last class
        logits[0, slot, wanted] = 50
    assert float(slot_class_loss(logits, chosen, ids, class_id)) == pytest.approx(0, abs=1e-4)


def test_things_of_no_known_class_count_for_nothing() -> None:
    _, ids = true_segments(INSTANCES, 3)
    logits = torch.zeros(1, 3, 8)
    logits[0, 0, 7] = 50
    loss = slot_class_loss(logits, torch.tensor([[0, 1, 2]]), ids, torch.tensor([[-1, -1]]))
    assert float(loss) == pytest.approx(0, abs=1e-4)
