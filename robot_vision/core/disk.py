"""What cannot be written: said with the file, the reason, the room that is free and what to do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from robot_vision.core.errors import RobotVisionError


class DiskFullError(RobotVisionError, OSError):
    """Something could not be written, most likely because there is no room."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"cannot write {path}: {error.strerror or error}; {free_room(path.parent)}: "
            "make room, or write to another disk. What was written before can be read"
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


def reserve_room(folder: Path, *, size_bytes: int) -> IO[bytes]:
    """Room on the disk for what must be written at the end, until the file is closed.

    It has no name, so that it goes with the process, however that ends.
    """
    room = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
    try:
        room.write(os.urandom(size_bytes))  # zeros take no room on disks that compress
    except OSError:
        room.close()
        raise
    return room


def free_room(path: Path) -> str:
    """How much is free where `path` is, in words."""
    try:
        return f"{shutil.disk_usage(path).free / 1e6:.1f} MB are free at {path}"
    except OSError as error:
        return f"{path} cannot be looked at ({error})"
