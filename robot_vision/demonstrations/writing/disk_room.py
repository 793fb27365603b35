"""Room for a dataset: the space that it may take, and that it must leave free on its disk."""

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from robot_vision.datasets.errors import DatasetError


class DiskLimitError(DatasetError):
    """There is no room for more; data already added are kept."""


@dataclass(frozen=True, kw_only=True)
class DiskLimits:
    """Space that a dataset may take and must leave free; `max_bytes` 0 sets no limit."""

    max_bytes: int = 0
    min_free_bytes: int = 1_000_000_000


class DiskRoom:
    """Compares a dataset's size with its limits."""

    def __init__(self, root: Path, limits: DiskLimits) -> None:
        self._root = root
        self._limits = limits
        self._bytes = 0

    def measure(self) -> None:
        """Note the dataset's size, which changes only when an episode joins it."""
        self._bytes = _size(self._root)

    def check(self, growing: Path | None) -> None:
        """Raise `DiskLimitError` if there is no room; `growing` is the open episode's folder."""
        free = shutil.disk_usage(self._root).free
        if free < self._limits.min_free_bytes:
            raise DiskLimitError(
                f"{free / 1e6:.0f} MB are free at {self._root}; "
                f"{self._limits.min_free_bytes / 1e6:.0f} MB must stay free"
            )
        taken = self._bytes + (_size(growing) if growing else 0)
        if self._limits.max_bytes and taken >= self._limits.max_bytes:
            raise DiskLimitError(
                f"{self._root} takes {taken / 1e6:.0f} MB; "
                f"the limit is {self._limits.max_bytes / 1e6:.0f} MB"
            )


def _size(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        # Other users may record below it, and replace their files.
        with suppress(FileNotFoundError):
            total += path.stat().st_size if path.is_file() else 0
    return total
