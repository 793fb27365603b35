"""LeRobot's datasets: folders with `meta/info.json`."""

from pathlib import Path

from robot_vision.datasets.episode_set import EpisodeSet, Reading


def matches(path: Path) -> bool:
    return (path / "meta" / "info.json").is_file()


def open_set(path: Path, reading: Reading) -> EpisodeSet:
    from robot_vision.datasets.lerobot.episode_set import LerobotSet  # needs the extra `dataset`

    return LerobotSet(path, fps=reading.fps)
