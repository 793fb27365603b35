"""Runs the console in its own threads: starts at once and stops within two seconds."""

import asyncio
import logging
import secrets
import socket
from pathlib import Path
from threading import Thread

import uvicorn

from robot_vision.console.commander import Commander, NoCommander
from robot_vision.console.pictures.analyst import Analyst
from robot_vision.console.pictures.explainer import Explainer
from robot_vision.console.segments.live import NoSegmentation, Segmentation
from robot_vision.console.segments.picture import PictureSegmenter
from robot_vision.console.serving.app import create_app
from robot_vision.console.serving.connections import Connections
from robot_vision.console.serving.guard import is_loopback
from robot_vision.console.serving.protocols import bounded_http, bounded_websocket
from robot_vision.console.state.policy_moment import LatestMoment, no_policy
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.console_config import ConsoleConfig

_END_S = 1.9
_LEAST_TOKEN = 16
_SEND_BUFFER = 131_072
_ACCEPTED_AT_ONCE = 8
_WAITING_TO_BE_ACCEPTED = 1024


class ConsoleServer:
    """Serves from `start` to `close`. `url` is its address, `token` the one clients must send."""

    def __init__(
        self,
        snapshots: Snapshots,
        config: ConsoleConfig,
        *,
        commander: Commander | None = None,
        service: ServiceConfig | None = None,
        live: Segmentation | None = None,
        moment: LatestMoment = no_policy,
    ) -> None:
        config = _with_token(config)
        self.token = config.token
        self._config = config
        self.connections = Connections(
            most=config.limits.connections,
            most_per_address=config.limits.connections_per_address,
        )
        service = service or ServiceConfig()
        self._analyst = Analyst(service, config.limits, index=config.index)
        self._explainer = Explainer(service, config, self._analyst.images, moment)
        self._segmenter = PictureSegmenter(
            config.segment_model, config.limits, self._analyst.images
        )
        self._guard = create_app(
            snapshots,
            commander or NoCommander(),
            self._analyst,
            self._explainer,
            config,
            segmenter=self._segmenter,
            live=live or NoSegmentation(),
            on_token=self.connections.trust,
        )
        self._server: uvicorn.Server | None = None
        self._thread: Thread | None = None
        self._is_stuck = False
        self.url = ""

    def start(self) -> None:
        """Start listening. Raises `ConfigError` if the address is not available."""
        listening = _listen(self._config.host, self._config.port)
        port = listening.getsockname()[1]
        host = f"[{self._config.host}]" if ":" in self._config.host else self._config.host
        self.url = f"http://{host}:{port}"
        self._server = _Server(self._uvicorn_config())
        self._thread = Thread(
            target=self._serve, args=(self._server, listening), name="console", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close connections, within two seconds."""
        if self._server is not None and self._thread is not None:
            self._analyst.close()
            self._explainer.close()
            self._segmenter.close()
            self._server.should_exit = True
            self._thread.join(_END_S)
            self._is_stuck = self._thread.is_alive()
            self._server = self._thread = None

    @property
    def busy(self) -> bool:
        """Whether something that cannot be interrupted is running, such as loading a model."""
        return self._is_stuck or self._analyst.busy or self._segmenter.busy

    def _serve(self, server: uvicorn.Server, listening: socket.socket) -> None:
        asyncio.run(server.serve([listening]))

    def _uvicorn_config(self) -> uvicorn.Config:
        limits = self._config.limits
        return uvicorn.Config(
            self._guard,
            loop="asyncio",
            http=bounded_http(self.connections, limits),
            ws=bounded_websocket(self.connections, limits),
            ws_max_size=round(limits.message_kb * 1e3),
            ws_per_message_deflate=False,
            lifespan="on",
            backlog=_ACCEPTED_AT_ONCE,
            log_config=None,
            log_level=logging.ERROR,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )


class _Server(uvicorn.Server):
    """Many connections may wait to be accepted; few are accepted at a time.

    asyncio uses one number for both. But a crowd accepted at once would fill all places before its
    first request is read, and push out a client that came to hold the robot.
    """

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or ():
            listening.listen(_WAITING_TO_BE_ACCEPTED)


def _with_token(config: ConsoleConfig) -> ConsoleConfig:
    """Loopback needs no token; any other address gets a random one unless one is set."""
    if config.token_file:
        config = config.model_copy(update={"token": _read_token(Path(config.token_file))})
    if config.token and len(config.token) < _LEAST_TOKEN:
        raise ConfigError(
            f"the console's token has {len(config.token)} characters; expected at least "
            f"{_LEAST_TOKEN}, since anyone who can reach this machine may try to guess it"
        )
    if config.token or is_loopback(config.host):
        return config
    return config.model_copy(update={"token": secrets.token_urlsafe(24)})


def _read_token(path: Path) -> str:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read the console's token from {path}: {error}") from error
    token = lines[0].strip() if lines else ""
    if not token:
        raise ConfigError(f"{path} has no token in its first line")
    return token


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Connections inherit it. Data in a long buffer is old when read, and 200 clients that do
        # not read would fill the kernel's memory.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        listening.bind((host, port))
        listening.listen(128)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"the console cannot listen on {host}:{port}: {error.strerror or error}; choose "
            "another port with --console-port (0: a free one)"
        ) from error
    return listening
