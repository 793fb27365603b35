"""Failed writes are reported with the file, the reason, the free space and what to do."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from robot_vision.core.errors import RobotVisionError


class DiskFullError(RobotVisionError, OSError):
    """A file could not be written, most likely because the disk is full."""

    def __init__(self, path: Path, error: OSError) -> None:
        super().__init__(
            f"cannot write {path}: {error.strerror or error}; {free_room(path.parent)}: free "
            "some space, or write to another disk. Everything written before is readable"
        )

    def __str__(self) -> str:
        return str(self.args[0])


@contextmanager
def writing_to(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into a `DiskFullError` that names `path`."""
    try:
        yield
    except DiskFullError:
        raise
    except OSError as error:
        raise DiskFullError(path, error) from error


def reserve_room(folder: Path, *, size_bytes: int) -> IO[bytes]:
    """Reserve disk space for what must be written at the end, until the file is closed.

    The file has no name, so it disappears with the process, however that ends.
    """
    room = TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115
    try:
        room.write(os.urandom(size_bytes))  # compressing file systems store zeros for free
    except OSError:
        room.close()
        raise
    return room


def free_room(path: Path) -> str:
    """Free space on the disk of `path`, as text."""
    try:
        return f"{shutil.disk_usage(path).free / 1e6:.1f} MB are free at {path}"
    except OSError as error:
        return f"the free space at {path} is unknown ({error})"
