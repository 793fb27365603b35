"""Datasets of strangers: nothing is read or written outside them, and none costs without bound."""

import copy
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from demonstrations_kit import write_episodes
from foreign_sets import COUNT, bounded, info_of, write_set
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import RobotVisionError
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.lerobot.dataset import Dataset
from robot_vision.datasets.lerobot.files.paths import fill
from robot_vision.demonstrations.check import problems
from robot_vision.demonstrations.export import export_v21
from robot_vision.demonstrations.writing.writer import DatasetWriter

SECRET = "a secret of the person at the machine"
KEY = "observation.images.front"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("foreign") / "good"
    write_episodes(root, [3])
    return root


@pytest.fixture
def ours(good: Path, tmp_path: Path) -> Path:
    """A copy beside a secret."""
    (tmp_path / "secret").write_text(SECRET)
    return shutil.copytree(good, tmp_path / "set")


def change_info(root: Path, **changes: Any) -> None:
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def secrets_in(folder: Path) -> list[Path]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return [path for path in files if SECRET.encode() in path.read_bytes()]


@pytest.mark.parametrize(
    "template",
    [
        "../secret",
        "/etc/hostname",
        "{video_key}/../../../secret",
        "videos/{file_index:0999999999d}.mp4",
        "videos/{video_key.__class__.__mro__}.mp4",
        "videos/{video_key!r:>999999999}.mp4",
        "videos/{}.mp4",
        "videos/{{x}}.mp4",
        "videos/\0.mp4",
        "v" * 100_000,
    ],
)
@pytest.mark.parametrize("name", ["video_path", "data_path"])
def test_a_template_names_no_file_but_the_datasets_own(
    ours: Path, tmp_path: Path, template: str, name: str
) -> None:
    change_info(ours, **{name: template})
    with pytest.raises(DatasetError) as error:
        export_v21(ours, tmp_path / "out")
    assert len(str(error.value)) < 1500
    assert not (tmp_path / "out").exists()


def test_input_that_is_not_a_video_is_not_copied(ours: Path, tmp_path: Path) -> None:
    (ours / "notes").write_text(SECRET)
    change_info(ours, video_path="notes")
    with pytest.raises(DatasetError, match="expected a video"):
        export_v21(ours, tmp_path / "out")
    assert secrets_in(tmp_path / "out") == []


@pytest.mark.parametrize("key", ["../../x", "/tmp/x", "..", "a/b", "a\\b", ".x", "", "a\x1b[2J"])
def test_a_feature_whose_name_would_be_a_path_is_refused(
    ours: Path, tmp_path: Path, key: str
) -> None:
    features = json.loads((ours / "meta/info.json").read_text())["features"]
    features[key] = features.pop(KEY)
    change_info(ours, features=features)
    with pytest.raises(DatasetError, match=r"info\.json: features"):
        export_v21(ours, tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["secret", "set"]


def test_templates_are_filled_literally() -> None:
    named = fill("v/{video_key}/{chunk_index:03d}/{file_index}", video_key=KEY, chunk_index=7,
                 file_index=12)  # fmt: skip
    assert named == f"v/{KEY}/007/12"
    for wrong in (-1, 10**13, True, "1"):
        with pytest.raises(DatasetError, match="expected a whole number"):
            fill("{file_index}", file_index=wrong)


@pytest.mark.parametrize(
    "name",
    [
        "data/chunk-000/file-000.parquet",
        f"videos/{KEY}/chunk-000/file-000.mp4",
        "meta/robot_vision.json",
        "meta/tasks.parquet",
        "meta/episodes/chunk-000/file-000.parquet",
        "meta/robot_vision/episode-000000.json",
    ],
)
def test_a_link_out_of_the_dataset_is_not_followed(ours: Path, tmp_path: Path, name: str) -> None:
    (ours / name).rename(tmp_path / "elsewhere")
    (ours / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="not a file below"):
        export_v21(ours, tmp_path / "out")


def test_links_within_the_hubs_cache_are_followed(ours: Path, tmp_path: Path) -> None:
    blobs, snapshot = tmp_path / "hub/blobs", tmp_path / "hub/snapshots/1f"
    blobs.mkdir(parents=True)
    shutil.copytree(ours, snapshot)
    for number, path in enumerate([p for p in snapshot.rglob("*") if p.is_file()]):
        path.rename(blobs / str(number))
        path.symlink_to(blobs / str(number))
    assert problems(snapshot) == []


def test_nothing_is_written_where_a_link_leads(ours: Path, tmp_path: Path) -> None:
    (ours / ".recording/lock").unlink(missing_ok=True)
    (ours / ".recording").mkdir(exist_ok=True)
    (ours / ".recording/lock").symlink_to(tmp_path / "secret")
    with pytest.raises(DatasetError, match="not a file below"):
        DatasetWriter(ours)
    assert (tmp_path / "secret").read_text() == SECRET


def test_a_pipe_in_a_dataset_is_not_waited_for(tmp_path: Path) -> None:
    root = write_set(tmp_path / "set")
    (root / "meta/tasks.jsonl").unlink()
    os.mkfifo(root / "meta/tasks.jsonl")
    assert "not a regular file" in problems(root)[0]


def test_a_list_of_other_files_is_not_a_video(ours: Path, tmp_path: Path) -> None:
    """FFmpeg takes a playlist for a video, whatever it is called, and opens what it names."""
    video = ours / f"videos/{KEY}/chunk-000/file-000.mp4"
    shutil.copy(video, tmp_path / "private.mp4")
    video.write_text(
        "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n"
        f"{tmp_path / 'private.mp4'}\n#EXT-X-ENDLIST\n"
    )
    with Dataset(ours) as dataset, pytest.raises(DatasetError, match="expected a video"):
        dataset.image(0, 0, KEY)


@pytest.mark.parametrize(
    "changes",
    [
        {"fps": 0},
        {"fps": -1},
        {"fps": 1e9},
        {"fps": "10"},
        {"fps": True},
        {"chunks_size": 0},
        {"chunks_size": -5},
        {"features": []},
        {"features": {"action": 1}},
        {"features": {"action": {"dtype": "float32", "shape": [-1]}}},
        {"features": {"action": {"dtype": "float32", "shape": [10**30]}}},
        {"features": {}},
        {"codebase_version": ["v3.0"]},
        {"data_path": 7},
        {"data_path": None},
    ],
)
def test_numbers_that_info_json_cannot_mean_are_refused(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    (problem,) = problems(write_set(tmp_path / "set", info=info_of(**changes)))
    assert "info.json" in problem or "is of version" in problem


@pytest.mark.parametrize("text", ["", "[]", "null", "[" * 100_000, '{"fps": 1e999}', "9" * 9999])
def test_a_broken_info_json_is_named(tmp_path: Path, text: str) -> None:
    (problem,) = problems(write_set(tmp_path / "set", info=text))
    assert "meta/info.json: " in problem


@pytest.mark.parametrize("value", ["1e999", "-1e999", "NaN"])
def test_numbers_without_end_are_refused(tmp_path: Path, value: str) -> None:
    text = json.dumps(info_of()).replace('"fps": 10', f'"fps": {value}')
    (problem,) = problems(write_set(tmp_path / "set", info=text))
    assert "info.json: fps" in problem


@pytest.mark.parametrize(
    "line",
    [
        {"episode_index": -1, "tasks": ["pick"], "length": COUNT},
        {"episode_index": 0, "tasks": ["pick"], "length": -COUNT},
        {"episode_index": 0, "tasks": ["pick"], "length": 10**30},
        {"episode_index": 0, "tasks": "pick", "length": COUNT},
        {"episode_index": 0, "tasks": [None], "length": COUNT},
        {"episode_index": "0", "tasks": ["pick"], "length": COUNT},
        {"tasks": ["pick"], "length": COUNT},
        ["pick"],
        3,
    ],
)
def test_an_episode_that_cannot_be_is_named(tmp_path: Path, line: Any) -> None:
    (problem,) = problems(write_set(tmp_path / "set", episodes=[line]))
    assert "episodes.jsonl" in problem


def test_an_episode_longer_than_its_rows_costs_nothing(ours: Path, tmp_path: Path) -> None:
    path = ours / "meta/episodes/chunk-000/file-000.parquet"
    with pq.ParquetFile(path) as file:
        table = file.read()
    column = table.column_names.index("length")
    pq.write_table(table.set_column(column, "length", pa.array([10**11])), path)
    with pytest.raises(DatasetError, match="meta says 100000000000"):
        export_v21(ours, tmp_path / "out")


def test_separators_within_a_task_do_not_cut_its_line(tmp_path: Path) -> None:
    words = "pick\u2028the\x85cup"
    line = json.dumps({"task_index": 0, "task": words}, ensure_ascii=False)
    root = write_set(
        tmp_path / "set",
        tasks=line + "\n",
        episodes=[{"episode_index": 0, "tasks": [words], "length": COUNT}],
    )
    assert problems(root) == []


@pytest.mark.parametrize(
    "names",
    [
        {"motors": ["j1", "j2"]},
        [["j1", "j2"]],
        {"a": {"b": ["j1 j2"]}},
        {"j2": 1, "j1": 0},
    ],
)
def test_names_are_shown_however_they_are_nested(tmp_path: Path, names: object) -> None:
    info = info_of()
    info["features"]["action"]["names"] = names
    result = CliRunner().invoke(
        app, ["demonstrations", "info", str(write_set(tmp_path / "set", info=info))]
    )
    assert result.exit_code == 0
    assert "j1 j2" in result.output


def test_names_may_be_absent(tmp_path: Path) -> None:
    info = info_of()
    del info["features"]["action"]["names"]
    root = write_set(tmp_path / "set", info=info)
    assert CliRunner().invoke(app, ["demonstrations", "info", str(root)]).exit_code == 0


def test_a_folder_that_is_not_utf8_is_read_and_exported(good: Path, tmp_path: Path) -> None:
    root = shutil.copytree(good, tmp_path / os.fsdecode(b"caf\xe9"))
    run = CliRunner().invoke
    result = run(app, ["demonstrations", "check", str(root)])
    assert result.exit_code == 0, result.output
    words = "".join(result.output.split())  # lines end where the terminal's width asks for it
    assert "caf\\udce9:noproblems" in words
    assert run(app, ["demonstrations", "info", str(root)]).exit_code == 0
    out = tmp_path / os.fsdecode(b"\xff")
    assert run(app, ["demonstrations", "export", str(root), str(out)]).exit_code == 0
    assert problems(out) == []


def bomb_of_rows(path: Path) -> None:
    """100 million rows in a few kilobytes."""
    zeros = pa.table({name: np.zeros(10_000_000, np.int64) for name in ("task_index", "task")})
    with pq.ParquetWriter(path, zeros.schema, compression="zstd") as writer:
        for _ in range(5):
            writer.write_table(zeros)


def bomb_of_text(path: Path) -> None:
    """A text of 2 MB that every one of 1000 rows repeats."""
    text = pa.DictionaryArray.from_arrays(pa.array([0] * 1000), pa.array(["x" * 2_000_000]))
    table = pa.table({"task": text, "task_index": pa.array(range(1000))})
    pq.write_table(table, path, compression="zstd", dictionary_pagesize_limit=2**30)


@pytest.mark.parametrize("bomb", [bomb_of_rows, bomb_of_text])
def test_a_small_file_of_many_values_is_refused_within_bounds(ours: Path, bomb: Any) -> None:
    bomb(ours / "meta/tasks.parquet")
    assert (ours / "meta/tasks.parquet").stat().st_size < 1_000_000
    command = bounded(["demonstrations", "info", str(ours)], most_bytes=3 * 2**30)
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 2, result.stderr
    assert "error: " in result.stderr
    assert "Traceback" not in result.stderr


NUMBERS = [True, 0, -1, 2**63, 10**30, 1e308, float("nan"), float("inf")]
TEXTS = ["", "../../escaped", "/etc/passwd", "[red]x[/red]", "[/]", "\x1b[2J\x07", "\ud800\udcff"]
TEXTS += ["x" * 5_000, "{episode_index:0999999999d}", "{episode_index.__class__}", "é\u202e"]
NASTY = st.sampled_from([None, *NUMBERS, *TEXTS, [], [[]], [None], {}])


@st.composite
def changed(draw: st.DrawFn, content: Any) -> Any:
    """The content with something put in the place of one of its parts."""
    if isinstance(content, dict | list) and content and draw(st.integers(0, 9)) < 8:
        content = copy.copy(content)
        keys = sorted(content) if isinstance(content, dict) else range(len(content))
        key = draw(st.sampled_from(list(keys)))
        how = draw(st.integers(0, 9))
        if how == 0:
            del content[key]
        elif how == 1 and isinstance(content, dict):
            content[str(draw(NASTY))] = content.pop(key)
        else:
            content[key] = draw(changed(content[key]))
        return content
    return draw(NASTY)


INFO = info_of()
INFO["features"][KEY] = {"dtype": "video", "shape": [4, 4, 3], "names": None, "info": {}}
EPISODES = [{"episode_index": 0, "tasks": ["pick"], "length": COUNT}]
TASKS = [{"task_index": 0, "task": "pick"}]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(part=st.sampled_from(["info", "episodes", "tasks"]), data=st.data())
def test_whatever_a_dataset_says_the_commands_end_in_words(
    tmp_path: Path, part: str, data: st.DataObject
) -> None:
    content: dict[str, Any] = {"info": INFO, "episodes": EPISODES, "tasks": TASKS}
    content[part] = data.draw(changed(content[part]))
    assume(not isinstance(content[part], bool | int | float))
    here = tmp_path / "here"
    shutil.rmtree(here, ignore_errors=True)
    root = write_set(here / "set", **content)
    for command in (["info", root], ["check", root], ["export", root, here / "out"]):
        result = CliRunner().invoke(app, ["demonstrations", *map(str, command)])
        if result.exception and not isinstance(result.exception, SystemExit | RobotVisionError):
            raise result.exception
        assert "\x1b" not in result.output
    assert {path.name for path in here.iterdir()} <= {"set", "out"}
    assert not (tmp_path / "escaped").exists()
