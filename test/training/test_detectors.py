"""Tasks of detectors: what they learn, what they refuse, and what they warn of."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from runs import Rows, tiny_spec
from shapes_set import write_shapes_set
from torch import Tensor

from robot_vision.core.errors import ConfigError
from robot_vision.models.detection.yolo_v1 import ROLES
from robot_vision.models.registry import MODELS
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.stepping.step import DivergedError
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.boxes import box_iou, corners, generalized_iou
from robot_vision.training.losses.detr import DetrLossWeights, detr_loss
from robot_vision.training.losses.hungarian import MatchCosts, NotFiniteError, match
from robot_vision.training.losses.yolo_v1 import GridLossWeights, yolo_v1_loss

CPU = torch.device("cpu")
PARTS = ("places", "sizes", "objects", "no_object", "classes")
# Two objects on a grid of 4 × 3 cells of 32 px.
SIZE_PX, STRIDE_PX, CELLS = (128, 96), 32, 12
BOXES = torch.tensor([[[4.0, 4, 28, 20], [70, 40, 90, 90], [0, 0, 0, 0]]])
CLASSES = torch.tensor([[0, 1, -1]])


def recipe(task: str, model: str, folder: Path, cache: Path, **options: Any) -> Recipe:
    values = {
        "task": task,
        "model": model,
        "spec": tiny_spec(model),
        "run": {"steps": 60, "round_steps": 20, "batch_size": 8, "rounds_per_evaluation": 0},
        "optimizer": {"warmup_steps": 5, "learning_rate": 0.01},
        "options": {
            "train_set": str(folder),
            "val_set": str(folder),
            "cache_dir": str(cache),
            "resolutions": [{"width_px": 128, "height_px": 96}],
        }
        | options,
    }
    return recipe_of(values)


def grid_answer(*, boxes: int = 2) -> dict[str, Tensor]:
    """What a grid says that is right: each cell's second box answers."""
    middle = torch.tensor([[16.0 + 32 * (c % 4), 16.0 + 32 * (c // 4)] for c in range(CELLS)])
    box = torch.cat([middle - 1, middle + 1], dim=1)[:, None].repeat(1, boxes, 1)
    confidence, scores = torch.zeros(CELLS, boxes), torch.full((CELLS, boxes, 2), 0.5)
    for row, cell in enumerate((0, 2 * 4 + 2)):
        box[cell, -1] = BOXES[0, row]
        confidence[cell, -1] = 1.0
        scores[cell] = torch.nn.functional.one_hot(CLASSES[0, row], 2).float()
    return {
        "boxes_xyxy": box.reshape(1, -1, 4),
        "confidence": confidence.reshape(1, -1),
        "class_scores": scores.reshape(1, -1, 2),
    }


def loss_of(answer: dict[str, Tensor], **changes: Any) -> dict[str, float]:
    values = {"boxes_xyxy": BOXES, "class_id": CLASSES} | changes
    total, parts = yolo_v1_loss(
        answer, **values, size_px=SIZE_PX, stride_px=STRIDE_PX, weights=GridLossWeights()
    )
    assert total.item() == pytest.approx(sum(p.item() for p in parts.values()))
    return {name: part.item() for name, part in parts.items()}


@pytest.mark.parametrize("boxes", [1, 2, 3])
def test_a_right_grid_costs_nothing(boxes: int) -> None:
    assert loss_of(grid_answer(boxes=boxes)) == pytest.approx(dict.fromkeys(PARTS, 0), abs=1e-6)


def test_each_part_counts_what_the_paper_says() -> None:
    answer = grid_answer()
    answer["boxes_xyxy"][0, 1] += torch.tensor([8.0, 0, 8, 0])  # a quarter of a cell
    found = loss_of(answer)
    assert found["places"] == pytest.approx(5 * 0.25**2)
    assert found["sizes"] == pytest.approx(0, abs=1e-6)
    assert found["objects"] == pytest.approx((1 - 16 / 32) ** 2)  # should say its overlap
    answer = grid_answer()
    answer["confidence"][0, 2] = 0.4  # of a cell without an object
    assert loss_of(answer)["no_object"] == pytest.approx(0.5 * 0.4**2)
    answer = grid_answer()
    answer["class_scores"][0, :2] = torch.tensor([0.7, 0.3])
    assert loss_of(answer)["classes"] == pytest.approx(2 * 0.3**2)
    answer = grid_answer()
    answer["boxes_xyxy"][0, 1] = torch.tensor([4.0, 6, 28, 18])
    root = math.sqrt(16 / 96) - math.sqrt(12 / 96)
    assert loss_of(answer)["sizes"] == pytest.approx(5 * root**2, rel=1e-4)


def test_a_picture_without_objects_asks_for_silence_alone() -> None:
    found = loss_of(grid_answer(), class_id=torch.full_like(CLASSES, -1))
    assert found == pytest.approx(dict.fromkeys(PARTS, 0) | {"no_object": 0.5 * 2})


def test_of_two_objects_in_a_cell_the_smaller_counts() -> None:
    boxes = BOXES.clone()
    boxes[0, 2] = torch.tensor([0.0, 0, 30, 30])
    found = loss_of(grid_answer(), boxes_xyxy=boxes, class_id=torch.tensor([[0, 1, 1]]))
    assert found == pytest.approx(dict.fromkeys(PARTS, 0), abs=1e-6)


part = st.floats(0.05, 0.95)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(part, part, part, part), min_size=2, max_size=2))
def test_overlaps_are_symmetric_and_within_their_bounds(
    rows: list[tuple[float, float, float, float]],
) -> None:
    a, b = corners(torch.tensor(rows, dtype=torch.float64))
    assert 0 <= box_iou(a, b) <= 1
    assert -1 <= generalized_iou(a, b) <= box_iou(a, b) + 1e-9
    torch.testing.assert_close(generalized_iou(a, b), generalized_iou(b, a))
    torch.testing.assert_close(generalized_iou(a, a), torch.tensor(1.0, dtype=torch.float64))


def test_objects_are_matched_with_the_predictions_nearest_to_them() -> None:
    truth = torch.tensor([[[0.2, 0.2, 0.1, 0.1], [0.7, 0.7, 0.2, 0.2], [0, 0, 0, 0]]])
    boxes = torch.tensor([[[0.5, 0.5, 0.9, 0.9], [0.7, 0.68, 0.2, 0.2], [0.2, 0.22, 0.1, 0.1]]])
    logits = torch.zeros(1, 3, 3)
    pairs = match(logits, boxes, truth, torch.tensor([[0, 1, -1]]), costs=MatchCosts())
    assert sorted(zip(pairs.query.tolist(), pairs.row.tolist(), strict=True)) == [(1, 1), (2, 0)]
    certain = torch.full((1, 3, 3), -20.0)
    certain[0, 0, 2] = certain[0, 1, 1] = certain[0, 2, 0] = 20.0
    right = boxes.clone()
    right[0, 1:] = truth[0, [1, 0]]
    losses = detr_loss(certain, right, truth, torch.tensor([[0, 1, -1]]), DetrLossWeights())
    assert {n: v.item() for n, v in losses.items()} == pytest.approx(
        {"classes": 0, "l1": 0, "giou": 0}, abs=1e-5
    )


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize(("broken", "named"), [("logits", "classes"), ("boxes", "l1")])
def test_a_matching_by_no_numbers_is_refused(value: float, broken: str, named: str) -> None:
    """rf-detr#784: SciPy raises without a word of what, or others hang."""
    values = {"logits": torch.zeros(2, 4, 3), "boxes": torch.full((2, 4, 4), 0.5)}
    values[broken][1, 2, 0] = value
    with pytest.raises(NotFiniteError, match=rf"cost '{named}' .* is (nan|-?inf) in 1 of 2"):
        match(
            values["logits"],
            values["boxes"],
            torch.full((2, 1, 4), 0.5),
            torch.zeros(2, 1, dtype=torch.int64),
            costs=MatchCosts(),
        )


def test_a_run_of_detr_that_breaks_names_the_step_and_the_loss(
    shapes_set: Path, tmp_path: Path
) -> None:
    task = TASKS.get("detr")(recipe("detr", "detr", shapes_set, tmp_path), CPU)
    model = MODELS.get("detr").build(MODELS.get("detr").tiny.model_copy(update={"classes": 2}))
    task.prepare(model)
    torch.nn.init.constant_(model.classes.bias, math.nan)
    batches = task.batches(7, 0.0)
    batch = next(batches)
    with pytest.raises(DivergedError, match="step 7: the cost 'classes' of the matching is nan"):
        task.loss(task.answer(model, batch), batch)


@pytest.mark.parametrize(
    ("task", "model", "options"),
    [
        ("yolo_v1", "yolo-v1", {}),
        ("detr", "detr", {}),
        ("detr", "detr", {"cache_features": True, "cached_views": 2}),
        ("multi_task", "multi-task", {}),
        ("multi_task", "multi-task", {"tasks": ["segmentation"]}),
        ("multi_task", "multi-task", {"balance": "fixed", "tasks": ["detection"]}),
    ],
    ids=["yolo", "detr", "cached", "multi", "segmentation", "detection"],
)
def test_steps_lower_the_loss(
    task: str, model: str, options: dict[str, Any], shapes_set: Path, tmp_path: Path
) -> None:
    rows = Rows()
    train(recipe(task, model, shapes_set, tmp_path, **options), tmp_path / "run", reporter=rows)
    totals = [row["total"] for row in rows.rows]
    assert totals[-1] < 0.85 * totals[0]


def test_few_pictures_are_warned_of_and_another_is_recommended(
    shapes_set: Path, tmp_path: Path
) -> None:
    """D-FINE#214."""
    task = TASKS.get("detr")(recipe("detr", "detr", shapes_set, tmp_path), CPU)
    (note,) = task.notes()
    assert "are few for detr" in note
    assert "fine-tune native-s" in note
    assert "yolo-v1" in note
    frozen = recipe("detr", "detr", shapes_set, tmp_path, cache_features=True)
    assert "encoder of fresh weights" in TASKS.get("detr")(frozen, CPU).notes()[1]
    assert (
        TASKS.get("yolo_v1")(recipe("yolo_v1", "yolo-v1", shapes_set, tmp_path), CPU).notes() == ()
    )


def test_cached_features_are_those_of_the_encoder_and_are_kept(
    shapes_set: Path, tmp_path: Path
) -> None:
    chosen = recipe("detr", "detr", shapes_set, tmp_path, cache_features=True, cached_views=2)
    task = TASKS.get("detr")(chosen, CPU)
    torch.manual_seed(0)
    model = MODELS.get("detr").build(MODELS.get("detr").tiny.model_copy(update={"classes": 2}))
    task.prepare(model)
    assert not any(p.requires_grad for p in model.encoder.parameters())
    batch = next(task.batches(0, 0.0))
    (file,) = tmp_path.rglob("features-*.npy")
    kept = np.load(file)
    pictures = len(kept) // 2
    model.eval()
    with torch.no_grad():
        whole = model.map_of(torch.from_numpy(task._cache[3].rgb)[None]).numpy()
    np.testing.assert_allclose(kept[3], whole[0], rtol=2e-3, atol=2e-3)
    assert np.abs(kept[3].astype(float) - kept[3 + pictures]).max() > 1e-2  # another view
    written = file.stat().st_mtime_ns
    again = TASKS.get("detr")(chosen, CPU)
    again.prepare(model)
    torch.testing.assert_close(next(again.batches(0, 0.0)).seen.maps, batch.seen.maps)
    assert file.stat().st_mtime_ns == written
    finer = MODELS.get("detr").tiny.model_copy(update={"classes": 2, "level": -2})
    other = TASKS.get("detr")(chosen, CPU)
    torch.manual_seed(0)
    other.prepare(MODELS.get("detr").build(finer))
    assert next(other.batches(0, 0.0)).seen.maps.shape[2:] == (6, 8)


def test_sets_that_do_not_fit_are_refused(
    shapes_set: Path, boxes_set: Path, tmp_path: Path
) -> None:
    empty = write_shapes_set(tmp_path / "empty", images=2)
    labels = empty / "annotations.json"
    text = labels.read_text()
    start = text.index('"annotations": ')
    labels.write_text(text[:start] + '"annotations": [], ' + text[text.index('"categories"') :])
    with pytest.raises(ConfigError, match="has no boxes in its 2 images"):
        TASKS.get("yolo_v1")(recipe("yolo_v1", "yolo-v1", empty, tmp_path), CPU)
    other = write_shapes_set(tmp_path / "other", images=2)
    (other / "annotations.json").write_text(text.replace("disc", "ball"))
    with pytest.raises(ConfigError, match=r"val_set = .* has the classes .*ball.*expected .*disc"):
        TASKS.get("detr")(recipe("detr", "detr", shapes_set, tmp_path, val_set=str(other)), CPU)
    with pytest.raises(ConfigError, match=r"leave segmentation out of options\.tasks"):
        TASKS.get("multi_task")(recipe("multi_task", "multi-task", boxes_set, tmp_path), CPU)


def test_choices_of_a_model_that_do_not_fit_are_refused() -> None:
    card = MODELS.get("detr")
    with pytest.raises(ConfigError, match=r"expected a multiple of 4.* and of heads = 3"):
        card.build(card.tiny.model_copy(update={"heads": 3}))
    with pytest.raises(ConfigError, match="level = 5: encoder 'resnet18' has 4 maps"):
        card.build(card.tiny.model_copy(update={"level": 5}))
    card = MODELS.get("yolo-v1")
    with pytest.raises(ConfigError, match=r"stride_px = 12: .* strides, 4, 8, 16, 32"):
        card.build(card.tiny.model_copy(update={"stride_px": 12}))
    model = card.build(card.tiny)
    with pytest.raises(ConfigError, match="the nearest is 96 x 64"):
        model(torch.zeros(1, 70, 90, 3, dtype=torch.uint8))


@pytest.mark.parametrize(("stride_px", "boxes"), [(4, 1), (8, 3), (32, 2)])
def test_a_grid_may_be_of_any_cells_and_boxes(stride_px: int, boxes: int) -> None:
    card = MODELS.get("yolo-v1")
    spec = card.tiny.model_copy(update={"stride_px": stride_px, "boxes": boxes})
    model = card.build(spec).eval()
    with torch.no_grad():
        found = model(torch.randint(0, 256, (2, 64, 96, 3), dtype=torch.uint8))
    count = boxes * (64 // stride_px) * (96 // stride_px)
    assert [found[role].shape[:2] for role in ROLES] == [(2, count)] * 3
    torch.testing.assert_close(found["class_scores"].sum(dim=2), torch.ones(2, count))
