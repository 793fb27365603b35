"""The same recording gives the same answer, and what changed is named."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from replay_scenes import WIDTH, Scene, red_square_bundle, write_mcap

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reporting.comparison.drift import TOLERANCES
from robot_vision.replay.reporting.comparison.golden import load_golden, save_golden
from robot_vision.replay.running.runner import RunOptions


def replay(path: Path, bundle: Path, **job: Any) -> dict[str, Any]:
    values = {"model": str(bundle), "threads": 1, "detector.nms_iou": 0.2}
    config = with_values(NodeConfig(), values)
    return run_job(Job(name=path.stem, path=path, config=config, **job))


@pytest.fixture(scope="module")
def golden(recording: Path, detector: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Golden file of the shared recording."""
    result = replay(recording, detector)
    assert result["error"] == ""
    file = tmp_path_factory.mktemp("golden") / "golden.json"
    save_golden(file, {"squares": result["behaviour"]})
    return file


def test_every_frame_is_processed_and_both_squares_are_tracked(
    recording: Path, detector: Path
) -> None:
    result = replay(recording, detector)
    figures = result["figures"]
    assert figures["frames"] == result["run"]["read"] == 30
    assert figures["tracks_by_class"] == {"red square": 2}
    assert figures["id_switches"] == []
    assert {row["frames"] for row in figures["tracks"]} <= set(range(25, 31))
    z_m = [row["mean_position_in_camera_m"][2] for row in figures["tracks"]]
    assert z_m == pytest.approx([1.0, 1.0], abs=0.05)


def test_same_digest_in_two_runs_and_two_processes(recording: Path, detector: Path) -> None:
    digests = {replay(recording, detector)["figures"]["digest"] for _ in range(2)}
    code = (
        "import sys; from pathlib import Path; from robot_vision.core.parameters.config import *;"
        "from robot_vision.core.parameters.values import with_values;"
        "from robot_vision.replay.jobs.job import *; bag, model = sys.argv[1:];"
        "values = {'model': model, 'threads': 1, 'detector.nms_iou': 0.2};"
        "config = with_values(NodeConfig(), values);"
        "print(run_job(Job(name='squares', path=Path(bag), config=config))['figures']['digest'])"
    )
    other = subprocess.run(
        [sys.executable, "-c", code, recording, detector], capture_output=True, text=True
    )
    assert {*digests, other.stdout.strip()} == digests, other.stderr
    assert len(digests) == 1


def test_the_digest_sees_a_change_of_a_part(recording: Path, detector: Path) -> None:
    whole = replay(recording, detector)["figures"]["digest"]
    part = replay(recording, detector, run=RunOptions(from_s=0.1, to_s=0.5))
    assert part["figures"]["digest"] != whole
    assert part["figures"]["frames"] == 12


def test_golden_passes_on_what_made_it(recording: Path, detector: Path, golden: Path) -> None:
    result = replay(recording, detector, golden=golden)
    assert (result["status"], result["drifts"]) == ("pass", [])
    assert golden.stat().st_size < 20_000


def test_golden_names_a_broken_model(recording: Path, golden: Path, tmp_path: Path) -> None:
    broken = red_square_bundle(tmp_path / "broken", gain=0.4)
    result = replay(recording, broken, golden=golden)
    assert result["status"] == "regression"
    figures = {drift["figure"]: drift for drift in result["drifts"]}
    assert figures["detections of red square"]["actual"] == "0"
    assert figures["tracks of red square"]["actual"] == "0"
    assert "frames 0-29" in figures["detections over time"]["where"]


def test_golden_names_shifted_intrinsics(detector: Path, golden: Path, tmp_path: Path) -> None:
    shifted = write_mcap(tmp_path / "squares.mcap", Scene(cx=WIDTH / 2 + 20).messages())
    result = replay(shifted, detector, golden=golden)
    assert result["status"] == "regression"
    drifts = {drift["figure"]: drift for drift in result["drifts"]}
    assert (drifts["camera cx_px"]["expected"], drifts["camera cx_px"]["actual"]) == ("160", "180")
    assert any("mean position" in figure for figure in drifts)
    assert "detections of red square" not in drifts


def test_golden_names_missing_depth_and_frames(
    detector: Path, golden: Path, tmp_path: Path
) -> None:
    flat = write_mcap(tmp_path / "squares.mcap", Scene(depth=False, frames=20).messages())
    drifts = {d["figure"]: d for d in replay(flat, detector, golden=golden)["drifts"]}
    assert (drifts["frames"]["expected"], drifts["frames"]["actual"]) == ("30", "20")
    assert drifts["depth_coverage over time"]["actual"] == "none"


def test_golden_keeps_tolerances_that_a_person_changed(golden: Path, tmp_path: Path) -> None:
    own = tmp_path / "own.json"
    content = json.loads(golden.read_text())
    content["tolerances"]["track_position_m"] = 10.0
    own.write_text(json.dumps(content))
    save_golden(own, {"other": content["bags"]["squares"]})
    kept = load_golden(own)
    assert kept["tolerances"]["track_position_m"] == 10.0
    assert set(kept["tolerances"]) == set(TOLERANCES)
    assert set(kept["bags"]) == {"squares", "other"}


def test_golden_files_that_do_not_fit_are_explained(
    recording: Path, detector: Path, golden: Path, tmp_path: Path
) -> None:
    content = json.loads(golden.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**content, "bags": {}}))
    result = replay(recording, detector, golden=other)
    assert (result["status"], "no bag 'squares'" in result["error"]) == ("failed", True)
    assert "figures" not in result  # nothing was replayed in vain
    result = replay(recording, detector, golden=tmp_path / "none.json")
    assert "none.json does not exist; --update-golden writes it" in result["error"]
    assert "figures" not in result
    other.write_text(json.dumps({**content, "tolerances": {"track_positoin_m": 1}}))
    with pytest.raises(ConfigError, match=r"track_positoin_m.*known: .*track_position_m"):
        load_golden(other)
    other.write_text("{")
    with pytest.raises(ConfigError, match="cannot read the golden file"):
        load_golden(other)


def test_the_real_kitchen_gives_one_digest(yolox: Path, shared_data: Path) -> None:
    bag = shared_data / "bags" / "redkitchen_mcap"
    part = RunOptions(to_s=0.5)
    results = [replay(bag, yolox, run=part) for _ in range(2)]
    assert [result["figures"]["frames"] for result in results] == [16, 16]
    assert results[0]["figures"]["digest"] == results[1]["figures"]["digest"]
    assert results[0]["figures"]["tracks_by_class"]["chair"] >= 2
