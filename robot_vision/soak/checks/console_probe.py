"""A client of the console with its token: polls the state continuously and presses hold."""

import socket
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from threading import Event, Thread
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import httpx

_PERIOD_S = 1.0
_PATIENCE_S = 10.0
_CONNECT_S = 0.2
_CONNECTING_S = 1.0


class ConsoleProbe:
    """Polls from construction to `close`, in a thread. `answers` are (start, duration,
    problem)."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self.answers: deque[tuple[float, float, str]] = deque(maxlen=100)
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="console probe", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        self._thread.join()

    def hold(self) -> tuple[float, str]:
        """Press hold; returns the duration, and why it failed."""
        return self._ask("POST", "/api/hold")

    def request(self, method: str, path: str, **body: Any) -> None:
        """Send a request without the token."""
        with suppress(httpx.HTTPError):
            httpx.request(method, self.url + path, timeout=_PATIENCE_S, trust_env=False, **body)

    def upload(self, picture: bytes) -> None:
        """Upload a picture for analysis, with the token."""
        files = [("image", ("picture.png", picture))]
        self._ask("POST", "/api/analyze", files=files, data={"tasks": "detection"})

    @contextmanager
    def half_requests(self, count: int) -> Iterator[None]:
        """Open as many connections as allowed, each with an unfinished request."""
        address = urlsplit(self.url)
        begun = f"POST /api/hold HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Le".encode()
        until_s = monotonic() + _CONNECTING_S
        with ExitStack() as stack:
            for _ in range(count):
                if monotonic() > until_s:
                    break
                with suppress(OSError):
                    connection = socket.create_connection(
                        (address.hostname, address.port or 80), timeout=_CONNECT_S
                    )
                    stack.enter_context(connection)
                    connection.sendall(begun)
            yield

    def _ask(self, method: str, path: str, **body: Any) -> tuple[float, str]:
        """Ask on a new connection, like a newly opened browser."""
        began_s = monotonic()
        try:
            answer = httpx.request(
                method,
                self.url + path,
                headers=self._headers,
                timeout=_PATIENCE_S,
                trust_env=False,
                **body,
            )
            problem = "" if answer.is_success else f"{answer.status_code} {answer.text[:200]}"
        except httpx.HTTPError as error:
            problem = f"{type(error).__name__}: {error}"
        return monotonic() - began_s, problem

    def _run(self) -> None:
        while not self._stopping.wait(_PERIOD_S):
            began_s = monotonic()
            took_s, problem = self._ask("GET", "/api/state")
            self.answers.append((began_s, took_s, problem))
