"""File layout of LeRobot's two dataset versions below a dataset's folder."""

from pathlib import Path
from typing import Final

V30: Final = "v3.0"
V21: Final = "v2.1"
V20: Final = "v2.0"  # laid out as v2.1, except for statistics, which are not read

INFO = Path("meta/info.json")
STATS = Path("meta/stats.json")
TASKS = Path("meta/tasks.parquet")
OURS = Path("meta/robot_vision.json")
RECORDING = Path(".recording")

FILES_PER_CHUNK = 1000

DATA_V30 = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_V30 = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_V30 = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"

TASKS_V21 = Path("meta/tasks.jsonl")
EPISODES_V21 = Path("meta/episodes.jsonl")
EPISODES_STATS_V21 = Path("meta/episodes_stats.jsonl")
DATA_V21 = "data/chunk-{episode_chunk:03d}/episode_{episode_index:06d}.parquet"
VIDEO_V21 = "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4"


def record_path(episode_index: int) -> Path:
    """Our own record of an episode."""
    return Path(f"meta/robot_vision/episode-{episode_index:06d}.json")


def next_place(chunk_index: int, file_index: int) -> tuple[int, int]:
    """The chunk and file that follow these."""
    if file_index + 1 < FILES_PER_CHUNK:
        return chunk_index, file_index + 1
    return chunk_index + 1, 0
