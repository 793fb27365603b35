"""What words name in a recording: in its files, in its figures, and watched by golden."""

import json
from pathlib import Path
from typing import Any

import pytest
from grounding_bundle import grounding_bundle
from replay_scenes import HEIGHT, WIDTH, red_square_bundle
from rosbags.highlevel import AnyReader
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reporting.comparison.golden import save_golden
from robot_vision.replay.writing.ros_types import output_types


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("models")
    return {
        "model": str(red_square_bundle(folder / "detector")),
        "grounding_model": str(grounding_bundle(folder / "words", size=(WIDTH, HEIGHT))),
    }


def replay(path: Path, models: dict[str, str], prompt: str, **job: Any) -> dict[str, Any]:
    config = with_values(NodeConfig(), models | {"threads": 1, "prompt": prompt})
    result = run_job(Job(name="squares", path=path, config=config, **job))
    assert result["error"] == ""
    return result


def test_a_file_has_what_words_name_frame_by_frame(
    recording: Path, models: dict[str, str], tmp_path: Path
) -> None:
    result = replay(recording, models, "red thing, blue, red unicorn", out=tmp_path, images="none")
    boxes, texts = [], []
    with AnyReader([tmp_path / "perception.mcap"], default_typestore=output_types()) as reader:
        for connection, _, data in reader.messages():
            message = output_types().deserialize_cdr(data, connection.msgtype)
            if connection.topic == "/perception/grounded":
                boxes.append(message)
            elif connection.topic == "/perception/grounded/json":
                texts.append(json.loads(message.data))
    assert len(boxes) == len(texts) == result["figures"]["frames"]
    said, spoken = boxes[-1], texts[-1]
    assert {d.results[0].hypothesis.class_id for d in said.detections} == {"red thing"}
    ids = {str(row["id"]) for row in spoken["objects"] if row["unseen_s"] == 0}
    assert {d.id for d in said.detections} <= ids
    assert all(row["class"] == "red thing" for row in spoken["objects"])
    assert spoken["objects"][0]["position_m"][2] == pytest.approx(1.0, abs=0.1)
    assert [p["unknown_words"] for p in spoken["phrases"]] == [[], [], ["unicorn"]]
    assert "'unicorn'" in spoken["phrases"][2]["problem"]
    assert spoken["model"] == "words@1"
    figures = result["figures"]["grounding"]
    assert figures["found"]["blue"] == 0
    assert figures["found"]["red thing"] > 0.5 * figures["frames"]
    assert "phrase" in (tmp_path / "report.html").read_text()
    assert any("unicorn" in note for note in result["figures"]["notes"])


def test_the_digest_sees_them(recording: Path, models: dict[str, str]) -> None:
    digests = [replay(recording, models, p)["figures"]["digest"] for p in ("red", "red", "blue")]
    assert digests[0] == digests[1] != digests[2]


def test_golden_names_words_that_are_found_no_more(
    recording: Path, models: dict[str, str], tmp_path: Path
) -> None:
    golden = tmp_path / "golden.json"
    before = replay(recording, models, "red, blue")
    save_golden(golden, {"squares": before["behaviour"]})
    assert replay(recording, models, "red, blue", golden=golden)["status"] == "pass"
    deaf = models | {"grounding_threshold": "0.999999"}
    other = replay(recording, deaf, "red, blue", golden=golden)
    assert other["status"] == "regression"
    assert "frames that show the words red" in [drift["figure"] for drift in other["drifts"]]
    without = replay(recording, models | {"grounding_model": ""}, "", golden=golden)
    assert "frames with grounding" in [drift["figure"] for drift in without["drifts"]]


def test_words_that_no_model_reads_are_reported(recording: Path) -> None:
    asked = ["replay", str(recording), "--list", "--param", "prompt=the red mug"]
    runner = CliRunner()
    without = runner.invoke(app, asked)
    with_one = runner.invoke(app, [*asked, "--param", "grounding_model=words"])
    assert "prompt 'the red mug' has no effect" in without.stderr
    assert "has no effect" not in with_one.stderr
