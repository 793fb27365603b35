"""`/api/analyze/stream`: pictures in, answers out by request id, several at once.

The client sends binary messages: the length of a header (4 bytes, big-endian), the header
(`AnalysisRequest` in JSON), then a PNG, JPEG, WebP, MP4 or WebM. The server sends an
`AnalysisAnswer` in JSON for each, in order of completion. Rejected requests are answered, too; a
connection is closed if it has no pending request and sends none for as long as a body may take.
"""

import asyncio
import logging
import struct
from contextlib import suppress

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect

from robot_vision.console.analysis_schema import (
    Analysis,
    AnalysisAnswer,
    AnalysisFailure,
    AnalysisRequest,
)
from robot_vision.console.pictures.analyst import Analyst, Upload
from robot_vision.console.problems import ConsoleError, in_words
from robot_vision.console.serving.rates import Rates, client_of
from robot_vision.core.parameters.console_config import LimitsConfig

_log = logging.getLogger(__name__)

ANALYSIS_STREAM = "/api/analyze/stream"
_TRY_AGAIN_LATER = 1013
_POLICY_VIOLATION = 1008
_WRONG_MESSAGES = 20
_LONGEST_HEADER = 4096
_UNREADABLE = 422
_ENDS = (WebSocketDisconnect, asyncio.TimeoutError, RuntimeError)


class AnalysisStreams:
    """All clients of this stream; at most as many at a time as uploads. For one event loop.

    `rates` counts analyses by client, including those over HTTP.
    """

    def __init__(self, analyst: Analyst, limits: LimitsConfig, rates: Rates) -> None:
        self._analyst = analyst
        self._limits = limits
        self._rates = rates
        self._connected = 0

    async def serve(self, socket: WebSocket) -> None:
        """One client, from its connection to its end."""
        await socket.accept()
        if self._connected >= self._limits.uploads:
            words = f"{self._connected} clients are already sending pictures: try again later"
            await socket.close(_TRY_AGAIN_LATER, words)
            return
        self._connected += 1
        client = _Client(socket, self._analyst, self._limits, self._rates)
        try:
            with suppress(*_ENDS):
                await client.run()
        finally:
            self._connected -= 1


class _Client:
    """One connection; each request is a task that ends with it."""

    def __init__(
        self, socket: WebSocket, analyst: Analyst, limits: LimitsConfig, rates: Rates
    ) -> None:
        self._socket, self._analyst = socket, analyst
        self._limits, self._rates = limits, rates
        self._name = client_of(socket.scope)
        self._in_work: dict[str, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        try:
            await self._listen()
        finally:
            tasks = list(self._in_work.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        wrong = 0
        while wrong < _WRONG_MESSAGES:
            data = await self._next_message()
            if data is None:
                return
            try:
                request, picture = read_request(data)
            except ConsoleError as error:
                wrong += 1
                await self._answer(None, error)
                continue
            try:
                self._check(request)
            except ConsoleError as error:
                await self._answer(request.id, error)
                continue
            task = asyncio.create_task(self._serve(request, picture))
            self._in_work[request.id] = task
            task.add_done_callback(lambda _, name=request.id: self._in_work.pop(name, None))
        words = f"{_WRONG_MESSAGES} messages were not understood"
        await self._socket.close(_POLICY_VIOLATION, words)

    async def _next_message(self) -> bytes | None:
        """The next message; None if the client left or was silent for too long."""
        limit_s = self._limits.body_s
        receiving = asyncio.ensure_future(self._socket.receive())
        try:
            while True:
                done, _ = await asyncio.wait({receiving}, timeout=limit_s)
                if done:
                    break
                if not self._in_work:
                    await self._socket.close(_POLICY_VIOLATION, f"no request for {limit_s:g} s")
                    return None
        finally:
            receiving.cancel()
        message = receiving.result()
        if message["type"] == "websocket.disconnect":
            return None
        return message.get("bytes") or (message.get("text") or "").encode()

    def _check(self, request: AnalysisRequest) -> None:
        """Raises `ConsoleError` for a request that cannot be processed now."""
        if request.id in self._in_work:
            raise ConsoleError(409, "a request with this id is already pending")
        if len(self._in_work) > self._limits.waiting_analyses:
            text = f"{len(self._in_work)} requests are pending: wait for an answer"
            raise ConsoleError(503, text)
        if not self._rates.take(self._name):
            text = f"more than {self._limits.analyses_hz:g} analyses per second from {self._name}"
            raise ConsoleError(429, text)

    async def _serve(self, request: AnalysisRequest, picture: bytes) -> None:
        upload = Upload(name="the picture", data=picture)
        tasks = list(dict.fromkeys(request.tasks))
        try:
            result: Analysis | ConsoleError = await self._analyst.analyze([upload], tasks)
        except ConsoleError as error:
            result = error
        except Exception:  # answer the failed request and continue with the others
            _log.exception("an analysis of %s failed", self._name)
            result = ConsoleError(500, "the analysis failed; see the console's log")
        with suppress(*_ENDS):
            await self._answer(request.id, result)

    async def _answer(self, name: str | None, result: Analysis | ConsoleError) -> None:
        """Raises `asyncio.TimeoutError` if the client does not read for too long."""
        if isinstance(result, ConsoleError):
            failure = AnalysisFailure(status=result.status, detail=result.detail)
            answer = AnalysisAnswer(id=name, error=failure)
        else:
            answer = AnalysisAnswer(id=name, analysis=result)
        async with self._sending:
            sending = self._socket.send_text(answer.model_dump_json(by_alias=True))
            await asyncio.wait_for(sending, self._limits.send_s)


def read_request(data: bytes) -> tuple[AnalysisRequest, bytes]:
    """The header of a message and the picture after it; raises `ConsoleError`."""
    length = struct.unpack_from(">I", data)[0] if len(data) >= 4 else -1
    if not 0 <= length <= min(_LONGEST_HEADER, len(data) - 4):
        raise ConsoleError(
            _UNREADABLE,
            "expected a binary message: the length of a header (4 bytes, big-endian, at most "
            f"{_LONGEST_HEADER}), the header in JSON, then the picture",
        )
    try:
        header = AnalysisRequest.model_validate_json(data[4 : 4 + length])
    except ValidationError as error:
        raise ConsoleError(_UNREADABLE, in_words(error.errors())) from error
    return header, data[4 + length :]
