"""Which camera of a dataset is meant by a name of an observation."""

import re

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted
from robot_vision.core.observation_spec import CameraInput
from robot_vision.datasets.episode_set import EpisodeSet


def camera_of(episodes: EpisodeSet, camera: CameraInput, *, of: str) -> str:
    """The set's own name of it.

    LeRobot's keys have dots: their last part is the name, or the whole with underscores for what
    is neither letter nor digit. Raises `ConfigError` that names the choices where there is none,
    more than one, or no depth.
    """
    names = [known.name for known in episodes.cameras]
    found = [name for name in names if camera.name in (name, plain(name))]
    found = found or [name for name in names if camera.name == _last(name)]
    if len(found) != 1:
        choices = ", ".join(shown_names(names)) or "none"
        fault = f"{len(found)} cameras" if found else "no camera"
        raise ConfigError(f"{of} has {fault} {quoted(camera.name)}; choose of: {choices}")
    has_depth = next(known.has_depth for known in episodes.cameras if known.name == found[0])
    if camera.has_depth and not has_depth:
        raise ConfigError(
            f"{of} has no depth of camera {quoted(camera.name)}: set has_depth=false for it"
        )
    return found[0]


def shown_names(names: list[str]) -> list[str]:
    """By which each camera can be called in an observation, the shortest that is its alone."""
    last = [_last(name) for name in names]
    return [
        short if last.count(short) == 1 else plain(name)
        for name, short in zip(names, last, strict=True)
    ]


def plain(name: str) -> str:
    """A name with underscores for all that a camera's name may not have."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _last(name: str) -> str:
    return plain(re.split(r"[./]", name)[-1])
