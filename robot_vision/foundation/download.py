"""Downloads a file from a URL: resumable, checked by its SHA-256, never fetched twice."""

import os
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from robot_vision.core.errors import RobotVisionError
from robot_vision.core.files.disk import writing_to
from robot_vision.core.files.foreign import quoted
from robot_vision.model_store.bundle_files import sha256_of

CACHE_VARIABLE = "ROBOT_VISION_CACHE"
_BLOCK_BYTES = 1 << 20
_SILENCE_S = 30.0

Progress = Callable[[int, int], None]


class DownloadError(RobotVisionError, OSError):
    """A file could not be downloaded, or is not the requested one."""

    def __str__(self) -> str:
        return str(self.args[0])


def cache_folder() -> Path:
    """Where downloads are kept: ROBOT_VISION_CACHE, else ~/.cache/robot_vision."""
    given = os.environ.get(CACHE_VARIABLE, "")
    return Path(given).expanduser() if given else Path.home() / ".cache" / "robot_vision"


def download(url: str, *, sha256: str, progress: Progress = lambda _done, _size: None) -> Path:
    """The file with this SHA-256 in the cache; fetched only if missing.

    The next call resumes after a broken connection. Raises `DownloadError`.
    """
    name = Path(unquote(urlsplit(url).path)).name
    if not name or not name.isprintable():
        raise DownloadError(f"{quoted(url)} names no file: expected …/NAME.onnx")
    file = cache_folder() / "urls" / sha256 / name
    if file.is_file() and sha256_of(file) == sha256:
        return file
    partial = file.with_name(f"{name}.partial")
    with writing_to(file):
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _fetch(url, partial, progress)
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise DownloadError(_broken(url, partial, error)) from error
    found = sha256_of(partial)
    if found != sha256:
        partial.unlink()
        raise DownloadError(
            f"{quoted(url)} has the sha256 {found}, expected {sha256}: it was replaced, or "
            "damaged in transit; the download was deleted"
        )
    partial.replace(file)
    return file


def _fetch(url: str, partial: Path, progress: Progress) -> None:
    have = partial.stat().st_size if partial.is_file() else 0
    headers = {"Range": f"bytes={have}-"} if have else {}
    # `reference` lets only http and https through.
    request = Request(url, headers={"Accept-Encoding": "identity", **headers})  # noqa: S310
    try:
        response: Any = urlopen(request, timeout=_SILENCE_S)  # noqa: S310
    except HTTPError as error:
        error.close()
        if error.code == 416 and have:  # all of it is here already; the SHA-256 decides
            return
        raise
    is_rest = response.status == 206
    with response, _opened(partial, "ab" if is_rest else "wb") as to:
        size = have * is_rest + int(response.headers.get("Content-Length") or 0)
        while block := response.read(_BLOCK_BYTES):
            with writing_to(partial):
                to.write(block)
            progress(to.tell(), size)
        if size and to.tell() < size:
            raise ConnectionError(f"the connection ended after {to.tell()} of {size} bytes")


def _opened(file: Path, mode: str) -> IO[bytes]:
    with writing_to(file):
        return file.open(mode)


def _broken(url: str, partial: Path, error: Exception) -> str:
    have = partial.stat().st_size if partial.is_file() else 0
    kept = f"; {have} bytes are kept, and the same command resumes from there" if have else ""
    return f"{quoted(url)} cannot be fetched: {error}{kept}"
