"""Resolves an observation's camera names to a dataset's cameras."""

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.observation_spec import CameraInput
from robot_vision.datasets.camera_names import camera_called
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError


def camera_of(episodes: EpisodeSet, camera: CameraInput, *, of: str) -> str:
    """The set's own name of it; raises `ConfigError` if there is none, or no depth."""
    found = camera_named(episodes, camera.name, of=of)
    has_depth = next(known.has_depth for known in episodes.cameras if known.name == found)
    if camera.has_depth and not has_depth:
        raise ConfigError(
            f"{of} has no depth of camera {quoted(camera.name)}: set has_depth=false for it"
        )
    return found


def camera_named(episodes: EpisodeSet, name: str, *, of: str) -> str:
    """The set's own name of a camera; raises `ConfigError` that names the choices."""
    try:
        return camera_called(name, [known.name for known in episodes.cameras], of=of)
    except DatasetError as error:
        raise ConfigError(str(error)) from error
