"""Names for the cameras of a dataset."""

import re
from collections.abc import Sequence

from robot_vision.core.files.foreign import quoted
from robot_vision.datasets.errors import DatasetError


def camera_called(name: str, names: Sequence[str], *, of: str) -> str:
    """The set's own name of the camera.

    LeRobot's keys have dots: the last part is the name, or the whole key with underscores for
    whatever is neither letter nor digit. Raises `DatasetError` that names the choices if none
    matches, or several do.
    """
    found = [each for each in names if name in (each, plain(each))]
    found = found or [each for each in names if name == _last(each)]
    if len(found) != 1:
        choices = ", ".join(shown_names(names)) or "none"
        fault = f"{len(found)} cameras" if found else "no camera"
        raise DatasetError(f"{of} has {fault} {quoted(name)}; choose of: {choices}")
    return found[0]


def shown_names(names: Sequence[str]) -> list[str]:
    """A name for each camera in an observation: the shortest unique one."""
    last = [_last(name) for name in names]
    return [
        short if last.count(short) == 1 else plain(name)
        for name, short in zip(names, last, strict=True)
    ]


def plain(name: str) -> str:
    """A name with underscores for characters that a camera's name may not have."""
    return re.sub(r"[^A-Za-z0-9_]", "_", name)


def _last(name: str) -> str:
    return plain(re.split(r"[./]", name)[-1])
