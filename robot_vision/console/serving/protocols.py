"""uvicorn's protocols with a deadline for everything a client may leave unfinished."""

import asyncio
from collections.abc import Mapping
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from robot_vision.console.serving.analysis_stream import ANALYSIS_STREAM
from robot_vision.console.serving.connections import Connections
from robot_vision.core.parameters.console_config import LimitsConfig

_POLICY_VIOLATION = 1008
_TOO_BIG = 1009
# The application itself rejects a late body with a message; clients that still do not finish are
# cut off.
_LATER_S = 1.0
# A stream client sends a subscription now and then: bytes it may send at once, and per second.
_BURST_MESSAGES = 4
_MOST_FRAGMENTS = 16
# Name of the largest message size in websockets, from version 16 on and before.
_SIZE_LIMITS = ("max_message_size", "max_size")


def bounded_http(connections: Connections, limits: LimitsConfig) -> type[H11Protocol]:
    """HTTP with counted connections that waits for no client longer than `limits` allow."""

    class BoundedHttp(_BoundedHttp):
        _counted = connections
        _patience_s: Mapping[str, float] = {
            "head": limits.head_s,
            "body": limits.body_s + _LATER_S,
            "sending": limits.send_s,
            "closing": limits.send_s,
        }

    return BoundedHttp


class _BoundedHttp(H11Protocol):
    """Has a deadline for each phase of a request; `bounded_http` sets what is only declared."""

    _counted: Connections
    _patience_s: Mapping[str, float]
    _phase = ""
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.client is None:  # closed before it was accepted
            transport.abort()
            return
        self._counted.came(self.client, transport)
        self._follow()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._enter("gone")
        self._counted.left(self.client, self.transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._follow()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._follow()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._follow()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._counted.asks(self.client)
        self._enter("upgraded")
        super().handle_websocket_upgrade(event)

    def _follow(self) -> None:
        if self._phase not in ("upgraded", "gone"):
            self._enter(self._phase_now())

    def _phase_now(self) -> str:
        if self.transport.is_closing():
            return "closing"
        if self.flow.write_paused:
            return "sending"
        if self.conn.their_state is h11.IDLE:
            return "head"
        return "body" if self.conn.their_state is h11.SEND_BODY else "working"

    def _enter(self, phase: str) -> None:
        """Each phase has a deadline from its start, however slowly data trickles in."""
        if phase == self._phase:
            return
        self._phase = phase
        if phase == "head":
            self._counted.was_answered(self.client)
        elif phase in ("body", "working"):
            self._counted.asks(self.client)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if phase in self._patience_s:
            self._alarm = self.loop.call_later(self._patience_s[phase], self._end)

    def _end(self) -> None:
        if self._phase in ("head", "body"):
            self.transport.close()
            self._follow()
        else:
            self.transport.abort()


def bounded_websocket(
    connections: Connections, limits: LimitsConfig
) -> type[WebSocketsSansIOProtocol]:
    """WebSockets that close if a client sends too much at once, or does not let them close.

    The limit is a small message per second, or pictures where these are analysed, once the
    application, which checks the token, has accepted the connection.
    """

    class BoundedWebSocket(_BoundedWebSocket):
        _counted = connections
        _small_bytes = _message_bytes = limits.message_kb * 1e3
        _picture_bytes = limits.upload_mb * 1e6
        _left_bytes = _BURST_MESSAGES * _message_bytes
        _send_s = limits.send_s

    return BoundedWebSocket


class _BoundedWebSocket(WebSocketsSansIOProtocol):
    """Limits what arrives; `bounded_websocket` sets what is only declared."""

    _counted: Connections
    _small_bytes: float
    _picture_bytes: float
    _send_s: float
    _message_bytes: float
    _left_bytes: float
    _at_s = 0.0

    def _take_pictures(self) -> None:
        self._message_bytes = self._picture_bytes
        self._left_bytes = _BURST_MESSAGES * self._picture_bytes
        for name in _SIZE_LIMITS:
            if hasattr(self.conn, name):
                setattr(self.conn, name, round(self._picture_bytes))

    def data_received(self, data: bytes) -> None:
        if self._message_bytes == self._small_bytes and self._is_for_pictures():
            self._take_pictures()
        message_bytes = self._message_bytes
        most_bytes = _BURST_MESSAGES * message_bytes
        now_s = self.loop.time()
        refilled = self._left_bytes + (now_s - self._at_s) * message_bytes
        allowed = max(0, int(min(refilled, most_bytes)))
        self._left_bytes, self._at_s = allowed - len(data), now_s
        super().data_received(data[:allowed])
        if len(data) > allowed:
            words = f"more than {message_bytes:.0f} bytes per second"
            self._fail(_POLICY_VIOLATION, words)

    def _is_for_pictures(self) -> bool:
        return self.handshake_complete and self.scope["path"] == ANALYSIS_STREAM

    def handle_cont(self, event: Any) -> None:
        super().handle_cont(event)
        if len(self.frames) > _MOST_FRAGMENTS:
            self._fail(_TOO_BIG, f"a message of more than {_MOST_FRAGMENTS} fragments")

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._counted.left(self.client, self.transport)

    def on_task_complete(self, task: asyncio.Task[None]) -> None:
        super().on_task_complete(task)
        # A client that reads nothing would keep a closed connection forever.
        self.loop.call_later(self.close_timeout + self._send_s, self.transport.abort)

    def _fail(self, code: int, words: str) -> None:
        if self.close_sent or self.transport.is_closing():
            return
        if not self.handshake_complete:
            self.transport.abort()
            return
        self.conn.fail(code, words)
        self.handle_parser_exception()
