"""Task-aligned assignment: who learns what."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.training.losses.assign import all_cells, assign, pairwise_iou

WIDTH_PX, HEIGHT_PX = 128, 96
CLASSES = 3


def random_case(seed: int, objects: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    centers, strides = all_cells(HEIGHT_PX, WIDTH_PX)
    spread = torch.rand(2, len(centers), 4, generator=generator) * 40 + 4
    boxes = torch.cat([centers - spread[..., :2], centers + spread[..., 2:]], dim=2)
    low = torch.rand(2, objects, 2, generator=generator) * torch.tensor([100.0, 70.0])
    size = torch.rand(2, objects, 2, generator=generator) * 40 + 1
    return {
        "scores": torch.rand(2, len(centers), CLASSES, generator=generator),
        "boxes_xyxy": boxes,
        "object_boxes": torch.cat([low, low + size], dim=2),
        "object_classes": torch.randint(-1, CLASSES, (2, objects), generator=generator),
        "centers": centers,
        "strides": strides,
    }


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 8))
def test_cells_learn_real_objects_near_them_with_a_quality_from_0_to_1(
    seed: int, objects: int
) -> None:
    case = random_case(seed, objects)
    assignment = assign(**case)
    image, cell = assignment.positive.nonzero(as_tuple=True)
    row = assignment.object_row[image, cell]
    assert torch.all(case["object_classes"][image, row] >= 0)
    assert torch.all((assignment.quality >= 0) & (assignment.quality <= 1 + 1e-5))
    assert torch.all(assignment.quality[~assignment.positive] == 0)
    box = case["object_boxes"][image, row]
    reach = torch.maximum((box[:, 2:] - box[:, :2]) / 2, case["strides"][cell, None] / 2)
    offset = (case["centers"][cell] - (box[:, :2] + box[:, 2:]) / 2).abs()
    assert torch.all(offset <= reach + 1e-4)


def test_an_object_alone_is_always_learnt_however_small() -> None:
    case = random_case(3, 1)
    case["object_boxes"] = torch.tensor([[[61.0, 41.0, 62.0, 42.0]]] * 2)
    case["object_classes"] = torch.zeros(2, 1, dtype=torch.int64)
    assert assign(**case).positive.any(dim=1).all()


def test_the_best_fitting_cell_gets_its_overlap_as_quality() -> None:
    case = random_case(4, 1)
    truth = torch.tensor([30.0, 20.0, 70.0, 60.0])
    case["object_boxes"] = truth.expand(2, 1, 4).clone()
    case["object_classes"] = torch.ones(2, 1, dtype=torch.int64)
    inside = int(((case["centers"] - torch.tensor([50.0, 40.0])).abs().sum(dim=1)).argmin())
    case["boxes_xyxy"][:, inside] = truth
    case["scores"][:, inside, 1] = 1.0
    assignment = assign(**case)
    assert torch.allclose(assignment.quality[:, inside], torch.ones(2))
    assert torch.all(assignment.quality.argmax(dim=1) == inside)


def test_images_without_objects_have_no_positive_cell() -> None:
    case = random_case(5, 2)
    case["object_classes"][:] = -1
    assert not assign(**case).positive.any()


def test_overlap_of_a_box_with_itself_is_one() -> None:
    boxes = torch.tensor([[[0.0, 0.0, 4.0, 4.0], [2.0, 0.0, 6.0, 4.0]]])
    iou = pairwise_iou(boxes, boxes)
    assert torch.allclose(iou, torch.tensor([[[1.0, 1 / 3], [1 / 3, 1.0]]]))
