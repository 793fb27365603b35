"""Addresses of live sources, and how to show them without passwords."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

from robot_vision.codecs.header import is_video
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted

_SCHEMES = ("rtsp", "rtsps", "http", "https")
_HEAD_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class Address:
    """`real` is opened and may contain a password, `shown` is for people and logs."""

    kind: Literal["device", "stream", "file"]
    real: str
    shown: str
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Address({self.kind}, {self.shown})"


def address_of(text: str) -> Address:
    """Parse an address: 0, /dev/video0, rtsp://…, http://… or a video file.

    `$NAME` in the address of a stream is taken from the environment. Raises `ConfigError` for
    anything else, and for a missing or unreadable device or file.
    """
    if text.isdecimal():
        return _device(Path(f"/dev/video{int(text)}"))
    if text.startswith("/dev/"):
        return _device(Path(text))
    if "://" in text:
        return _stream(text)
    return _file(Path(text).expanduser())


def without_secrets(text: str, address: Address) -> str:
    """A third-party message about the address, with its secrets removed."""
    text = text.replace(address.real, address.shown)
    for secret in address.secrets:
        text = text.replace(secret, "…")
    return text


def _device(path: Path) -> Address:
    if not path.exists():
        present = ", ".join(sorted(str(p) for p in Path("/dev").glob("video*"))) or "none"
        raise ConfigError(f"{path} does not exist; cameras here: {present}")
    if not os.access(path, os.R_OK | os.W_OK):
        raise ConfigError(
            f"this user may not open {path}; cameras belong to the group video: sudo usermod -aG "
            "video $USER, then log in again"
        )
    return Address(kind="device", real=str(path), shown=str(path))


def _stream(text: str) -> Address:
    try:
        parts = urlsplit(os.path.expandvars(text))
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise ConfigError(f"the source is not a valid address: {error}") from error
    if parts.scheme not in _SCHEMES or not host:
        raise ConfigError(
            f"source {quoted(parts.scheme)}://…: expected {', '.join(_SCHEMES)} with a host"
        )
    query = "?…" if parts.query else ""
    return Address(
        kind="stream",
        real=parts.geturl(),
        shown=f"{parts.scheme}://{host}{port}{parts.path}{query}",
        secrets=_secrets(parts),
    )


def _secrets(parts: SplitResult) -> tuple[str, ...]:
    """Secret parts of an address, longest first, as one may contain another."""
    values = [value for _, value in parse_qsl(parts.query)]
    found = {parts.password, parts.username, parts.query, *values} - {None, ""}
    return tuple(sorted(map(str, found), key=len, reverse=True))


def _file(path: Path) -> Address:
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise ConfigError(
            f"source {quoted(str(path))}: {error.strerror}; expected the number of a camera, "
            f"/dev/video…, {', '.join(f'{s}://' for s in _SCHEMES)}… or a video file"
        ) from error
    if not is_video(head):
        raise ConfigError(f"{path} is not a video: expected MP4, MOV, MKV, WebM or AVI")
    return Address(kind="file", real=str(path.resolve()), shown=str(path))
