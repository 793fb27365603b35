"""Classification: crops and folders, batches, weights, figures, and what is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from picture_sets import picture_recipe, write_folders, write_label_pngs
from runs import Rows
from safetensors.torch import load_file
from torch import Tensor, nn

from robot_vision.core.errors import ConfigError
from robot_vision.model_store.store import find_bundle
from robot_vision.models.registry import MODELS
from robot_vision.training.data.caches.crops import CropOptions, open_crops
from robot_vision.training.data.labels.label_share import share_of_labels
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import changed
from robot_vision.training.engine.run import build_run
from robot_vision.training.engine.task import TASKS
from robot_vision.training.losses.classification import (
    class_weights,
    soft_cross_entropy,
    soft_targets,
)
from robot_vision.training.metrics.classification import classification_figures
from robot_vision.training.tasks.classification import ClassificationTask

CPU = torch.device("cpu")


def task_of(train: Path, val: Path | None, cache: Path, **options: object) -> ClassificationTask:
    recipe = picture_recipe("classification", "simple-cnn", train, val, cache, **options)
    task = TASKS.get("classification")(recipe, CPU)
    assert isinstance(task, ClassificationTask)
    return task


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("set") / "colors", images=8)


class Always(nn.Module):
    """Is sure of one class."""

    def __init__(self, row: int, classes: int) -> None:
        super().__init__()
        self.logits = nn.functional.one_hot(torch.tensor(row), classes) * 9.0

    def forward(self, rgb: Tensor) -> dict[str, Tensor]:
        return {"output": self.logits.expand(len(rgb), -1)}


def test_a_crop_is_a_square_around_its_object(shapes_set: Path) -> None:
    opened = open_crops(str(shapes_set), CropOptions(margin=0.1))
    assert opened.class_names == ("disc", "slab")
    assert len(opened.crops) == 24
    for crop in opened.crops:
        rgb = crop.decode().rgb
        assert rgb.shape == (crop.height_px, crop.width_px, 3)
        assert crop.height_px == crop.width_px
        # Its middle is of the object, coloured; its corner is grey: ground, or beyond the image.
        assert np.ptp(rgb[crop.height_px // 2, crop.width_px // 2].astype(int)) > 100
        assert np.ptp(rgb[0, 0].astype(int)) < 30


def test_crops_of_what_is_hardly_in_view_are_left_out_where_the_set_says_so(
    shapes_set: Path, tmp_path: Path
) -> None:
    hidden = shutil.copytree(shapes_set, tmp_path / "hidden")
    file = hidden / "annotations.json"
    data = json.loads(file.read_text())
    for number, annotation in enumerate(data["annotations"]):
        annotation["visible_share"] = 0.3 if number % 3 == 0 else 0.9
    file.write_text(json.dumps(data))
    half = CropOptions(min_visible=0.5)
    assert len(open_crops(str(hidden), half).crops) == 16
    assert len(open_crops(str(hidden), CropOptions()).crops) == 24
    with pytest.raises(ConfigError, match=r"min_visible = 0\.95 or more of it in view"):
        open_crops(str(hidden), CropOptions(min_visible=0.95))


def test_batches_repeat_and_follow_the_part_of_the_run(folders: Path, tmp_path: Path) -> None:
    sizes = [{"width_px": 64, "height_px": 64, "until": 0.5}, {"width_px": 96, "height_px": 64}]
    task = task_of(folders, None, tmp_path, resolutions=sizes, mixup=0.4, label_smoothing=0.1)
    early, late = (next(task.batches(3, part)) for part in (0.0, 0.9))
    assert early.rgb.shape == (6, 64, 64, 3)
    assert late.rgb.shape == (6, 64, 96, 3)
    assert torch.allclose(late.target.sum(dim=1), torch.ones(6))
    again = next(task_of(folders, None, tmp_path, resolutions=sizes, mixup=0.4).batches(3, 0.9))
    assert torch.equal(late.rgb, again.rgb)


def test_a_picture_keeps_its_class_where_a_view_shows_little_of_it(
    folders: Path, tmp_path: Path
) -> None:
    zoom = {"scale_min": 4, "scale_max": 4, "shift": 0.5}
    task = task_of(folders, None, tmp_path, augmentation=zoom)
    for step in range(4):
        target = next(task.batches(step, 0.0)).target
        assert torch.equal(target.sum(dim=1), torch.ones(6))


def test_mixup_blends_pictures_as_it_blends_labels(folders: Path, tmp_path: Path) -> None:
    still = {"scale_min": 1, "scale_max": 1, "shift": 0, "color": 0}
    task = task_of(folders, None, tmp_path, mixup=1.0, augmentation=still)
    batch = next(task.batches(0, 0.0))
    # Folders are sorted, so rows are blue, green and red; the middle shows the picture.
    pure = torch.tensor([[40.0, 60, 220], [30, 180, 60], [220, 40, 40]])
    seen = batch.rgb[:, 24:40].float().mean(dim=(1, 2))
    assert (batch.target.max(dim=1).values < 0.999).any()
    assert (seen - batch.target @ pure).abs().max() < 12


def test_smoothed_and_weighted_targets_mean_what_they_say() -> None:
    target = soft_targets(torch.tensor([0, 2]), 4, smoothing=0.2)
    assert target.tolist() == [
        pytest.approx([0.85, 0.05, 0.05, 0.05]),
        pytest.approx([0.05, 0.05, 0.85, 0.05]),
    ]
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    class_id = torch.tensor([0, 1, 2, 1, 0])
    weight = torch.tensor([1.0, 2.0, 0.5])
    ours = soft_cross_entropy(logits, soft_targets(class_id, 3, smoothing=0), weight)
    reference = nn.functional.cross_entropy(logits, class_id, weight=weight, reduction="none")
    assert ours.item() == pytest.approx(reference.mean().item(), rel=1e-6)
    ours = soft_cross_entropy(logits, soft_targets(class_id, 3, smoothing=0.1), torch.ones(3))
    smooth = nn.functional.cross_entropy(logits, class_id, label_smoothing=0.1)
    assert ours.item() == pytest.approx(smooth.item(), rel=1e-6)


def test_weights_of_classes_average_one_and_the_effective_number_lies_between() -> None:
    counts = [1000, 100, 10]
    for weighting in ("none", "inverse", "effective_number"):
        weight = class_weights(counts, weighting)
        n = torch.tensor(counts)
        assert float((weight * n).sum() / n.sum()) == pytest.approx(1.0, rel=1e-5)
    inverse, effective = (class_weights(counts, w) for w in ("inverse", "effective_number"))
    assert float(inverse[2] / inverse[0]) == pytest.approx(100, rel=1e-5)
    assert 1 < float(effective[2] / effective[0]) < 100
    assert class_weights([4, 0], "inverse").tolist() == [1.0, 0.0]


def test_figures_are_those_of_a_table_by_hand() -> None:
    probability = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7], [0.8, 0.2]], np.float32)
    found = classification_figures(probability, np.array([0, 1, 1, 0]), ("a", "b"))
    assert found["top1"] == 0.75
    assert found["top5"] == 1.0
    assert found["recall/a"] == 1.0
    assert found["recall/b"] == found["mean_recall"] * 2 - 1 == 0.5
    # Bins of .9, .6, .7 and .8: gaps .1, .6, .3, .2.
    assert found["ece"] == pytest.approx(0.3, abs=1e-6)


def test_the_trivial_answers_stand_beside(folders: Path, tmp_path: Path) -> None:
    task = task_of(folders, folders, tmp_path)
    figures = task.evaluate(Always(1, 3).train())
    assert figures["top1"] == pytest.approx(1 / 3)
    assert figures["trivial_top1/majority"] == pytest.approx(1 / 3)
    # These classes differ by their colours.
    assert figures["trivial_top1"] == figures["trivial_top1/small_mlp"] == 1.0
    assert figures["top1_gain"] == pytest.approx(-2 / 3)
    assert task_of(folders, None, tmp_path).evaluate(Always(1, 3)) == {}


def test_a_share_of_labels_is_of_all_classes_and_holds_smaller_ones() -> None:
    shown = [frozenset([0])] * 100 + [frozenset([1])] * 10 + [frozenset([2])]
    small, large = (share_of_labels(shown, share, seed=5) for share in (0.1, 0.5))
    for rows, counts in ((small, (10, 1, 1)), (large, (50, 5, 1))):
        classes = [next(iter(shown[row])) for row in rows]
        assert tuple(classes.count(c) for c in range(3)) == counts
    assert set(small) < set(large)
    assert share_of_labels(shown, 0.1, seed=6) != small
    assert share_of_labels(shown, 1.0, seed=5) == list(range(111))


def test_a_share_is_what_is_learnt_from(folders: Path, tmp_path: Path) -> None:
    task = task_of(folders, None, tmp_path, label_share=0.25)
    batch = next(task.batches(0, 0.0))
    assert batch.target.sum(dim=0).tolist() == [2.0, 2.0, 2.0]


@pytest.mark.parametrize("rates", [{"encoder.*": 0}, {"encoder.*": 0.1}])
def test_the_native_encoder_transfers_frozen_or_slower(
    rates: dict[str, float], folders: Path, tmp_path: Path
) -> None:
    recipe = picture_recipe("classification", "classifier", folders, None, tmp_path / "cache")
    changes: dict[str, object] = {
        "spec": {"encoder": {"name": "native-s"}},
        "run.init_weights": "native-s",
        "run.steps": 2,
        "run.round_steps": 2,
        "optimizer.rates": rates,
    }
    recipe = changed(recipe, changes)
    reporter = Rows()
    train(recipe, tmp_path / "run", reporter=reporter)
    assert any("missing: head.bias, head.weight" in note for note in reporter.notes)
    before = load_file(find_bundle("native-s").path / "model.safetensors")
    after = load_file(tmp_path / "run" / "weights.safetensors")
    name = "encoder.stages.0.0.depthwise.weight"
    is_same = torch.equal(before[name], after[f"encoder.net.{name}"])
    assert is_same == (rates["encoder.*"] == 0)


def test_weights_for_other_classes_leave_the_head_fresh(folders: Path, tmp_path: Path) -> None:
    task = task_of(folders, None, tmp_path)
    card = MODELS.get("simple-cnn")
    tensors = card.build(card.tiny).state_dict()
    same = task.initial_weights(dict(tensors), {"classes": ["blue", "green", "red"]})
    other = task.initial_weights(dict(tensors), {"classes": ["cat", "cow", "dog"]})
    assert "head.weight" in same
    assert set(same) - set(other) == {"head.weight", "head.bias"}


def test_sets_that_do_not_fit_are_refused(folders: Path, shapes_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"classes disc, slab; expected .*blue, green, red"):
        task_of(folders, shapes_set, tmp_path)
    fewer = write_folders(tmp_path / "two", images=1, names=("blue", "red"))
    with pytest.raises(ConfigError, match=r"it lacks green"):
        task_of(folders, fewer, tmp_path)
    one = write_folders(tmp_path / "one", images=1, names=("red",))
    with pytest.raises(ConfigError, match="has one class only: red; expected two or more"):
        task_of(one, None, tmp_path)
    empty = write_folders(tmp_path / "empty", images=1)
    (empty / "green" / "0.png").unlink()
    with pytest.raises(ConfigError, match=r"no picture of green.*Take the class out"):
        task_of(empty, None, tmp_path)
    with pytest.raises(ConfigError, match=r"no object whose longer side .* = 60 px"):
        task_of(shapes_set, None, tmp_path, crop={"min_px": 60})
    labels = write_label_pngs(tmp_path / "labels", images=1, names=("a", "b"))
    with pytest.raises(ConfigError, match="label PNGs; expected one with a class per image"):
        task_of(labels, None, tmp_path)
    with pytest.raises(ConfigError, match=r"options\.train_set=data/train"):
        task_of(Path(), None, tmp_path, train_set="")


def test_the_classes_of_the_data_become_the_models(folders: Path, tmp_path: Path) -> None:
    recipe = picture_recipe("classification", "simple-cnn", folders, None, tmp_path)
    assert build_run(recipe).spec.model_dump()["classes"] == 3
    with pytest.raises(ConfigError, match=r"spec\.classes = 5, but the data have 3"):
        build_run(changed(recipe, {"spec.classes": 5}))
