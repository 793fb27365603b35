"""Datasets of strangers: small v2.1 sets made from parts, whatever the parts say."""

import json
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

COUNT = 5
NUMBERED = ("timestamp", "frame_index", "episode_index", "index", "task_index")


def info_of(**changes: Any) -> dict[str, Any]:
    """A sound `info.json`, with changes."""
    numbers = {name: {"dtype": "int64", "shape": [1], "names": None} for name in NUMBERED}
    numbers["timestamp"]["dtype"] = "float32"
    features = numbers | {"action": {"dtype": "float32", "shape": [2], "names": ["a", "b"]}}
    return {
        "codebase_version": "v2.1",
        "robot_type": "arm",
        "total_episodes": 1,
        "total_frames": COUNT,
        "total_tasks": 1,
        "chunks_size": 1000,
        "fps": 10,
        "data_path": "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet",
        "video_path": "videos/{video_key}/episode_{episode_index:06d}.mp4",
        "features": features,
    } | changes


def write_set(
    root: Path,
    *,
    info: Any = None,
    episodes: Any = None,
    tasks: Any = None,
    columns: dict[str, Any] | None = None,
) -> Path:
    """Write a set of one episode; `episodes` and `tasks` are lines, or text that is none."""
    (root / "meta").mkdir(parents=True)
    _write(root / "meta/info.json", info_of() if info is None else info)
    _write_lines(
        root / "meta/episodes.jsonl",
        [{"episode_index": 0, "tasks": ["pick"], "length": COUNT}]
        if episodes is None
        else episodes,
    )
    _write_lines(
        root / "meta/tasks.jsonl", [{"task_index": 0, "task": "pick"}] if tasks is None else tasks
    )
    table = {
        "timestamp": pa.array([row / 10 for row in range(COUNT)], pa.float32()),
        "frame_index": pa.array(range(COUNT)),
        "episode_index": pa.array([0] * COUNT),
        "index": pa.array(range(COUNT)),
        "task_index": pa.array([0] * COUNT),
        "action": pa.array([[0.0, 0.0]] * COUNT, pa.list_(pa.float32())),
    }
    path = root / "data/chunk-000/episode_000000.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(table | (columns or {})), path)
    return root


def _write(path: Path, content: Any) -> None:
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, errors="surrogatepass")


def _write_lines(path: Path, lines: Any) -> None:
    text = lines if isinstance(lines, str) else "".join(json.dumps(line) + "\n" for line in lines)
    path.write_text(text, errors="surrogatepass")


# A command in a process of its own, that may take so much and not more.
BOUNDED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({most_bytes}, {most_bytes}))
resource.setrlimit(resource.RLIMIT_CPU, ({most_s}, {most_s}))
resource.setrlimit(resource.RLIMIT_FSIZE, (10**8, 10**8))
sys.argv[0] = "robot-vision"
from robot_vision.cli import main
main()
"""


def bounded(arguments: list[str], *, most_bytes: int, most_s: int = 20) -> list[str]:
    """The command line that runs `robot-vision` within bounds."""
    code = BOUNDED.format(most_bytes=most_bytes, most_s=most_s)
    return [sys.executable, "-c", code, *arguments]
