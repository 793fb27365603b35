"""Chooses the camera and episodes of a dataset to replay; ambiguous cases are rejected."""

from robot_vision.core.files.foreign import brief
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.replay.reading.messages import BagError

_MOST_SHOWN = 30


def choose_camera(episodes: EpisodeSet, *, wanted: str) -> str:
    """The camera called `wanted`, or the only one. Raises `BagError` with the choices."""
    names = [camera.name for camera in episodes.cameras]
    shown = ", ".join(brief(name) for name in names[:_MOST_SHOWN])
    if not names:
        raise BagError("the dataset has no camera, so there is nothing to replay")
    if wanted and wanted not in names:
        raise BagError(f"no camera {wanted!r} in the dataset (--camera); it has: {shown}")
    if not wanted and len(names) > 1:
        raise BagError(f"colour of several cameras: {shown}; choose one with --camera")
    return wanted or names[0]


def choose_episodes(episodes: EpisodeSet, *, wanted: tuple[int, ...]) -> tuple[int, ...]:
    """The episodes with these numbers, or all. Raises `BagError` for a missing one."""
    count = len(episodes.lengths)
    for index in wanted:
        if not 0 <= index < count:
            raise BagError(f"no episode {index} (--episode); the dataset has 0 to {count - 1}")
    return wanted or tuple(range(count))
