"""The whole way in small: scenes, training, evaluation, export, and the service that loads it."""

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from runs import Rows
from typer.testing import CliRunner

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.cli import app
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame
from robot_vision.export.bundle import export_run
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.simulation.writing.generate import SetRecipe, generate_set
from robot_vision.training.engine.loop import train
from robot_vision.training.engine.recipes.recipe_file import recipe_of

FRAMES = 64
WIDTH_PX, HEIGHT_PX = 224, 160
STEPS = 160
# By chance AP50 is below 0.01: ten classes, and boxes of any size anywhere.
LEAST_AP50 = 0.10
MOST_OF_FIRST_LOSS = 0.85


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes") / "tabletops"
    recipe = SetRecipe(
        count=FRAMES, seed=11, split="train", width_px=WIDTH_PX, height_px=HEIGHT_PX
    )
    generate_set(folder, recipe, processes=2, on_progress=lambda _: None)
    return folder


def annotations(folder: Path) -> list[dict[str, Any]]:
    return json.loads((folder / "annotations.json").read_text())["annotations"]


@pytest.mark.timeout(900)
def test_it_learns_from_scenes_and_serves_what_it_learnt(scenes: Path, tmp_path: Path) -> None:
    recipe = recipe_of(
        {
            "task": "perception",
            "model": "native-s",
            "run": {
                "steps": STEPS,
                "batch_size": 8,
                "round_steps": 50,
                "ema_decay": 0.95,
                "rounds_per_evaluation": 0,
            },
            "optimizer": {"warmup_steps": 20},
            "options": {
                "train_set": str(scenes),
                "val_set": str(scenes),
                "resolutions": [{"width_px": WIDTH_PX, "height_px": HEIGHT_PX}],
                "augmentation": {"scale_min": 1.0, "scale_max": 1.0, "shift": 0.0, "color": 0.0},
            },
        }
    )
    losses = Rows()
    train(recipe, tmp_path / "run", reporter=losses)
    assert losses.rows[-1]["boxes"] < MOST_OF_FIRST_LOSS * losses.rows[0]["boxes"]

    exported = export_run(tmp_path / "run", tmp_path / "tiny")
    metrics = exported.metrics
    assert float(metrics["AP50"]) > LEAST_AP50
    assert float(metrics["onnx_against_torch_max"]) <= 1e-4

    evaluated = tmp_path / "evaluated"
    command = ["evaluate", str(tmp_path / "tiny"), "--data", str(scenes), "--out", str(evaluated)]
    result = CliRunner().invoke(app, command)
    assert result.exit_code == 0, result.output
    assert json.loads((evaluated / "metrics.json").read_text())["AP50"] == metrics["AP50"]
    rows = [r.split(",") for r in (evaluated / "confusions.csv").read_text().splitlines()]
    objects = sum(not a["iscrowd"] for a in annotations(scenes))
    assert sum(int(count) for row in rows[1:-2] for count in row[1:]) == objects
    assert f"of {objects} objects" in result.output.replace("\n", " ")
    assert (evaluated / "gallery.png").exists()

    perceiver = build_perceiver(
        with_values(ServiceConfig(), {"model": str(tmp_path / "tiny"), "device": "cpu"})
    )
    rgb = cv2.cvtColor(cv2.imread(str(scenes / "rgb" / "000000.jpg")), cv2.COLOR_BGR2RGB)
    depth_mm = cv2.imread(str(scenes / "depth" / "000000.png"), cv2.IMREAD_UNCHANGED)
    depth_m = np.where(depth_mm > 0, depth_mm / np.float32(1000), np.float32(np.nan))
    frame = Frame(stamp_ns=1, frame_id="camera", rgb=rgb, depth_m=depth_m.astype(np.float32))
    percept = perceiver.perceive(frame)
    perceiver.close()
    assert percept.depth is not None
    assert percept.features is not None
    assert len(percept.detections) == len(percept.detections.score)
