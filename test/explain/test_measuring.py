"""Maps over a set with masks: figures that are known, of a network whose reasons are known."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from explained import BLUE, RED, color_subject, two_squares
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import ConfigError
from robot_vision.explain.measuring.cases import cases
from robot_vision.explain.measuring.measure import measure


def squares_set(folder: Path, *, masks: bool = True) -> Path:
    """COCO: five pictures with a red and a blue square each."""
    (folder / "images").mkdir(parents=True)
    images, annotations = [], []
    for number in range(1, 6):
        cv2.imwrite(str(folder / "images" / f"{number}.png"), two_squares()[..., ::-1])
        name = f"{number}.png"
        images.append({"id": number, "file_name": name, "width": 48, "height": 48})
        for category, (rows, columns) in enumerate((RED, BLUE), start=1):
            x, y, side = columns.start, rows.start, 12
            corners = [x, y, x + side, y, x + side, y + side, x, y + side]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": number,
                    "category_id": category,
                    "bbox": [x, y, side, side],
                    "area": side * side,
                    "iscrowd": 0,
                    **({"segmentation": [corners]} if masks else {}),
                }
            )
    described = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "red"}, {"id": 2, "name": "blue"}],
    }
    (folder / "annotations.json").write_text(json.dumps(described))
    return folder


def test_maps_of_a_known_network_lie_on_its_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The squares are small: crops of what is smaller are left out.
    monkeypatch.setattr("robot_vision.explain.measuring.cases.LEAST_PX", 8)
    folder = squares_set(tmp_path / "squares")
    subject = color_subject()
    (found, refused) = measure(
        subject,
        cases(subject, str(folder), count=10),
        ["hires_cam", "rollout"],
        sheet=tmp_path / "maps.png",
    )
    assert found.cases == 10
    assert found.figures["energy_inside"] > 0.8
    assert found.figures["energy_ratio"] > 1.3
    assert found.reaches_goal == (found.figures["energy_ratio"] >= 2)
    assert np.isnan(found.figures["random_weights_energy"])
    assert refused.cases == 0
    assert list(refused.refused.values()) == [10]
    assert (tmp_path / "maps.png").stat().st_size > 1000


def test_a_set_without_masks_is_refused(tmp_path: Path) -> None:
    folder = squares_set(tmp_path / "bare", masks=False)
    with pytest.raises(ConfigError, match="has no masks"):
        cases(color_subject(), str(folder), count=2)


def test_a_model_that_cannot_be_explained_does_not_stop_the_others(tmp_path: Path) -> None:
    folder = squares_set(tmp_path / "squares")
    order = ["evaluate", "explanations", "nothing", "policy-s", "--data", str(folder)]
    ended = CliRunner().invoke(app, [*order, "--out", str(tmp_path / "out")])
    assert ended.exit_code == 2, ended.output
    found = json.loads((tmp_path / "out" / "explanations.json").read_text())["models"]
    assert [one["model"] for one in found] == ["nothing", "policy-s"]
    assert "no model bundle 'nothing'" in found[0]["problem"]
    assert "policy-s is not a policy from pixels" in found[1]["problem"]
