"""Distillation: its losses, its teachers, and that a run without one is as it was."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from picture_sets import picture_recipe, write_folders
from runs import Rows, assert_same, shapes_recipe, tiny_spec
from safetensors.torch import load_file

from robot_vision.core.cameras.placement import place
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.manifest import ModelInput, ModelManifest
from robot_vision.export.bundle import export_run
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.preprocess import Preprocessor
from robot_vision.training.distillation.maps import MapProjection, at_cells
from robot_vision.training.distillation.open_teacher import of_onnx, open_teacher
from robot_vision.training.distillation.soft_labels import soft_label_loss
from robot_vision.training.distillation.taught_boxes import BoxTeacher
from robot_vision.training.distillation.teacher import Taught, Teacher, prepared
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import changed, recipe_of
from robot_vision.training.engine.run import build_run

CPU = torch.device("cpu")
CHECKPOINT = "checkpoint.safetensors"


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("set") / "colors", images=8)


@pytest.fixture(scope="module")
def recipe(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    """A tiny classifier that has features, on pictures of one colour each."""
    cache = tmp_path_factory.mktemp("cache")
    made = picture_recipe("classification", "classifier", folders, folders, cache)
    return recipe_of(made.model_dump() | {"spec": tiny_spec("classifier")})


@pytest.fixture(scope="module")
def teacher(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose weights stand for a teacher's."""
    run = tmp_path_factory.mktemp("teacher") / "run"
    train(changed(recipe, {"run.seed": 5}), run, reporter=Rows())
    return run


@pytest.fixture(scope="module")
def bundle(teacher: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundles") / "taught"
    export_run(teacher, folder)
    return folder


def taught(recipe: Recipe, teacher: Path, **options: object) -> Recipe:
    values = {f"options.distill.{name}": value for name, value in options.items()}
    return changed(recipe, {"options.distill.teacher": str(teacher)} | values)


def test_the_soft_loss_is_the_divergence_times_the_temperature_squared() -> None:
    student, teacher = torch.randn(5, 7).double(), torch.randn(5, 7).double()
    p, q = ((logits / 3).exp() for logits in (teacher, student))
    p, q = p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True)
    plain = (p * (p / q).log()).sum(dim=1).mean() * 9
    assert torch.allclose(soft_label_loss(student, teacher, temperature=3.0), plain)
    assert soft_label_loss(teacher, teacher, temperature=3.0) == pytest.approx(0, abs=1e-12)


def test_a_map_is_compared_by_direction_at_the_students_size() -> None:
    loss = MapProjection(2, 2)
    with torch.no_grad():
        loss.project.weight.copy_(torch.eye(2)[:, :, None, None])
        loss.project.bias.zero_()
    student = torch.tensor([1.0, 0.0])[None, :, None, None].expand(1, 2, 4, 4)
    other = torch.tensor([0.0, 5.0])[None, :, None, None].expand(1, 2, 2, 2)
    cases = ((student * 7, 0), (other, 1), (-student, 2))
    placement = place(ModelInput(name="rgb", width_px=64, height_px=64), width_px=64, height_px=64)
    for teacher, expected in cases:
        found = loss(student, teacher, placement, (64, 64)).item()
        assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "letterbox_topleft", "crop"])
@pytest.mark.parametrize("size", [(64, 64), (128, 32), (32, 64)])
def test_a_teachers_map_is_read_where_its_input_shows_the_picture(
    resize: str, size: tuple[int, int]
) -> None:
    """A map that holds the colours of its cells: those of the picture at the student's cells."""
    image = ModelInput.model_validate(
        {
            "name": "rgb",
            "width_px": 128,
            "height_px": 64,
            "resize": resize,
            "scale": 1.0,
            "pad_value": 255,
        }
    )
    cells = 4
    ramps = [torch.linspace(0, 200, side) for side in size]
    across, down = torch.meshgrid(*ramps, indexing="xy")
    rgb = torch.stack([across, down, across], dim=2)[None].to(torch.uint8)
    teacher = Teacher(
        manifest=ModelManifest(name="colors", task="features", format="features", input=image),
        identity="",
        about="",
        run=lambda given: {"features": F.avg_pool2d(next(iter(given.values())).float(), 4)},
    )
    taught = teacher.answer(rgb)
    found, is_seen = at_cells(
        taught.outputs["features"], taught.placement, (128, 64), cells=torch.Size((cells, cells))
    )
    expected = F.adaptive_avg_pool2d(rgb.permute(0, 3, 1, 2).float(), cells)
    error = (found - expected).abs().amax(dim=(0, 1))
    assert is_seen.any()
    assert is_seen.all() == (resize != "crop")
    assert error[is_seen].max() < 9


def test_weight_0_is_training_without_a_teacher_bit_for_bit(
    recipe: Recipe, teacher: Path, tmp_path: Path
) -> None:
    train(recipe, tmp_path / "alone", reporter=Rows())
    both = ["logits", "features"]
    train(taught(recipe, teacher, weight=0, what=both), tmp_path / "taught", reporter=Rows())
    assert_same(*(load_file(tmp_path / run / CHECKPOINT) for run in ("alone", "taught")))


def test_a_taught_run_resumes_bit_for_bit_and_names_its_teacher(
    recipe: Recipe, teacher: Path, tmp_path: Path
) -> None:
    made = taught(recipe, teacher, what=["logits", "features"])
    whole = Rows()
    train(made, tmp_path / "whole", reporter=whole)
    assert {"cross_entropy", "distill_logits", "distill_features"} <= whole.rows[0].keys()
    assert any("teaches logits, features" in note for note in whole.notes)
    with pytest.raises(KeyboardInterrupt):
        train(made, tmp_path / "cut", reporter=Rows(stop_after=1))
    train(made, tmp_path / "cut", reporter=Rows())
    found = [load_file(tmp_path / run / CHECKPOINT) for run in ("whole", "cut")]
    assert "distillation.project.weight" in found[0]
    assert_same(*found)


def test_a_run_does_not_go_on_with_another_teacher(
    recipe: Recipe, teacher: Path, tmp_path: Path
) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(taught(recipe, teacher), tmp_path / "run", reporter=Rows(stop_after=1))
    other = tmp_path / "other"
    train(changed(recipe, {"run.seed": 6}), other, reporter=Rows())
    with pytest.raises(ConfigError, match="teacher"):
        train(taught(recipe, other), tmp_path / "run", reporter=Rows())


def test_the_total_is_blended_by_the_weight(recipe: Recipe, teacher: Path) -> None:
    run = build_run(taught(recipe, teacher, weight=0.25, temperature=2))
    batch = next(run.task.batches(0, 0.0))
    answer = run.model.eval()(batch.rgb)
    total, parts = run.task.loss(answer, batch)
    hard = -(batch.target * answer["output"].log_softmax(1)).sum(1).mean()
    logits = open_teacher(str(teacher), CPU).answer(batch.rgb).outputs["output"]
    soft = 4 * F.kl_div(
        (answer["output"] / 2).log_softmax(1), (logits / 2).softmax(1), reduction="batchmean"
    )
    assert parts["distill_logits"] == pytest.approx(soft.item(), rel=1e-5)
    assert total.item() == pytest.approx((0.75 * hard + 0.25 * soft).item(), rel=1e-5)


def test_a_teacher_of_other_classes_is_refused_by_name(
    recipe: Recipe, teacher: Path, tmp_path: Path
) -> None:
    others = write_folders(tmp_path / "set", images=2, names=("red", "green"))
    made = changed(recipe, {"options.train_set": str(others), "options.val_set": ""})
    with pytest.raises(ConfigError, match="has blue besides"):
        build_run(taught(made, teacher))
    build_run(taught(made, teacher, what=["features"]))  # features know no names


def test_soft_labels_need_a_teacher_of_classes(recipe: Recipe, tmp_path: Path) -> None:
    """native-s has names of classes too, but of boxes."""
    pictures = write_folders(tmp_path / "set", images=1, names=("blue", "green"))
    made = changed(recipe, {"options.train_set": str(pictures), "options.val_set": ""})
    with pytest.raises(ConfigError, match=r"of the task 'multitask' .* or what: \[features\]"):
        build_run(taught(made, Path("native-s")))


def test_classes_in_another_order_are_matched_by_name(
    recipe: Recipe, bundle: Path, tmp_path: Path
) -> None:
    turned = shutil.copytree(bundle, tmp_path / "turned")
    (turned / "model.safetensors").unlink()
    text = (turned / "model.yaml").read_text()
    listed = "classes:\n- blue\n- green\n- red\n"
    assert listed in text
    (turned / "model.yaml").write_text(text.replace(listed, "classes:\n- red\n- blue\n- green\n"))
    run = build_run(taught(recipe, turned))
    batch = next(run.task.batches(0, 0.0))
    found = open_teacher(str(turned), CPU).answer(batch.rgb).outputs["output"]
    student = {"output": found[:, [1, 2, 0]]}  # blue, green, red
    assert run.task.loss(student, batch)[1]["distill_logits"] == pytest.approx(0, abs=1e-6)


def test_a_teacher_in_onnx_says_what_it_says_in_torch(teacher: Path, bundle: Path) -> None:
    rgb = torch.randint(0, 256, (3, 80, 64, 3), dtype=torch.uint8)
    served = of_onnx(find_bundle(bundle), CPU)
    teachers = (open_teacher(str(teacher), CPU), open_teacher(str(bundle), CPU), served)
    assert served.about.endswith("in ONNX Runtime")
    assert not any("ONNX" in each.about for each in teachers[:2])
    first, *others = (each.answer(rgb).outputs for each in teachers)
    for role in ("output", "features"):
        for other in others:
            assert torch.allclose(first[role], other[role], atol=1e-4), role


def test_pixels_are_prepared_as_the_service_does() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    rgb = np.repeat(np.repeat(rgb, 4, axis=0), 4, axis=1)
    image = ModelInput(
        name="x", width_px=128, height_px=128, color="bgr", mean=(0.4, 0.5, 0.6), std=(0.2,) * 3
    )
    expected, _ = Preprocessor(image)(rgb)
    placement = place(image, width_px=240, height_px=160)
    found = prepared(torch.from_numpy(rgb)[None], image, placement).numpy()
    assert found.shape == expected["x"].shape
    assert np.abs(found - expected["x"]).max() <= 1.01 / 255 / 0.2  # of one level


def test_logits_of_probabilities_leave_the_background_out(bundle: Path) -> None:
    manifest = find_bundle(bundle).manifest
    reading = manifest.reading.model_copy(
        update={"scores": "probabilities", "background": "first"}
    )
    of_shares = Teacher(
        manifest=manifest.model_copy(update={"reading": reading}),
        identity="",
        about="",
        run=dict,
    )
    placement = place(manifest.input, width_px=64, height_px=64)
    shares = torch.tensor([[0.5, 0.25, 0.125, 0.125]])
    found = of_shares.logits(Taught(outputs={"output": shares}, placement=placement))
    assert torch.allclose(found.softmax(dim=1), torch.tensor([[0.5, 0.25, 0.25]]))


def test_boxes_that_the_truth_has_are_not_taught_again(shapes_set: Path, tmp_path: Path) -> None:
    values = {
        "task": "yolo_v1",
        "model": "yolo-v1",
        "spec": tiny_spec("yolo-v1"),
        "run": {"steps": 2, "round_steps": 2, "batch_size": 4, "rounds_per_evaluation": 0},
        "options": {
            "train_set": str(shapes_set),
            "cache_dir": str(tmp_path / "cache"),
            "resolutions": [{"width_px": 64, "height_px": 64}],
        },
    }
    train(recipe_of(values, {}), tmp_path / "run", reporter=Rows())
    teacher = open_teacher(str(tmp_path / "run"), CPU)
    outputs = {
        "boxes_xyxy": torch.tensor([[[8, 8, 24, 24], [40, 40, 56, 60], [1, 1, 9, 9.0]]]),
        "confidence": torch.tensor([[0.9, 0.9, 0.1]]),
        "class_scores": torch.tensor([[[1, 0], [1, 0], [1, 0.0]]]),
    }
    said = Taught(
        outputs=outputs, placement=place(teacher.manifest.input, width_px=64, height_px=64)
    )
    known = torch.tensor([[[9, 8, 24, 25.0]]]), torch.tensor([[1]])
    boxes, classes = BoxTeacher(teacher, (1, 0), min_score=0.5).with_found(said, *known)
    assert boxes[0].tolist() == [[9, 8, 24, 25], [40, 40, 56, 60]]
    assert classes[0].tolist() == [1, 1]  # the student's row of the teacher's first class

    rows = Rows()
    train(taught(recipe_of(values, {}), tmp_path / "run"), tmp_path / "student", reporter=rows)
    assert rows.rows[0]["distill_boxes"] > 0


def test_perception_learns_features_and_nothing_else(shapes_set: Path, tmp_path: Path) -> None:
    made = shapes_recipe(shapes_set, tmp_path / "cache", run__steps=2)
    train(made, tmp_path / "run", reporter=Rows())
    rows = Rows()
    train(taught(made, tmp_path / "run"), tmp_path / "student", reporter=rows)
    assert 0 < rows.rows[0]["distill_features"] < 2
    with pytest.raises(ConfigError, match="this task learns features from a teacher"):
        build_run(taught(made, tmp_path / "run", what=["boxes"]))
