"""Recordings, golden files and summaries of strangers: names stay names, numbers finite."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.jobs.options import name_bags
from robot_vision.replay.reading.folders.image_sources import VideoSource
from robot_vision.replay.reading.messages import BagError, Problems
from robot_vision.replay.reading.recording import Recording
from robot_vision.replay.reporting.comparison.compare import compare_files
from robot_vision.replay.reporting.comparison.drift import MOST_TRACKS
from robot_vision.replay.reporting.comparison.golden import check, load_golden
from robot_vision.replay.reporting.report import write_report

GOLDEN = Path(__file__).parents[1] / "golden/tabletop.json"


@pytest.mark.parametrize("name", ["...mcap", "..mcap", ".mcap", "a.mcap"])
def test_a_recordings_name_does_not_lead_out_of_out(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    for bag, _ in name_bags([Path(name)]):
        assert (out / bag).resolve().parent == out


def test_no_two_recordings_have_one_name() -> None:
    names = [name for name, _ in name_bags([Path("a.bag"), Path("b/a.bag"), Path("a-2.bag")])]
    assert len(set(names)) == 3


def test_metadata_names_no_file_beside_the_recording(tmp_path: Path) -> None:
    folder = tmp_path / "bag"
    folder.mkdir()
    (tmp_path / "private.mcap").write_bytes(b"private")
    (folder / "own.mcap").write_bytes(b"")
    (folder / "metadata.yaml").write_text(
        "rosbag2_bagfile_information:\n  relative_file_paths: [../private.mcap, /etc/x.mcap, ..]\n"
    )
    problems = Problems()
    list(Recording(folder).messages(problems))
    assert problems.as_dict()["file missing"]["count"] == 3


def test_a_pipe_is_not_a_recording(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.mcap")
    with pytest.raises(BagError, match="contains no file"):
        Recording(tmp_path)


@pytest.mark.parametrize("text", ["#EXTM3U\n/etc/passwd\n", "ffconcat version 1.0\nfile x.mp4\n"])
def test_a_playlist_is_not_a_video(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.mp4").write_text(text)
    with pytest.raises(BagError, match="cannot be opened as a video"):
        VideoSource(tmp_path / "a.mp4", config=ServiceConfig())


@pytest.mark.parametrize(
    "changes",
    [
        {"tolerances": {"frames": float("inf")}},
        {"tolerances": {"frames": float("nan")}},
        {"tolerances": {"frames": "x"}},
        {"tolerances": []},
        {"tolerances": {"\x1b[2J": 1}},
        {"bags": None},
        {"version": [1]},
    ],
)
def test_a_golden_file_that_would_pass_anything_is_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = tmp_path / "golden.json"
    path.write_text(json.dumps(json.loads(GOLDEN.read_text()) | changes))
    with pytest.raises(ConfigError) as error:
        load_golden(path)
    assert "\x1b" not in str(error.value)


def test_a_damaged_or_endless_behaviour_is_named() -> None:
    golden = load_golden(GOLDEN)
    bag, behaviour = next(iter(golden["bags"].items()))
    track = behaviour["tracks"][0]
    for damaged in (
        behaviour | {"tracks": None},
        behaviour | {"tracks": [track | {"first_s": float("nan")}]},
        behaviour | {"camera": 3},
        {},
    ):
        with pytest.raises(ConfigError, match="damaged"):
            check(golden | {"bags": {bag: damaged}}, bag=bag, behaviour=behaviour)
    many = behaviour | {"tracks": [track] * (MOST_TRACKS + 1)}
    with pytest.raises(ConfigError, match="expected at most"):
        check(golden | {"bags": {bag: many}}, bag=bag, behaviour=behaviour)


@pytest.mark.parametrize("text", ["", "[" * 100_000, "[]", '{"version": 1}', '{"version": 2}'])
def test_input_that_is_not_a_summary_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "summary.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"summary\.json"):
        compare_files(path, path)


def test_a_report_of_a_folder_that_is_not_utf8_is_written(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9 <script>")
    result = {"bag": name, "path": name, "status": "failed", "error": "it is", "drifts": []}
    write_report(tmp_path / "report.html", result)
    assert "caf\\udce9 &lt;script&gt;" in (tmp_path / "report.html").read_text("utf-8")
