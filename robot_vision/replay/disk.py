"""What cannot be written: said with the file, the reason, the room that is free and what to do."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from robot_vision.core.errors import RobotVisionError


class DiskFullError(RobotVisionError, OSError):
    """Something could not be written, most likely because there is no room."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"cannot write {path}: {error.strerror or error}; {_free(path.parent)}: make room, "
            "or write to another disk. What was written before can be read"
        )

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """A failure of the block becomes a `DiskFullError` that names `path`."""
    try:
        yield
    except DiskFullError:
        raise
    except OSError as error:
        raise DiskFullError(path, error) from error


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder).free / 1e6:.1f} MB are free at {folder}"
    except OSError as error:
        return f"{folder} cannot be looked at ({error})"
