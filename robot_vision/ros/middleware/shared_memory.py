"""Removes shared memory of killed processes: Fast DDS keeps 64 MB of each with our profile.

Fast DDS locks `fastrtps_<id>_el` (flock) for as long as the process lives that owns the segment
`fastrtps_<id>`, and the system releases the lock when the process dies, in any container. Ids are
random, so the segment of a dead process is never used again. Ports
(`fastrtps_port…`, `sem.fastrtps_port…`) are left alone: they are small, their names recur, and a
starting process may be taking over those of a dead one. Fast DDS 3 (Kilted and
later) writes `fastdds` for `fastrtps`.
"""

import fcntl
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import time

_FOLDER = Path("/dev/shm")  # noqa: S108 - of Fast DDS, checked for whose it is
_LOCK_NAME = re.compile(r"fast(rtps|dds)_[0-9a-f]{16}_el")
# A starting process creates the lock file and locks it a moment later.
_YOUNGEST_S = 5.0


def clean_shared_memory(
    *,
    log: Callable[[str], object],
    folder: Path = _FOLDER,
    youngest_s: float = _YOUNGEST_S,
) -> None:
    """Remove segments of this user's that no living process owns; `log` gets one line if any.

    Must not fail: files that cannot be read or removed stay.
    """
    sizes = [_remove_if_dead(lock, youngest_s) for lock in _locks(folder)]
    freed = [size for size in sizes if size is not None]
    if freed:
        log(
            f"removed shared memory of processes that were killed: {len(freed)} segments, "
            f"{sum(freed) / 1e6:.0f} MB in {folder}"
        )


def _locks(folder: Path) -> list[Path]:
    with suppress(OSError):
        return [path for path in folder.iterdir() if _LOCK_NAME.fullmatch(path.name)]
    return []


def _remove_if_dead(lock: Path, youngest_s: float) -> int | None:
    """Bytes freed; None if the segment is in use, another user's, or new."""
    with suppress(OSError):  # gone meanwhile, or not ours to open
        file = os.open(lock, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            about = os.fstat(file)
            if not _is_ours(about) or time() - about.st_mtime < youngest_s:
                return None
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # fails while the owner lives
            return _remove(lock)
        finally:
            os.close(file)
    return None


def _remove(lock: Path) -> int:
    """Remove the segment, then its lock: if interrupted, the next start still finds it."""
    segment = lock.with_name(lock.name.removesuffix("_el"))
    size = 0
    with suppress(FileNotFoundError):
        about = segment.lstat()
        if not _is_ours(about):
            raise PermissionError(f"{segment} is another user's")
        segment.unlink()
        size = about.st_blocks * 512
    lock.unlink()
    return size


def _is_ours(about: os.stat_result) -> bool:
    return stat.S_ISREG(about.st_mode) and about.st_uid == os.geteuid()
