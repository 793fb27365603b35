"""The server: WebSocket connections, one robot at a time, within limits."""

import hmac
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from threading import Lock, Thread
from time import perf_counter
from typing import Any

from robot_vision.core.errors import ConfigError, MissingDependencyError
from robot_vision.core.files.foreign import brief
from robot_vision.core.timing import Percentiles
from robot_vision.policies.registry import BundledPolicy
from robot_vision.policies.remote.contract import PART
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.wire.packed import pack, unpack
from robot_vision.serving.exchange import EXCHANGES

_MOST_MIB = 64
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_BUSY, _BROKEN = 1013, 1007
_PING_S = 5.0
_CLOSE_S = 1
# A robot that reconnects at once arrives before the thread of its last connection has ended.
_TURN_WAIT_S = _CLOSE_S + 1.0


@dataclass(frozen=True, kw_only=True)
class Listening:
    """Where to listen, and the required token. `token` empty: no token, allowed only on
    loopback."""

    host: str = "127.0.0.1"
    port: int = 0
    token: str = ""
    certificate: str = ""
    key: str = ""


class PolicyServer:
    """Serves from construction to `close`. Raises `ConfigError` if it cannot listen.

    `say` is called with a line for each robot that connects or leaves, and for each rejected
    request.
    """

    def __init__(
        self,
        policy: BundledPolicy,
        *,
        protocol: str,
        listening: Listening,
        say: Callable[[str], object],
    ) -> None:
        build = EXCHANGES.get(protocol)
        build(policy)  # checks before any request whether it can be served
        self._make = lambda: build(policy)
        self._exchange = self._make()
        self._listening, self._say = listening, say
        self._turn = Lock()
        self._latency = Percentiles()
        self._server = self._listen()
        self._thread = Thread(target=self._server.serve_forever, name="policy server", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """The address for robots."""
        host, port = self._server.socket.getsockname()[:2]
        host = f"[{host}]" if ":" in host else host
        scheme = "wss" if self._listening.certificate else "ws"
        path = "" if self._exchange.path == "/" else self._exchange.path
        return f"{scheme}://{host}:{port}{path}"

    def latency_s(self) -> dict[str, float]:
        """Percentiles of answer times in the server; empty before the first."""
        return self._latency.summary()

    def wait(self) -> None:
        """Wait until it is closed."""
        self._thread.join()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=5.0)

    def _listen(self) -> Any:
        asked, serve = self._listening, _serve()
        if asked.host not in _LOOPBACK and not asked.token:
            raise ConfigError(
                f"--host {asked.host} is reachable from the network: set --token-variable to an "
                "environment variable with a token, or listen on 127.0.0.1"
            )
        try:
            return serve(
                self._handle,
                asked.host,
                asked.port,
                ssl=_tls(asked),
                compression=None,
                max_size=_MOST_MIB * 2**20,
                open_timeout=5,
                close_timeout=_CLOSE_S,
                # A robot that lost power must not block the next one.
                ping_interval=_PING_S,
                ping_timeout=_PING_S,
                process_request=self._admit,
                # Connections that do not speak the protocol are not logged.
                logger=_quiet_logger(),
            )
        except OSError as error:
            raise ConfigError(f"cannot listen on {asked.host}:{asked.port}: {error}") from error

    def _admit(self, connection: Any, request: Any) -> Any:
        """Answer health checks; reject other paths and wrong tokens before any message."""
        path = request.path.split("?")[0]
        if path == "/healthz":
            return connection.respond(HTTPStatus.OK, "OK\n")
        if path != self._exchange.path:
            return connection.respond(HTTPStatus.NOT_FOUND, f"ask {self._exchange.path}\n")
        wanted = f"{self._exchange.token_scheme} {self._listening.token}"
        given = request.headers.get("Authorization", "")
        if self._listening.token and not hmac.compare_digest(given.encode(), wanted.encode()):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "the token is missing or wrong\n")
        return None

    def _handle(self, connection: Any) -> None:
        if not self._turn.acquire(timeout=_TURN_WAIT_S):
            connection.close(_BUSY, "another robot is being served")
            return
        robot = ":".join(map(str, connection.remote_address[:2]))
        try:
            self._say(f"{robot} connected")
            exchange = self._make()
            connection.send(pack({PART: exchange.contract()}))
            for message in connection:
                started_s = perf_counter()
                connection.send(pack(exchange.answer(_read(message))))
                self._latency.add(perf_counter() - started_s)
            self._say(f"{robot} is gone")
        except RemoteError as error:
            self._refuse(connection, robot, str(error))
        except Exception as error:  # one robot's fault ends its connection, not the server
            gone = type(error).__name__.startswith("ConnectionClosed")
            words = "is gone" if gone else f"is cut off: {type(error).__name__}: {brief(error)}"
            self._say(f"{robot} {words}")
            if not gone:
                self._refuse(connection, robot, f"{type(error).__name__}: {brief(error)}")
        finally:
            self._turn.release()

    def _refuse(self, connection: Any, robot: str, words: str) -> None:
        """Like openpi's servers: send the error as text and close the connection."""
        self._say(f"{robot}: {words}")
        connection.send(words)
        connection.close(_BROKEN, "see the previous message")


def _read(message: bytes | str) -> Any:
    if isinstance(message, str):
        raise RemoteError("a request is text, expected msgpack")
    return unpack(message)


def _tls(asked: Listening) -> ssl.SSLContext | None:
    if not asked.certificate:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(asked.certificate, asked.key or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(f"--certificate {asked.certificate}: {error}") from error
    return context


def _quiet_logger() -> logging.Logger:
    logger = logging.getLogger("robot_vision.serving")
    logger.setLevel(logging.CRITICAL)
    return logger


def _serve() -> Any:
    try:
        from websockets.sync.server import serve
    except ImportError as error:
        raise MissingDependencyError(
            "serving a policy needs websockets: pip install 'robot_vision[remote]'"
        ) from error
    return serve
