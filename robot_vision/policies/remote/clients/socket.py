"""A WebSocket for whole messages within limits; several protocols use it."""

import logging
from typing import Any

from robot_vision.core.errors import MissingDependencyError
from robot_vision.core.files.foreign import brief
from robot_vision.policies.remote.address import Address
from robot_vision.policies.remote.errors import LostError
from robot_vision.policies.remote.spec import ServerAddress

_LONGEST_TRACE = 400


class MessageSocket:
    """Used by one thread, except for `close`."""

    def __init__(self, address: Address, server: ServerAddress, *, scheme: str) -> None:
        self._address, self._server, self._scheme = address, server, scheme
        self._tls = address.tls()
        self._socket: Any = None

    def connect(self, limit_s: float) -> bytes:
        """Connect; returns the server's first message. Raises `LostError`."""
        client = _websockets()
        token = self._address.token
        try:
            opened = client.connect(
                str(self._address),
                compression=None,
                proxy=None,
                ping_interval=None,  # a server that is busy computing does not answer pings
                open_timeout=limit_s,
                close_timeout=0.5,
                max_size=self._server.most_answer_mib * 2**20,
                ssl=self._tls,
                logger=_quiet_logger(),
                additional_headers={"Authorization": f"{self._scheme} {token}"} if token else {},
            )
            self._socket = (
                opened.__enter__()
            )  # in some versions, an object that connects only in a `with`
        except Exception as error:  # refused, no such host, no WebSocket, a wrong certificate …
            raise LostError(f"cannot connect: {_words(error)}") from error
        return self._receive(limit_s)

    def exchange(self, message: bytes, limit_s: float) -> bytes:
        """Send one message and wait for the next one. Raises `LostError`."""
        try:
            self._socket.send(message)
        except Exception as error:
            raise LostError(f"cannot send: {_words(error)}") from error
        return self._receive(limit_s)

    def close(self) -> None:
        """End the connection at once, from any thread."""
        socket = self._socket
        if socket is not None:
            socket.close_socket()

    def _receive(self, limit_s: float) -> bytes:
        try:
            found = self._socket.recv(timeout=limit_s)
        except TimeoutError as error:
            raise LostError(f"no answer within {limit_s:g} s") from error
        except Exception as error:  # closed, cut off within a message, longer than allowed …
            raise LostError(_words(error)) from error
        if isinstance(found, str):
            lines = [line for line in found.strip().splitlines() if line.strip()]
            last = brief(lines[-1] if lines else "", most=_LONGEST_TRACE)
            raise LostError(f"the server reports an error: {last}")
        return found


def _words(error: Exception) -> str:
    text = brief(error, most=_LONGEST_TRACE)
    return text if text else type(error).__name__


def _quiet_logger() -> logging.Logger:
    """The library's debug log would contain the token among the headers."""
    logger = logging.getLogger("robot_vision.policies.remote")
    logger.setLevel(logging.CRITICAL)
    return logger


def _websockets() -> Any:
    try:
        import websockets.sync.client
    except ImportError as error:
        raise MissingDependencyError(
            "this protocol needs websockets: pip install 'robot_vision[remote]'"
        ) from error
    return websockets.sync.client
