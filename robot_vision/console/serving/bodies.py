"""Request bodies: limits on size, time and simultaneous uploads."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

from robot_vision.console.problems import ConsoleError
from robot_vision.console.serving.rates import Rates, client_of
from robot_vision.core.parameters.console_config import LimitsConfig

UPLOAD_PATHS = ("/api/analyze", "/api/segment", "/api/why/picture")
_SMALL_BODY = 64_000
_LEAST_BURST = 10.0


def analysis_rates(limits: LimitsConfig) -> Rates:
    """Rate limit of analyses per client, over all interfaces."""
    return Rates(limits.analyses_hz, burst=max(_LEAST_BURST, 2 * limits.analyses_hz))


class Bodies:
    """Rejects, before reading, bodies that declare too large a size or exceed the number of
    uploads.

    `rates` counts analyses by client.
    """

    def __init__(self, limits: LimitsConfig, rates: Rates) -> None:
        self._limits = limits
        self._uploading = 0
        self._rates = rates

    def check_length(self, path: str, headers: Headers) -> None:
        """Raises `ConsoleError` if the header declares too large a body."""
        length = headers.get("content-length", "0")
        most = self._most_bytes(path)
        if not length.isascii() or not length.isdigit() or int(length[:15]) > most:
            raise ConsoleError(413, f"the body has {length[:20]} bytes; expected at most {most}")

    @contextmanager
    def taken(self, scope: Scope, receive: Receive) -> Iterator[Receive]:
        """A counting `receive`: a body may be longer than declared, or never arrive.

        Raises `ConsoleError` if there are too many uploads, in total or from this client.
        """
        if scope["path"] not in UPLOAD_PATHS or scope["method"] != "POST":
            yield _Body(receive, self._most_bytes(scope["path"]), self._limits.body_s)
            return
        client = client_of(scope)
        if not self._rates.take(client):
            text = f"more than {self._limits.analyses_hz:g} analyses per second from {client}"
            raise ConsoleError(429, text)
        if self._uploading >= self._limits.uploads:
            text = f"{self._uploading} uploads are already in progress: try again in a few seconds"
            raise ConsoleError(503, text)
        body = _Body(receive, self._most_bytes(scope["path"]), self._limits.body_s)
        self._uploading += 1
        body.on_end = self._upload_ended
        try:
            yield body
        finally:
            body.end()

    def _upload_ended(self) -> None:
        self._uploading -= 1

    def _most_bytes(self, path: str) -> int:
        return round(self._limits.upload_mb * 1e6) if path in UPLOAD_PATHS else _SMALL_BODY


class _Body:
    """The body of one request as it arrives."""

    def __init__(self, receive: Receive, most_bytes: int, limit_s: float) -> None:
        self._receive = receive
        self._most_bytes = most_bytes
        self._limit_s = limit_s
        self._until_s = monotonic() + limit_s
        self._came_bytes = 0
        self._has_ended = False
        self.on_end = lambda: None

    async def __call__(self) -> Message:
        if self._has_ended:
            return await self._receive()
        left_s = max(self._until_s - monotonic(), 0.001)
        try:
            message = await asyncio.wait_for(self._receive(), left_s)
        except asyncio.TimeoutError:
            text = f"the body did not arrive within {self._limit_s:g} s"
            raise HTTPException(408, text, {"Connection": "close"}) from None
        self._came_bytes += len(message.get("body", b""))
        if self._came_bytes > self._most_bytes:
            text = f"the body is too large: at most {self._most_bytes} bytes are accepted"
            raise HTTPException(413, text)
        if not message.get("more_body", False):
            self.end()
        return message

    def end(self) -> None:
        if not self._has_ended:
            self._has_ended = True
            self.on_end()
