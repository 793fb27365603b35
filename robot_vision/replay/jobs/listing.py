"""What a replay would use of each recording, and why."""

from collections.abc import Iterator
from pathlib import Path

from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.open_dataset import is_dataset
from robot_vision.replay.reading.bag import BagOptions, BagSource
from robot_vision.replay.reading.discovery import Topics
from robot_vision.replay.reading.episodes.choice import choose_camera, choose_episodes
from robot_vision.replay.reading.episodes.open import open_episodes
from robot_vision.replay.reading.episodes.options import EpisodeOptions
from robot_vision.replay.reading.folders.image_sources import FolderSource, VideoSource
from robot_vision.replay.reading.sources import open_source

_MOST_EPISODES = 50
_MOST_NAMES = 16
_NO_INTRINSICS = "objects stay in 2-D without --intrinsics fx,fy,cx,cy"


def lines_of(path: Path, *, config: ServiceConfig, bag: BagOptions) -> Iterator[str]:
    """One line per role, then unused topics. Raises `BagError` as a replay would."""
    if is_dataset(path):
        episodes = open_episodes(path, config=config, options=bag.episodes)
        yield from _episodes(episodes, bag.episodes)
        return
    source = open_source(path, config=config, options=bag)
    if isinstance(source, BagSource):
        yield from _topics(source.topics)
    elif isinstance(source, FolderSource):
        frames = source.pairs.frames
        paired = sum(frame.depth is not None for frame in frames)
        yield f"{len(frames)} colour files, {paired} with depth ({source.pairs.why})"
        if source.pairs.unpaired:
            yield f"{len(source.pairs.unpaired)} depth files without colour"
        if paired and not source.has_intrinsics:
            yield f"no intrinsics: {_NO_INTRINSICS}"
    elif isinstance(source, VideoSource):
        yield f"video: {source.format}"
        if source.has_depth:
            yield f"no intrinsics: {_NO_INTRINSICS}"


def _topics(topics: Topics) -> list[str]:
    roles = {
        "colour": (topics.rgb, "rgb"),
        "depth": (topics.depth, "depth"),
        "camera_info": (topics.info, "info"),
        "depth camera_info": (topics.depth_info, "depth_info"),
    }
    lines = []
    for role, (name, key) in roles.items():
        about = f" {topics.formats[name]}" if name in topics.formats else ""
        lines.append(f"{role}: {name or 'none'} ({topics.why.get(key, '')}){about}")
    if topics.depth and not topics.info:
        lines.append(f"no intrinsics: {_NO_INTRINSICS} or --info-topic NAME")
    others = (f"not used: {name} ({kind})" for name, kind in topics.others.items())
    return [*lines, *others]


def _episodes(episodes: EpisodeSet, options: EpisodeOptions) -> Iterator[str]:
    """The dataset's contents; a rejection follows only after them, as they list the choices."""
    lengths = episodes.lengths
    yield f"{len(lengths)} episodes, {sum(lengths)} steps, {episodes.fps:g} per second"
    for camera in episodes.cameras:
        depth = "colour and depth" if camera.has_depth else "colour"
        yield f"camera {brief(camera.name)}: {depth}"
    chosen = choose_episodes(episodes, wanted=options.episodes)
    for index in chosen[:_MOST_EPISODES]:
        yield f"episode {index}: {_episode(episodes, index)}"
    if len(chosen) > _MOST_EPISODES:
        yield f"and {len(chosen) - _MOST_EPISODES} more episodes"
    yield from (f"reported: {brief(remark)}" for remark in episodes.remarks)
    camera = choose_camera(episodes, wanted=options.camera)
    yield f"replayed: camera {brief(camera)} of {len(chosen)} episodes"


def _episode(episodes: EpisodeSet, index: int) -> str:
    try:
        words, actions = episodes.instruction(index), episodes.actions(index)
    except DatasetError as error:
        return f"not read: {error}"
    does = "no actions"
    if actions is not None:
        names = ", ".join(brief(name) for name in actions.names[:_MOST_NAMES])
        does = f"{actions.values.shape[1]} actions" + (f" ({names})" if names else "")
    return f"{episodes.lengths[index]} steps, {does}, {brief(words) or 'no words'}"
