"""Access control for every request: client, origin, rate and size.

An ASGI middleware around the whole application; it also adds the security headers to every
response. Rejected clients get JSON with the reason.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from robot_vision.console.problems import ConsoleError
from robot_vision.console.serving.bodies import Bodies
from robot_vision.console.serving.rates import Rates, client_of
from robot_vision.core.files.foreign import quoted
from robot_vision.core.parameters.console_config import ConsoleConfig

_log = logging.getLogger(__name__)

COOKIE = "robot_vision_console"
_OPEN_PATHS = ("/login", "/healthz")
_PAGES = ("/", "/analyze", "/why", "/models")
_READING = ("GET", "HEAD")
# Requests to stop the robot are never rate-limited.
_ALWAYS_IN_TIME = ("/api/hold",)
# uvicorn limits a request head only until it is complete.
_LONGEST_TARGET = 8_192
_LONGEST_HEADERS = 16_384
_ENDING = "the console is being shut down"
# Rejections logged per second and client: more would fill the disk.
_LOGGED_HZ, _LOGGED_BURST = 0.5, 20.0

CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' blob: data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Token:
    """The clients' shared secret; comparison takes constant time."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        # Not the secret itself: a leaked cookie jar does not reveal it.
        self.cookie = hmac.new(self._secret, b"console cookie", hashlib.sha256).hexdigest()

    def __bool__(self) -> bool:
        return bool(self._secret)

    def fits(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._secret)

    def is_shown_by(self, headers: Headers) -> bool:
        """Whether a request contains it, in `Authorization: Bearer …` or as the login cookie."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.fits(shown.strip()):
            return True
        return any(
            hmac.compare_digest(value.encode("utf-8", "replace"), self.cookie.encode())
            for value in _cookies(headers.get("cookie", ""))
        )


class Guard:
    """Host, rate, token, origin and size, in this order; then the application.

    `wrong` counts a client's wrong tokens, in requests and on the login page; `analyses` counts
    its analysis requests. `on_token` is called for connections whose requests have the token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        config: ConsoleConfig,
        token: Token,
        wrong: Rates,
        analyses: Rates,
        on_token: Callable[[Any], None],
    ) -> None:
        self._app = app
        self._config = config
        self._token = token
        self._hosts = _host_names(config.host, config.allowed_hosts)
        self._requests = Rates(config.limits.requests_hz)
        self._logged = Rates(_LOGGED_HZ, burst=_LOGGED_BURST)
        self._bodies = Bodies(config.limits, analyses)
        self._on_token = on_token
        self._wrong = wrong

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(scope, send)
        try:
            self._check(scope)
            if scope["type"] == "websocket":
                await self._app(scope, receive, guarded)
                return
            with self._bodies.taken(scope, receive) as bounded:
                await self._app(scope, bounded, guarded)
        except ConsoleError as error:  # raised by this middleware: the application handles its own
            await _refuse(scope, receive, guarded, error)
        except asyncio.CancelledError:  # cancelled by the server, which is shutting down
            if scope["type"] == "http":
                with suppress(RuntimeError):  # the response has started
                    await _refuse(scope, receive, guarded, ConsoleError(503, _ENDING))

    def _check(self, scope: Scope) -> None:
        _check_head(scope)
        headers, client = Headers(scope=scope), client_of(scope)
        self._check_host(headers)
        path, has_token = scope["path"], bool(self._token) and self._token.is_shown_by(headers)
        if has_token:
            self._on_token(scope["client"])
        # Clients without the token do not use up the rate of token holders at the same address.
        asker = f"{client} with the token" if has_token else client
        if path not in _ALWAYS_IN_TIME and not self._requests.take(asker):
            limit_hz = self._config.limits.requests_hz
            raise ConsoleError(429, f"more than {limit_hz:g} requests per second from {client}")
        if self._token and not has_token:
            self._check_open(scope, headers, client)
        if scope["type"] == "websocket" or scope["method"] not in _READING:
            self._check_origin(headers)
        self._bodies.check_length(path, headers)

    def _check_host(self, headers: Headers) -> None:
        """Reject host names that are not this machine's: a web page may point its own name here
        (DNS rebinding)."""
        values = headers.getlist("host")
        name = _host_of(values[0]) if len(values) == 1 else ""
        if not (name in self._hosts or _is_address(name)):
            raise ConsoleError(
                421,
                f"the Host header names {', '.join(values)[:100]!r}; this console answers to "
                f"{', '.join(sorted(self._hosts))} and to addresses (see allowed_hosts)",
            )

    def _check_open(self, scope: Scope, headers: Headers, client: str) -> None:
        """Without the token, only public paths are open."""
        path = scope["path"]
        if path in _OPEN_PATHS or path.startswith("/static/"):
            return
        if ("authorization" in headers or "cookie" in headers) and not self._wrong.take(client):
            raise ConsoleError(429, f"too many wrong tokens from {client}: try again later")
        is_command = "/api/" in path and scope.get("method") == "POST"
        if is_command and self._logged.take(client):
            _log.warning("rejected without the token: POST %s from %s", quoted(path), client)
        raise ConsoleError(
            401, "this console needs its token: log in at /login, or send Authorization: Bearer …"
        )

    def _check_origin(self, headers: Headers) -> None:
        """Browsers send the page's origin; other programs send none."""
        origins = headers.getlist("origin")
        host = headers["host"].lower()
        if origins and origins[0].lower() not in (f"http://{host}", f"https://{host}"):
            raise ConsoleError(403, f"requests from pages of {origins[0][:100]!r} are not allowed")


def _check_head(scope: Scope) -> None:
    """Reject requests that are slow to parse: 10⁵ parameters, cookies of a megabyte."""
    target_bytes = len(scope["raw_path"]) + len(scope["query_string"])
    if target_bytes > _LONGEST_TARGET:
        text = f"the path and its parameters have {target_bytes} bytes"
        raise ConsoleError(414, f"{text}; expected at most {_LONGEST_TARGET}")
    header_bytes = sum(len(name) + len(value) for name, value in scope["headers"])
    if header_bytes > _LONGEST_HEADERS:
        text = f"the headers have {header_bytes} bytes; expected at most {_LONGEST_HEADERS}"
        raise ConsoleError(431, text)


def _cookies(header: str) -> Iterable[str]:
    """The values of our cookie. It is never quoted, so no cookie grammar is needed."""
    for pair in header.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == COOKIE:
            yield value.strip()


def _with_headers(scope: Scope, send: Send) -> Send:
    is_file = scope["path"].startswith("/static/")

    async def guarded(message: Message) -> None:
        if message["type"] in ("http.response.start", "websocket.http.response.start"):
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers[name] = value
            headers["Cache-Control"] = "no-cache" if is_file else "no-store"
        await send(message)

    return guarded


async def _refuse(scope: Scope, receive: Receive, send: Send, error: ConsoleError) -> None:
    kind = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    if scope["type"] == "websocket":
        await receive()
    wants_page = scope["path"] in _PAGES
    body = json.dumps({"detail": error.detail}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    status = error.status
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
        if wants_page:
            status = 303
            headers.append((b"location", b"/login"))
    # Unread parts of the body must not be parsed as the next request.
    headers.append((b"connection", b"close"))
    await send({"type": f"{kind}.start", "status": status, "headers": headers})
    await send({"type": f"{kind}.body", "body": body})


def _host_names(host: str, allowed: Iterable[str]) -> frozenset[str]:
    names = {"localhost", host.lower(), *(name.lower() for name in allowed)}
    if not is_loopback(host):
        name = socket.gethostname().lower()
        names |= {name, f"{name}.local"}
    return frozenset(names)


def _host_of(value: str) -> str:
    """The name in a Host header, without the port."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
