"""`robot-vision replay` and `compare` as a user runs them."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from replay_scenes import HEIGHT, WIDTH, Scene, red_square_bundle, write_mcap
from rosbags.highlevel import AnyReader
from typer.testing import CliRunner

from robot_vision.commands import replay
from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.topics.content.cloud import OBJECT_POINT


def run(*arguments: object) -> tuple[int, str]:
    app = typer.Typer()
    replay.register(app)
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.output


@pytest.fixture
def options(detector: Path) -> tuple[str, ...]:
    return ("--model", str(detector), "--param", "detector.nms_iou=0.2", "--param", "threads=1")


def test_outputs_of_one_bag(recording: Path, options: tuple[str, ...], tmp_path: Path) -> None:
    out, summary = tmp_path / "out", tmp_path / "all.json"
    code, text = run(
        "replay", recording, *options, "--out", out, "--json", summary, "--images", "all"
    )
    assert (code, text.splitlines()[-1]) == (0, "pass")
    bag = json.loads(summary.read_text())["bags"][0]
    assert bag["figures"]["digest"][:12] in text
    folder = out / "squares"
    check_tracks(folder / "tracks.csv", bag)
    check_mcap(folder / "perception.mcap")
    check_report(folder / "report.html")
    assert json.loads((folder / "summary.json").read_text())["status"] == "pass"
    assert f"report: {folder / 'report.html'}\n" in text


def test_what_the_pipeline_lacks_is_printed_and_reported(
    options: tuple[str, ...], tmp_path: Path
) -> None:
    name = "a_recording_with_a_name_that_leaves_no_space_in_a_narrow_terminal"
    path = write_mcap(tmp_path / f"{name}.mcap", Scene(frames=4, info=False).messages())
    out, summary = tmp_path / "out", tmp_path / "all.json"
    code, text = run("replay", path, *options, "--out", out, "--json", summary)
    assert code == 0
    assert f"{name}: no intrinsics: objects stay in 2-D (4 of 4 frames)" in text
    assert json.loads(summary.read_text())["bags"][0]["figures"]["digest"][:12] in text
    html = (out / name / "report.html").read_text()
    assert html.index("no intrinsics: objects stay in 2-D") < html.index("<h2>Objects</h2>")
    assert "Frames with depth: 4" in html


def test_points_are_written_on_request(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    stride = ("--param", "points.stride=2")
    code, _ = run("replay", recording, *options, *stride, "--points", "--out", tmp_path)
    assert code == 0
    with AnyReader([tmp_path / "squares" / "perception.mcap"]) as reader:
        named: dict[str, list[Any]] = {"points": [], "objects/points": []}
        for connection, _, data in reader.messages():
            name = connection.topic.removeprefix("/perception/")
            if name in named:
                named[name].append(reader.deserialize(data, connection.msgtype))
    assert [len(messages) for messages in named.values()] == [30, 30]
    cloud, things = named["points"][-1], named["objects/points"][-1]
    assert (cloud.height, cloud.width) == (-(-HEIGHT // 2), -(-WIDTH // 2))
    seen = np.frombuffer(things.data, OBJECT_POINT)
    assert len(np.unique(seen["id"])) == 2
    assert np.median(seen["z"]) == pytest.approx(1.0, abs=0.05)


def check_tracks(path: Path, bag: dict[str, Any]) -> None:
    rows = list(csv.DictReader(path.read_text().splitlines()))
    confirmed = [row for row in rows if row["state"] == "confirmed"]
    assert len(confirmed) == sum(track["frames"] for track in bag["figures"]["tracks"])
    assert {row["class"] for row in rows} == {"red square"}
    assert float(confirmed[-1]["z_m"]) == pytest.approx(1.0, abs=0.05)


def check_mcap(path: Path) -> None:
    """Another library reads it, and finds what the node publishes, at the frames' stamps."""
    with AnyReader([path]) as reader:
        counts = {c.topic: c.msgcount for c in reader.connections}
        assert counts == {
            f"/perception/{name}": 30
            for name in (
                "detections",
                "objects",
                "objects/markers",
                "objects/json",
                "depth/image",
                "depth/confidence",
                "depth/camera_info",
                "overlay/compressed",
            )
        }
        last: dict[str, Any] = {}
        for connection, stamp_ns, data in reader.messages():
            message: Any = reader.deserialize(data, connection.msgtype)
            last[connection.topic] = message
            if hasattr(message, "header"):
                stamp = message.header.stamp
                assert stamp.sec * 1_000_000_000 + stamp.nanosec == stamp_ns
    objects = last["/perception/objects"].detections
    assert [o.results[0].hypothesis.class_id for o in objects] == ["red square"] * 2
    assert objects[0].bbox.center.position.z == pytest.approx(1.0, abs=0.05)
    depth = last["/perception/depth/image"]
    depth_m = np.frombuffer(depth.data, np.float32).reshape(depth.height, depth.width)
    assert np.nanmax(depth_m) == pytest.approx(2.0, abs=0.01)
    confidence = last["/perception/depth/confidence"]
    worth = np.frombuffer(confidence.data, np.float32).reshape(depth_m.shape)
    assert confidence.encoding == "32FC1"
    assert (worth.min(), worth.max()) == (np.isfinite(depth_m).all(), 1)
    assert len(last["/perception/objects/markers"].markers) == 5
    assert json.loads(last["/perception/objects/json"].data)["objects"][0]["class"] == "red square"


def check_report(path: Path) -> None:
    html = path.read_text()
    outside = re.findall(r"""(?:src|href)\s*=\s*["'](?!data:)|url\(|@import|<script""", html)
    assert outside == []
    assert len(re.findall("data:image/jpeg;base64,", html)) >= 2
    for title in ("Objects", "Tracks", "Ages per stage", "Depth", "Inputs", "Notable frames"):
        assert f"<h2>{title}</h2>" in html
    assert "$" not in html
    assert "least depth" not in html  # all of it is known in all frames


def test_golden_file_and_exit_statuses(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    golden = tmp_path / "golden.json"
    assert run("replay", recording, *options, "--golden", golden, "--update-golden")[0] == 0
    assert run("replay", recording, *options, "--golden", golden)[0] == 0
    broken = red_square_bundle(tmp_path / "broken", gain=0.4)
    code, text = run("replay", recording, *options, "--model", broken, "--golden", golden)
    assert (code, text.splitlines()[-1]) == (1, "regression")
    assert "squares: detections of red square: 60 became 0" in text
    golden.write_text("{")
    with pytest.raises(ConfigError, match="cannot read the golden file"):
        run("replay", recording, "--golden", golden, "--update-golden")
    code, text = run("replay", tmp_path / "no.mcap", *options)
    assert (code, "no.mcap does not exist" in text) == (2, True)


def test_two_models_are_compared(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    run("replay", recording, *options, "--json", first)
    weaker = red_square_bundle(tmp_path / "weaker", gain=0.8)
    run("replay", recording, *options, "--model", weaker, "--json", second)
    assert run("compare", first, first)[0] == 0
    code, text = run("compare", first, second)
    assert code == 1
    assert re.search(r"detections of red square +60 +\d+ +-\d+", text)
    assert "weaker@1" in text
    with pytest.raises(ConfigError, match="not a file of `replay --json`"):
        run("compare", first, recording)


def test_many_bags_one_verdict_and_a_bad_one_stops_nothing(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    other = write_mcap(tmp_path / "other.mcap", Scene(frames=10).messages())
    bad = tmp_path / "bad.mcap"
    bad.write_bytes(b"not a recording")
    out, summary = tmp_path / "out", tmp_path / "all.json"
    arguments = ("replay", recording, bad, other, *options, "--jobs", 2, "--out", out)
    code, text = run(*arguments, "--json", summary)
    assert (code, text.splitlines()[-1]) == (2, "failed")
    bags = json.loads(summary.read_text())["bags"]
    assert [(b["bag"], b["status"]) for b in bags] == [
        ("squares", "pass"),
        ("bad", "failed"),
        ("other", "pass"),
    ]
    report = out / "squares" / "report.html"
    written_ns = report.stat().st_mtime_ns
    resumed = tmp_path / "resumed.json"
    assert run(*arguments, "--resume", "--json", resumed)[0] == 2
    assert report.stat().st_mtime_ns == written_ns
    again = json.loads(resumed.read_text())["bags"]
    assert [b.get("figures") for b in again] == [b.get("figures") for b in bags]


def test_parameters_of_the_node_are_taken(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "perception.yaml"
    file.write_text(
        "/**/perception:\n  ros__parameters:\n    target_frame: odom\n"
        "    detector: {score_threshold: 0.99, classes: ['']}\n"
    )
    summary = tmp_path / "a.json"
    assert run("replay", recording, *options, "--config", file, "--json", summary)[0] == 0
    bag = json.loads(summary.read_text())["bags"][0]
    assert (bag["config"]["target_frame"], bag["figures"]["detections_by_class"]) == ("odom", {})


def test_parquet_or_how_to_get_it(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    code, text = run("replay", recording, *options, "--out", tmp_path, "--tracks", "parquet")
    try:
        import pyarrow.parquet
    except ImportError:
        assert (code, "pip install pyarrow" in text) == (2, True)
        return
    table = pyarrow.parquet.read_table(tmp_path / "squares" / "tracks.parquet").to_pydict()
    assert set(table["class"]) == {"red square"}


@pytest.mark.parametrize(
    ("option", "value", "expected"),
    [
        ("--rate", "fast", "as-fast-as-possible, real-time, or a factor"),
        ("--intrinsics", "1,2,3", "four numbers"),
        ("--intrinsics", "0,1,2,3", "focal lengths"),
        ("--images", "some", "one of none, depth, all"),
        ("--param", "threads", "expected name=value"),
        ("--param", "thread=1", "unknown parameter 'thread'"),
        ("--update-golden", "", "needs --golden"),
    ],
)
def test_wrong_options_say_what_is_expected(
    recording: Path, option: str, value: str, expected: str
) -> None:
    with pytest.raises(ConfigError, match=expected):
        run("replay", recording, option, *([value] if value else []))


def test_ray_says_how_to_get_it_or_runs_two_workers(
    recording: Path, options: tuple[str, ...], tmp_path: Path
) -> None:
    arguments = ("replay", recording, tmp_path / "no.mcap", *options, "--ray", "local")
    try:
        import ray  # noqa: F401
    except ImportError:
        with pytest.raises(MissingDependencyError, match="robot_vision"):
            run(*arguments)
        pytest.skip("ray is not installed: only its absence was tested")
    code, text = run(*arguments)
    assert (code, text.splitlines()[-1]) == (2, "failed")
    assert re.search(r"squares +pass +30 ", text)
    assert "no.mcap does not exist" in text
