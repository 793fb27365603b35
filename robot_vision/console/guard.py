"""Before every request: who may come in, from where, how often, and with how much.

An ASGI middleware around the whole application; it also puts the security headers on every
answer. Whoever is refused gets JSON with the reason.
"""

import asyncio
import hashlib
import hmac
import ipaddress
import json
import logging
import socket
from collections import OrderedDict
from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from time import monotonic

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from robot_vision.console.problems import ConsoleError
from robot_vision.core.console_config import ConsoleConfig

_log = logging.getLogger(__name__)

COOKIE = "robot_vision_console"
_OPEN_PATHS = ("/login", "/healthz")
_PAGES = ("/", "/analyze")
_READING = ("GET", "HEAD")
# Stopping the robot is never refused for coming too often.
_ALWAYS_IN_TIME = ("/api/hold",)
_SMALL_BODY = 64_000
_BODY_S = 30.0
_MOST_CLIENTS = 4096
_BURST_S = 2.0

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
    """The secret that clients show; comparisons take the same time whatever they show."""

    def __init__(self, secret: str) -> None:
        self._secret = secret.encode()
        # Not the secret itself: a cookie jar that leaks does not tell it.
        self.cookie = hmac.new(self._secret, b"console cookie", hashlib.sha256).hexdigest()

    def __bool__(self) -> bool:
        return bool(self._secret)

    def fits(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode("utf-8", "replace"), self._secret)

    def is_shown_by(self, headers: Headers) -> bool:
        """Whether a request has it, in `Authorization: Bearer …` or as the login's cookie."""
        scheme, _, shown = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.fits(shown.strip()):
            return True
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            return False
        return cookie is not None and hmac.compare_digest(
            cookie.value.encode("utf-8", "replace"), self.cookie.encode()
        )


class Rates:
    """A token bucket per client address; the addresses longest unheard of are forgotten."""

    def __init__(self, rate_hz: float, *, burst: float | None = None) -> None:
        self._rate_hz = rate_hz
        self._burst = max(burst or rate_hz * _BURST_S, 1.0)
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, client: str) -> bool:
        """Use up one; returns whether there was one."""
        now_s = monotonic()
        left, at_s = self._left.pop(client, (self._burst, now_s))
        left = min(left + (now_s - at_s) * self._rate_hz, self._burst)
        self._left[client] = (max(left - 1, 0) if left >= 1 else left, now_s)
        if len(self._left) > _MOST_CLIENTS:
            self._left.popitem(last=False)
        return left >= 1


class Guard:
    """Host, rate, token, origin and size, in this order; then the application.

    `wrong` counts wrong tokens of a client: those of its requests, and those of the login page.
    """

    def __init__(self, app: ASGIApp, *, config: ConsoleConfig, token: Token, wrong: Rates) -> None:
        self._app = app
        self._config = config
        self._token = token
        self._hosts = _host_names(config.host, config.allowed_hosts)
        self._requests = Rates(config.limits.requests_hz)
        self._wrong = wrong

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        guarded = _with_headers(scope, send)
        try:
            self._check(scope)
        except ConsoleError as error:
            await _refuse(scope, receive, guarded, error)
            return
        if scope["type"] == "http":
            receive = self._bounded(scope, receive)
        await self._app(scope, receive, guarded)

    def _check(self, scope: Scope) -> None:
        headers, client = Headers(scope=scope), client_of(scope)
        self._check_host(headers)
        path = scope["path"]
        if path not in _ALWAYS_IN_TIME and not self._requests.take(client):
            limit_hz = self._config.limits.requests_hz
            raise ConsoleError(429, f"more than {limit_hz:g} requests per second from {client}")
        self._check_token(scope, headers, client)
        if scope["type"] == "websocket" or scope["method"] not in _READING:
            self._check_origin(headers)
        self._check_length(path, headers)

    def _check_host(self, headers: Headers) -> None:
        """Refuse names that are not this machine's: a web page may point its own at us."""
        values = headers.getlist("host")
        name = _host_of(values[0]) if len(values) == 1 else ""
        if not (name in self._hosts or _is_address(name)):
            raise ConsoleError(
                421,
                f"the Host header names {', '.join(values)[:100]!r}; this console answers to "
                f"{', '.join(sorted(self._hosts))} and to addresses (see allowed_hosts)",
            )

    def _check_token(self, scope: Scope, headers: Headers, client: str) -> None:
        path = scope["path"]
        if not self._token or path in _OPEN_PATHS or path.startswith("/static/"):
            return
        if self._token.is_shown_by(headers):
            return
        if ("authorization" in headers or "cookie" in headers) and not self._wrong.take(client):
            raise ConsoleError(429, f"too many wrong tokens from {client}: wait a little")
        if "/api/" in path and scope.get("method") == "POST":
            _log.warning("refused without the token: POST %s from %s", path[:100], client)
        raise ConsoleError(
            401, "this console needs its token: log in at /login, or send Authorization: Bearer …"
        )

    def _check_origin(self, headers: Headers) -> None:
        """Browsers say which page asks; other programs say nothing."""
        origins = headers.getlist("origin")
        host = headers["host"].lower()
        if origins and origins[0].lower() not in (f"http://{host}", f"https://{host}"):
            raise ConsoleError(403, f"requests from pages of {origins[0][:100]!r} are refused")

    def _check_length(self, path: str, headers: Headers) -> None:
        length = headers.get("content-length", "0")
        most = self._most_bytes(path)
        if not length.isascii() or not length.isdigit() or int(length[:15]) > most:
            raise ConsoleError(413, f"the body has {length[:20]} bytes; at most {most} are taken")

    def _most_bytes(self, path: str) -> int:
        if path == "/api/analyze":
            return round(self._config.limits.upload_mb * 1e6)
        return _SMALL_BODY

    def _bounded(self, scope: Scope, receive: Receive) -> Receive:
        """`receive` that counts: a body may be longer than it says, or never come."""
        most, came, until_s = self._most_bytes(scope["path"]), 0, monotonic() + _BODY_S
        ended = False

        async def bounded() -> Message:
            nonlocal came, ended
            if ended:
                return await receive()
            try:
                left_s = max(until_s - monotonic(), 0.001)
                message = await asyncio.wait_for(receive(), left_s)
            except asyncio.TimeoutError:
                raise HTTPException(408, f"the body did not come within {_BODY_S:g} s") from None
            came += len(message.get("body", b""))
            ended = not message.get("more_body", False)
            if came > most:
                raise HTTPException(
                    413, f"the body is longer than the {most} bytes that are taken"
                )
            return message

        return bounded


def client_of(scope: Scope) -> str:
    """The address that a request came from."""
    client = scope.get("client")
    return client[0] if client else "unknown"


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
    # What was not read of the body must not be taken for the next request.
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
    """The name in a Host header, without its port."""
    if value.startswith("["):
        return value[1:].partition("]")[0].lower()
    return value.partition(":")[0].lower()


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
