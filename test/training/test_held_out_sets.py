"""Weights are chosen on `val_set`; what is exported is measured on `test_set`, if there is one."""

from pathlib import Path
from typing import Any

import pytest
import torch
from runs import tiny_spec
from shapes_set import write_shapes_set

from robot_vision.core.errors import ConfigError
from robot_vision.training.engine.recipes.recipe import Recipe
from robot_vision.training.engine.recipes.recipe_file import recipe_of
from robot_vision.training.engine.task import TASKS

MODELS = {
    "perception": "native-s",
    "depth": "tiny-depth",
    "rgbd_temporal": "rgbd-temporal",
    "classification": "simple-cnn",
    "segmentation": "unet",
    "yolo_v1": "yolo-v1",
    "detr": "detr",
    "multi_task": "multi-task",
}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_set(tmp_path_factory.mktemp("few"), images=4)


def recipe(task: str, train: Path, cache: Path, **options: object) -> Recipe:
    values: dict[str, Any] = {
        "task": task,
        "model": MODELS[task],
        "spec": tiny_spec(MODELS[task]),
        "options": {
            "train_set": str(train),
            "cache_dir": str(cache),
            "resolutions": [{"width_px": 64, "height_px": 64}],
            **options,
        },
    }
    return recipe_of(values)


def pictures_of(held_out: Any) -> set[Path]:
    cache = getattr(held_out, "_cache", held_out)
    if hasattr(cache, "source"):
        return {image.rgb_file for image in cache.source.images}
    return {getattr(p, "file", None) or p._image.rgb_file for p in cache.pictures}


@pytest.mark.parametrize("task", MODELS)
def test_weights_are_chosen_on_one_set_and_measured_on_another(
    task: str, shapes_set: Path, few: Path, tmp_path: Path
) -> None:
    asked = recipe(task, shapes_set, tmp_path, val_set=str(shapes_set), test_set=str(few))
    trained = TASKS.get(task)(asked, CPU)
    assert pictures_of(trained._held_out) <= set(shapes_set.rglob("rgb/*"))
    travels = trained.travels()
    exported = TASKS.get(task).held_out(asked, travels, None)
    assert pictures_of(exported) <= set(few.rglob("rgb/*"))
    given = TASKS.get(task).held_out(asked, travels, shapes_set)
    assert pictures_of(given) <= set(shapes_set.rglob("rgb/*"))


@pytest.mark.parametrize("task", MODELS)
def test_a_test_set_that_is_none_is_refused_before_training(
    task: str, shapes_set: Path, tmp_path: Path
) -> None:
    asked = recipe(task, shapes_set, tmp_path, test_set=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match="nowhere is not a folder"):
        TASKS.get(task)(asked, CPU)
