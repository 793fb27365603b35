"""From a recipe to a bundle in the service: what was trained finds boxes in a frame."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from runs import Rows, tiny_spec

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import DetectorConfig, ServiceConfig
from robot_vision.core.types import Frame
from robot_vision.export.bundle import export_run
from robot_vision.model_store.store import find_bundle
from robot_vision.perception.detect import Detector
from robot_vision.perception.model import load_model
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import recipe_of

SIZE = (96, 128)


def exported(folder: Path, shapes: Path, task: str, model: str, **options: Any) -> Path:
    """The bundle of a run of a few steps."""
    recipe = recipe_of(
        {
            "task": task,
            "model": model,
            "spec": tiny_spec(model),
            "run": {"steps": 3, "round_steps": 3, "batch_size": 4, "rounds_per_evaluation": 1},
            "options": {
                "train_set": str(shapes),
                "val_set": str(shapes),
                "cache_dir": str(folder / "cache"),
                "evaluation_images": 2,
                "resolutions": [{"width_px": SIZE[1], "height_px": SIZE[0]}],
            }
            | options,
        }
    )
    train(recipe, folder / "run", reporter=Rows())
    export_run(folder / "run", folder / "bundle")
    return folder / "bundle"


@pytest.mark.parametrize(
    ("task", "model", "beside"),
    [
        ("yolo_v1", "yolo-v1", {}),
        ("detr", "detr", {}),
        ("multi_task", "multi-task", {"class_probabilities": (1, 2), "semantic": (1, 3, 12, 16)}),
    ],
)
def test_a_bundle_of_it_is_served(
    task: str,
    model: str,
    beside: dict[str, tuple[int, ...]],
    shapes_set: Path,
    tmp_path: Path,
) -> None:
    bundle = find_bundle(str(exported(tmp_path, shapes_set, task, model)))
    manifest = bundle.manifest
    assert manifest.classes == ("disc", "slab")
    assert manifest.task == "detection"
    assert {"AP50", "best_f1_threshold", "held_out_data"} <= manifest.metrics.keys()
    loaded = load_model(bundle, ServiceConfig())
    rgb = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), np.uint8)
    run = loaded.run(Frame(stamp_ns=0, frame_id="camera", rgb=rgb))
    found = Detector(manifest, DetectorConfig(score_threshold=1e-6)).detections(run, stamp_ns=0)
    assert len(found.score) > 0
    assert {role: run.outputs[role].shape for role in beside} == beside
    if beside:
        assert run.outputs["class_probabilities"].min() >= 0
        np.testing.assert_allclose(run.outputs["semantic"].sum(axis=1), 1, rtol=1e-4)
    loaded.backend.close()


def test_one_task_alone_is_a_bundle_of_its_own(shapes_set: Path, tmp_path: Path) -> None:
    alone = exported(
        tmp_path / "s", shapes_set, "multi_task", "multi-task", tasks=["segmentation"]
    )
    manifest = find_bundle(str(alone)).manifest
    assert (manifest.task, manifest.format) == ("segmentation", "semantic")
    assert "miou" in manifest.metrics
    assert "AP50" not in manifest.metrics
    with pytest.raises(ConfigError, match="served only beside boxes; add detection"):
        exported(tmp_path / "c", shapes_set, "multi_task", "multi-task", tasks=["classification"])
