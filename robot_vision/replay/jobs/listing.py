"""What a replay would use of a recording, and why."""

from pathlib import Path

from robot_vision.core.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.folders.image_sources import FolderSource
from robot_vision.replay.reading.sources import open_source


def lines_of(path: Path, *, config: ServiceConfig, bag: BagOptions) -> list[str]:
    """A line a role, then the topics that are not used. Raises `BagError` as a replay would."""
    source = open_source(path, config=config, options=bag)
    if isinstance(source, BagSource):
        return _topics(source.topics)
    if isinstance(source, FolderSource):
        frames = source.pairs.frames
        paired = sum(frame.depth is not None for frame in frames)
        return [
            f"{len(frames)} colour files, {paired} with depth ({source.pairs.why})",
            f"{len(source.pairs.unpaired)} depth files without colour",
        ]
    return [f"video {path.name}"]


def _topics(topics: Topics) -> list[str]:
    roles = {
        "colour": (topics.rgb, "rgb"),
        "depth": (topics.depth, "depth"),
        "camera_info": (topics.info, "info"),
        "depth camera_info": (topics.depth_info, "depth_info"),
    }
    lines = [
        f"{role}: {name or 'none'} ({topics.why.get(key, '')})"
        for role, (name, key) in roles.items()
    ]
    others = (f"not used: {name} ({kind})" for name, kind in topics.others.items())
    return [*lines, *others]
