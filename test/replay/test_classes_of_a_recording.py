"""Classes of a recording's frames: in its files, in its figures, and watched by golden."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from picture_models import CLASSES, color_classifier, color_segmenter
from replay_scenes import HEIGHT, WIDTH, red_square_bundle
from rosbags.highlevel import AnyReader

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.results.frame_classes import label_names
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reporting.comparison.golden import save_golden
from robot_vision.replay.writing.ros_types import output_types


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "model": str(red_square_bundle(folder / "detector")),
        "classifier_model": str(color_classifier(folder / "classes")),
        "segmentation_model": str(color_segmenter(folder / "parts")),
    }


def replay(path: Path, models: dict[str, str], **job: Any) -> dict[str, Any]:
    config = with_values(NodeConfig(), models | {"threads": 1})
    result = run_job(Job(name="squares", path=path, config=config, **job))
    assert result["error"] == ""
    return result


def messages_of(folder: Path) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    with AnyReader([folder / "perception.mcap"], default_typestore=output_types()) as reader:
        for connection, _, data in reader.messages():
            message = output_types().deserialize_cdr(data, connection.msgtype)
            found.setdefault(connection.topic, []).append(message)
    return found


def test_a_file_has_them_frame_by_frame(
    recording: Path, models: dict[str, str], tmp_path: Path
) -> None:
    result = replay(recording, models, out=tmp_path, images="none")
    heard = messages_of(tmp_path)
    frames = result["figures"]["frames"]
    names = ("classification", "classification/json", "segmentation", "segmentation/json")
    for name in (*names, "segmentation/label_info"):
        assert len(heard[f"/perception/{name}"]) == frames, name
    said = heard["/perception/classification"][-1]
    spoken = json.loads(heard["/perception/classification/json"][-1].data)
    assert [r.class_id for r in said.results] == [row["class"] for row in spoken["classes"]]
    assert said.results[0].score == pytest.approx(spoken["classes"][0]["probability"], abs=1e-4)
    image = heard["/perception/segmentation"][-1]
    detections = heard["/perception/detections"][-1]
    assert image.header == said.header == detections.header
    assert (image.height, image.width, image.encoding) == (HEIGHT, WIDTH, "mono8")
    info = heard["/perception/segmentation/label_info"][-1]
    assert {c.class_id: c.class_name for c in info.class_map} == label_names(CLASSES)
    assert set(np.unique(image.data)) <= set(label_names(CLASSES))
    assert "class of pixels" in (tmp_path / "report.html").read_text()


def test_without_such_models_nothing_is_added(
    recording: Path, models: dict[str, str], tmp_path: Path
) -> None:
    result = replay(recording, {"model": models["model"]}, out=tmp_path, images="none")
    assert not {"classification", "segmentation"} & set(result["figures"])
    assert not {"classification", "segmentation"} & set(result["behaviour"])
    assert not any("classification" in t or "segmentation" in t for t in messages_of(tmp_path))
    assert "class of the frame" not in (tmp_path / "report.html").read_text()


def test_the_digest_sees_them(recording: Path, models: dict[str, str]) -> None:
    digests = [
        replay(recording, values)["figures"]["digest"]
        for values in (models, models, models | {"segmentation_model": ""})
    ]
    assert digests[0] == digests[1] != digests[2]


def test_golden_names_classes_that_are_others(
    recording: Path, models: dict[str, str], tmp_path: Path
) -> None:
    golden = tmp_path / "golden.json"
    before = replay(recording, models)
    save_golden(golden, {"squares": before["behaviour"]})
    assert replay(recording, models, golden=golden)["status"] == "pass"
    classes = CLASSES[::-1][1:] + CLASSES[2:]
    turned = {
        "classifier_model": color_classifier(tmp_path / "classes", classes=classes),
        "segmentation_model": color_segmenter(tmp_path / "parts", classes=classes),
    }
    other = replay(recording, models | {k: str(v) for k, v in turned.items()}, golden=golden)
    assert other["status"] == "regression"
    figures = [drift["figure"] for drift in other["drifts"]]
    assert any(f.startswith("frames that show most likely") for f in figures), figures
    assert any(f.startswith("mean share of pixels of") for f in figures), figures
    gone = replay(recording, models | {"classifier_model": ""}, golden=golden)
    assert "frames with classification" in [drift["figure"] for drift in gone["drifts"]]
