"""A small client of the console, for programs: `Console("http://127.0.0.1:8088").state()`."""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_vision.console.analysis_schema import Analysis, AnalysisAnswer, AnalysisRequest
from robot_vision.console.class_schema import ClassificationView, SegmentationView
from robot_vision.console.command_schema import Outcome
from robot_vision.console.object_schema import GroundedView, ObjectsView
from robot_vision.console.schema import PictureHeader, State, Subscription, Task, Topic
from robot_vision.console.segment_schema import (
    LiveSegmentsState,
    PicturePrompt,
    PictureSegments,
    SegmentRequest,
)
from robot_vision.core.errors import RobotVisionError
from robot_vision.segment.live.requests import LiveRequest

_TIMEOUT_S = 60.0
_LARGEST_MESSAGE = 16_000_000


class ConsoleRefusedError(RobotVisionError, RuntimeError):
    """The console refused a request; `status` is HTTP's, the text says why."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(f"{detail} (HTTP status {status})")
        self.status = status


@dataclass(frozen=True, kw_only=True, eq=False)
class DataMessage:
    """A text message of `state`, `objects`, `grounded`, `classification` or `metrics`.

    `data` is as in `schema.py`.
    """

    topic: str
    data: dict[str, Any]


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureMessage:
    """A picture from the stream: its header, and a JPEG or PNG."""

    header: PictureHeader
    image: bytes


class Analyses:
    """Pictures submitted for analysis: `ask` for several, then take an `answer` for each."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    def ask(self, id: str, file: Path | bytes, *, tasks: Sequence[Task] = ("detection",)) -> None:
        """Send a picture or a video; its answer has this `id`, which must be unique among
        pending ones."""
        header = AnalysisRequest(id=id, tasks=list(tasks)).model_dump_json().encode()
        picture = file.read_bytes() if isinstance(file, Path) else file
        self._socket.send(struct.pack(">I", len(header)) + header + picture)

    def answer(self, *, timeout_s: float = _TIMEOUT_S) -> AnalysisAnswer:
        """The next answer, in order of completion.

        Raises `TimeoutError`, and `ConsoleRefusedError` if the console ends the connection.
        """
        try:
            return AnalysisAnswer.model_validate_json(self._socket.recv(timeout_s))
        except ConnectionClosed as error:
            reason = error.rcvd.reason if error.rcvd else "the connection was lost"
            raise ConsoleRefusedError(httpx.codes.SERVICE_UNAVAILABLE, reason) from error


class Console:
    """Client of one console. Every method raises `ConsoleRefusedError` with the console's
    reason."""

    def __init__(self, url: str = "http://127.0.0.1:8088", *, token: str = "") -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.Client(
            base_url=self.url, headers=self._headers, timeout=_TIMEOUT_S, trust_env=False
        )

    def __enter__(self) -> "Console":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def state(self) -> State:
        """Camera, ages, rates, drops, diagnostics, policy."""
        return State.model_validate(self._ask("GET", "/api/state"))

    def objects(self) -> ObjectsView:
        """The tracked objects of the newest frame."""
        return ObjectsView.model_validate(self._ask("GET", "/api/objects"))

    def grounded(self) -> GroundedView:
        """Objects in the newest frame that the prompt names."""
        return GroundedView.model_validate(self._ask("GET", "/api/grounded"))

    def classification(self) -> ClassificationView:
        """Classification of the newest frame, most likely class first."""
        return ClassificationView.model_validate(self._ask("GET", "/api/classification"))

    def segmentation(self) -> SegmentationView:
        """The classes of the newest frame's pixels, largest share first."""
        return SegmentationView.model_validate(self._ask("GET", "/api/segmentation"))

    def is_ready(self) -> bool:
        """Whether frames flow."""
        return self._http.get("/readyz").status_code == httpx.codes.OK

    def analyze(self, *files: Path | bytes, tasks: Sequence[Task] = ("detection",)) -> Analysis:
        """Analyse pictures, or one video."""
        data = [f.read_bytes() if isinstance(f, Path) else f for f in files]
        parts = [("image", ("file", content)) for content in data]
        answer = self._ask("POST", "/api/analyze", files=parts, data={"tasks": list(tasks)})
        return Analysis.model_validate(answer)

    def segment(self, file: Path | bytes, *prompts: PicturePrompt) -> PictureSegments:
        """Masks of the prompted objects in a picture; without a prompt, of everything in it."""
        asked = SegmentRequest.model_validate({"prompts": prompts, "everything": not prompts})
        data = file.read_bytes() if isinstance(file, Path) else file
        answer = self._ask(
            "POST",
            "/api/segment",
            files={"image": ("file", data)},
            data={"request": asked.model_dump_json()},
        )
        return PictureSegments.model_validate(answer)

    def point_at(self, request: LiveRequest) -> Outcome:
        """Segment an object in the live picture, or follow or release it."""
        body = request.model_dump(mode="json")
        return Outcome.model_validate(self._ask("POST", "/api/segment/live", json=body))

    def held(self) -> LiveSegmentsState:
        """Objects followed on the live stream, and the last answers to `point_at`."""
        return LiveSegmentsState.model_validate(self._ask("GET", "/api/segment/live"))

    @contextmanager
    def analyses(self) -> "Iterator[Analyses]":
        """A connection for many pictures: ask for several, then read the answers as they
        arrive."""
        address = self.url.replace("http", "ws", 1) + "/api/analyze/stream"
        with connect(
            address, additional_headers=self._headers, max_size=_LARGEST_MESSAGE, proxy=None
        ) as socket:
            yield Analyses(socket)

    def image(self, path: str) -> bytes:
        """Download an image of an analysis by its path."""
        response = self._http.get(path)
        _check(response)
        return response.content

    def instruct(self, text: str) -> Outcome:
        """Send the policy an instruction."""
        return self._command("instruction", json={"text": text})

    def prompt(self, text: str) -> Outcome:
        """Look for named objects: phrases separated by commas; empty: none."""
        return self._command("prompt", json={"text": text})

    def enable(self) -> Outcome:
        """Let the policy move the robot."""
        return self._command("enable")

    def hold(self) -> Outcome:
        """Stop the robot."""
        return self._command("hold")

    def reset(self) -> Outcome:
        """Forget the instruction and the plan."""
        return self._command("reset")

    def stream(self, topics: Mapping[Topic, float]) -> Iterator[DataMessage | PictureMessage]:
        """Messages on `topics` (maximum rates in Hz), until the console closes.

        Raises `ConsoleRefusedError` if the console refuses the connection or the topics.
        """
        wish = Subscription(topics=dict(topics)).model_dump_json()
        address = self.url.replace("http", "ws", 1) + "/api/stream"
        with connect(
            address, additional_headers=self._headers, max_size=_LARGEST_MESSAGE, proxy=None
        ) as socket:
            socket.send(wish)
            try:
                for message in socket:
                    yield read_message(message)
            except ConnectionClosed:
                return

    def _command(self, name: str, **body: Any) -> Outcome:
        return Outcome.model_validate(self._ask("POST", f"/api/{name}", **body))

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        response = self._http.request(method, path, **body)
        _check(response)
        return response.json()


def read_message(message: str | bytes) -> DataMessage | PictureMessage:
    """Parse a message of the stream."""
    if isinstance(message, str):
        return DataMessage(**json.loads(message))
    (length,) = struct.unpack_from(">I", message)
    header = PictureHeader.model_validate_json(message[4 : 4 + length])
    return PictureMessage(header=header, image=message[4 + length :])


def _check(response: httpx.Response) -> None:
    if response.is_success:
        return
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = response.text[:200]
    raise ConsoleRefusedError(response.status_code, detail)
