"""Pictures over a WebSocket: answers by id, several in work, refusals in words with the id."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from console_rig import SERVICE, ConsoleRig, console_rig, jpeg_of, perceptions
from picture_models import CLASSES, color_classifier, color_segmenter
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from robot_vision.console.analysis_schema import AnalysisAnswer
from robot_vision.console.client import ConsoleRefusedError

TOKEN = "a-token-of-sixteen-and-more"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    folder = tmp_path_factory.mktemp("models")
    models = {
        "classifier_model": str(color_classifier(folder / "classes")),
        "segmentation_model": str(color_segmenter(folder / "parts")),
    }
    service = SERVICE.model_copy(update=models)
    with console_rig(feed=False, service=service, limits={"waiting_analyses": 6}) as made:
        yield made


def picture() -> bytes:
    return jpeg_of(perceptions()[0].frame.rgb)


def message(header: Any, data: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack(">I", len(text)) + text + data


def address(rig: ConsoleRig) -> str:
    return rig.url.replace("http", "ws", 1) + "/api/analyze/stream"


def test_several_requests_are_answered_by_their_ids(rig: ConsoleRig) -> None:
    with rig.client() as console, console.analyses() as stream:
        stream.ask("a", picture(), tasks=["detection"])
        stream.ask("b", b"no picture", tasks=["depth"])
        stream.ask("c", picture(), tasks=["classification", "segmentation"])
        answers = {(answer := stream.answer()).id: answer for _ in range(3)}
        by_http = console.analyze(picture(), tasks=["detection"])
        a, b, c = (answers[name] for name in "abc")
        assert a.analysis is not None
        found = a.analysis.pictures[0].detections
        assert found
        assert found == by_http.pictures[0].detections
        assert a.analysis.pictures[0].classification is None
        assert b.error is not None
        assert b.analysis is None
        assert (b.error.status, "not a PNG, JPEG or WebP" in b.error.detail) == (415, True)
        assert c.analysis is not None
        (one,) = c.analysis.pictures
        assert one.classification is not None
        assert one.segmentation is not None
        assert sum(row.probability for row in one.classification) == pytest.approx(1, abs=1e-3)
        assert {row.class_name for row in one.segmentation.classes} <= {*CLASSES, "none"}
        assert console.image(one.segmentation.image).startswith(b"\x89PNG")


def test_more_in_work_than_may_wait_are_refused_with_their_ids() -> None:
    with (
        console_rig(feed=False, limits={"waiting_analyses": 1}) as rig,
        rig.client() as console,
        console.analyses() as stream,
    ):
        for number in range(6):
            stream.ask(str(number), picture())
        answers = [stream.answer() for _ in range(6)]
    assert {answer.id for answer in answers} == {str(number) for number in range(6)}
    done = [answer.id for answer in answers if answer.analysis is not None]
    assert 1 <= len(done) <= 3
    refused = [answer.error for answer in answers if answer.error is not None]
    assert all(error.status == 503 for error in refused)
    assert all("pending" in error.detail or "waiting" in error.detail for error in refused)


def test_an_id_in_work_is_not_taken_again(rig: ConsoleRig) -> None:
    with rig.client() as console, console.analyses() as stream:
        stream.ask("same", picture())
        stream.ask("same", picture())
        first, second = stream.answer(), stream.answer()
        assert first.error is not None
        assert (first.error.status, second.id) == (409, "same")
        assert second.analysis is not None


def test_analyses_of_both_ways_are_counted_together() -> None:
    limits = {"analyses_hz": 0.01, "waiting_analyses": 50}
    with (
        console_rig(feed=False, limits=limits) as rig,
        rig.client() as console,
        console.analyses() as stream,
    ):
        for number in range(12):
            stream.ask(str(number), b"no picture")
        statuses = [a.error.status for a in (stream.answer() for _ in range(12)) if a.error]
        assert sorted(statuses) == [415] * 10 + [429] * 2
        with pytest.raises(ConsoleRefusedError, match="analyses per second"):
            console.analyze(picture())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "expected a binary message"),
        (b"\xff\xff\xff\xff{}", "expected a binary message"),
        (message(b"nonsense"), "Invalid JSON"),
        (message({"id": "a", "tasks": []}), "tasks: List should have at least 1 item"),
        (message({"id": "a\n", "tasks": ["depth"]}), "printable characters"),
        (message({"id": "a" * 65, "tasks": ["depth"]}), "at most 64 characters"),
        (message({"id": "a", "tasks": ["dance"]}), "tasks.0: Input should be"),
        ("text", "expected a binary message"),
    ],
)
def test_input_that_is_not_a_request_is_answered_in_words_and_the_next_one_is_served(
    rig: ConsoleRig, data: bytes | str, words: str
) -> None:
    with connect(address(rig), proxy=None) as socket:
        socket.send(data)
        answer = AnalysisAnswer.model_validate_json(socket.recv(20))
        assert answer.id is None
        assert answer.error is not None
        assert words in answer.error.detail
        socket.send(message({"id": "next", "tasks": ["similarity"]}, picture()))
        answer = AnalysisAnswer.model_validate_json(socket.recv(60))
        assert answer.id == "next"
        assert answer.error is not None
        assert "similarity compares two pictures, but 1 were sent" in answer.error.detail


def test_a_client_that_sends_nonsense_or_too_much_is_disconnected() -> None:
    with console_rig(feed=False, limits={"upload_mb": 0.2}) as rig:
        with connect(address(rig), proxy=None) as socket:
            for _ in range(20):
                socket.send(b"x")
            for _ in range(20):
                socket.recv(20)
            with pytest.raises(ConnectionClosed, match="20 messages were not understood"):
                socket.recv(20)
        with connect(address(rig), proxy=None) as socket:
            socket.send(message({"id": "a", "tasks": ["depth"]}, bytes(250_000)))
            with pytest.raises(ConnectionClosed, match=r"1009|too big"):
                socket.recv(20)


def test_a_silent_or_surplus_client_is_disconnected_with_a_reason() -> None:
    limits = {"uploads": 1, "body_s": 0.5}
    with (
        console_rig(feed=False, limits=limits) as rig,
        connect(address(rig), proxy=None) as first,
        connect(address(rig), proxy=None) as second,
    ):
        with pytest.raises(ConnectionClosed, match="1 clients are already sending pictures"):
            second.recv(20)
        with pytest.raises(ConnectionClosed, match=r"no request for 0\.5 s"):
            first.recv(20)


def test_without_the_token_there_is_no_connection() -> None:
    with console_rig(feed=False, token=TOKEN) as rig:
        with pytest.raises(InvalidStatus) as refused, connect(address(rig), proxy=None):
            pass
        assert refused.value.response.status_code == 401
        with rig.client(token=TOKEN) as console, console.analyses() as stream:
            stream.ask("a", np.zeros(4, np.uint8).tobytes())
            assert stream.answer().id == "a"
