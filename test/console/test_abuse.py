"""Malformed requests, nonsense on the WebSocket and slow clients: nothing breaks, frames flow.

How many malformed requests and messages: 150 each, 3,000 in the slow test;
ROBOT_VISION_ABUSE=10000 raises both.
"""

import json
import os
import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from time import monotonic, sleep
from typing import Any

import psutil
import pytest
import requests
import schemathesis
from console_rig import ConsoleRig, HeardCommander, console_rig, jpeg_of, perceptions, wait_until
from deaf_clients import UPGRADE, deaf_client
from goes import measured
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

# The service's own threads use `random`, which hypothesis takes for ours.
pytestmark = pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")

COUNT = int(os.environ.get("ROBOT_VISION_ABUSE", "150"))
SLOW_COUNT = max(COUNT, 3_000)
# Memory that allocators keep and caches fill, and no more however much is thrown at it.
SPARE_MB = 150
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig(fps=20.0, commander=HeardCommander()) as made:
        yield made


def rss_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def assert_alive(rig: ConsoleRig) -> None:
    """It answers, and frames flow."""
    with rig.client() as console:
        wait_until(console.is_ready)
        assert console.objects().objects


ANY_HEALTH = list(HealthCheck)


def throw_requests(rig: ConsoleRig, *, count: int) -> Counter[int]:
    """`count` requests that fit the OpenAPI document or just do not; their statuses."""
    schema = schemathesis.openapi.from_url(f"{rig.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    statuses: Counter[int] = Counter()
    with_input = sum(len(_modes_of(operation)) > 1 for operation in operations)
    each = -(-count // (2 * with_input))
    with requests.Session() as session:
        for operation in operations:
            for mode in _modes_of(operation):

                @given(case=operation.as_strategy(generation_mode=mode))
                @settings(
                    max_examples=each,
                    deadline=None,
                    database=None,
                    phases=[Phase.generate],
                    suppress_health_check=ANY_HEALTH,
                )
                def throw(case: Any) -> None:
                    response = case.call(base_url=rig.url, session=session, timeout=300)
                    statuses[response.status_code] += 1
                    assert response.status_code != 500, response.content
                    case.validate_response(response, checks=CHECKS)

                throw()
    return statuses


def _modes_of(operation: Any) -> list[schemathesis.GenerationMode]:
    """What takes no input cannot be asked wrongly."""
    takes_input = len(operation.body) or len(operation.path_parameters)
    modes = schemathesis.GenerationMode
    return [modes.POSITIVE, modes.NEGATIVE] if takes_input else [modes.POSITIVE]


def test_malformed_requests_get_documented_answers(rig: ConsoleRig) -> None:
    before_mb = rss_mb()
    statuses = throw_requests(rig, count=COUNT)
    assert 422 in statuses
    assert sum(statuses.values()) >= COUNT
    assert rss_mb() - before_mb < SPARE_MB
    assert_alive(rig)


REQUEST_STARTS = [
    b"GET /api/state HTTP/1.1\r\nHost: localhost\r\n",
    b"POST /api/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; "
    b"boundary=x\r\n",
    b"POST /api/instruction HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /api/instruction HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n",
    UPGRADE,
    b"",
]


def throw_bytes(rig: ConsoleRig, *, count: int) -> None:
    """`count` connections that begin like a request, or not even that."""
    host, _, port = rig.url.removeprefix("http://").partition(":")

    @given(start=st.sampled_from(REQUEST_STARTS), rest=st.binary(max_size=2000))
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=ANY_HEALTH,
    )
    def throw(start: bytes, rest: bytes) -> None:
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(start + rest)
            connection.shutdown(socket.SHUT_WR)
            answer = connection.recv(100)
            assert not answer.startswith(b"HTTP/1.1 500")

    throw()


def test_bytes_that_are_not_requests_do_no_harm(rig: ConsoleRig) -> None:
    before_mb = rss_mb()
    throw_bytes(rig, count=COUNT)
    assert rss_mb() - before_mb < SPARE_MB
    assert_alive(rig)


def damaged_pictures() -> st.SearchStrategy[bytes]:
    """A good JPEG with a few bytes changed, and cut somewhere."""
    good = jpeg_of(perceptions()[0].frame.rgb[:48, :64])
    changes = st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255)), max_size=20)

    def damage(changes: list[tuple[int, int]], length: int) -> bytes:
        data = bytearray(good)
        for at, value in changes:
            data[at] = value
        return bytes(data[:length])

    whole = st.just(len(good))
    return st.builds(damage, changes | st.just([]), whole | st.integers(0, len(good)))


def test_damaged_pictures_are_answered(rig: ConsoleRig) -> None:
    statuses: Counter[int] = Counter()
    with requests.Session() as session:

        @given(data=damaged_pictures())
        @settings(
            max_examples=COUNT // 3,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=ANY_HEALTH,
        )
        def throw(data: bytes) -> None:
            response = session.post(
                f"{rig.url}/api/analyze", files={"image": data}, data={"tasks": "detection"}
            )
            statuses[response.status_code] += 1
            assert response.status_code in (200, 413, 415, 422), response.text

        throw()
    assert statuses[200] > 0
    assert statuses[415] + statuses[422] > 0
    assert_alive(rig)


WISHES = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=50),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(
            st.sampled_from(["topics", "state", "frame", "depth"]) | st.text(max_size=20), inner
        )
    ),
    max_leaves=20,
)
MESSAGES = (
    st.binary(max_size=4000)
    | st.text(max_size=1000)
    | WISHES.map(json.dumps)
    | st.dictionaries(
        st.sampled_from(["state", "frame", "objects", "metrics"]), st.floats(0.1, 60), max_size=4
    ).map(lambda topics: json.dumps({"topics": topics}))
)


def throw_messages(rig: ConsoleRig, *, count: int) -> None:
    """`count` messages on the stream; after it was closed, on a new one."""
    address = rig.url.replace("http", "ws") + "/api/stream"
    with ExitStack() as stack:
        streams: list[ClientConnection] = []

        @given(message=MESSAGES)
        @settings(
            max_examples=count,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=ANY_HEALTH,
        )
        def throw(message: bytes | str) -> None:
            if not streams:
                opened = connect(address, proxy=None, max_size=None, close_timeout=0.2)
                streams.append(stack.enter_context(opened))
            try:
                streams[0].send(message)
                streams[0].recv(0.02)
            except TimeoutError:
                pass
            except ConnectionClosed:
                streams.clear()
                stack.close()

        throw()


def test_nonsense_on_the_stream_does_no_harm(rig: ConsoleRig) -> None:
    before_mb = rss_mb()
    throw_messages(rig, count=COUNT)
    assert rss_mb() - before_mb < SPARE_MB
    assert_alive(rig)


def test_a_message_that_is_too_large_ends_the_connection(rig: ConsoleRig) -> None:
    address = rig.url.replace("http", "ws") + "/api/stream"
    with connect(address, proxy=None) as stream:
        stream.send("x" * 100_000)
        with pytest.raises(ConnectionClosed) as caught:
            stream.recv(10)
    assert caught.value.rcvd.code == 1009


def test_200_slow_clients_cost_neither_memory_nor_frames() -> None:
    with console_rig(fps=20.0, limits={"send_s": 10.0}) as rig:
        # The feeder's own sleep is as exact as a busy machine lets it be.
        assert measured(lambda: _lost_share(rig), below=0.2) < 0.2
        assert_alive(rig)


def _lost_share(rig: ConsoleRig) -> float:
    """Which share of the frames a crowd of slow clients costs, until all of them are let go."""
    alone, before_mb = _frames_in(rig, seconds=2.0), rss_mb()
    with ExitStack() as stack, rig.client() as console:
        for _ in range(200):
            stack.enter_context(deaf_client(rig.url))
        wait_until(lambda: console.state().viewers >= 150, timeout_s=60)
        crowded = _frames_in(rig, seconds=3.0) / 1.5
        assert rss_mb() - before_mb < SPARE_MB
        wait_until(lambda: console.state().viewers == 0, timeout_s=60)
    return 1 - crowded / alone


def _frames_in(rig: ConsoleRig, *, seconds: float) -> int:
    before = rig.feeder.count
    sleep(seconds)
    return rig.feeder.count - before


@pytest.mark.slow
@pytest.mark.timeout(3000)
def test_thousands_of_each(rig: ConsoleRig) -> None:
    """`pytest -m slow -s test/console/test_abuse.py` prints the figures."""
    before_mb, begin_s = rss_mb(), monotonic()
    for throw in (throw_requests, throw_bytes, throw_messages):
        outcome = throw(rig, count=SLOW_COUNT)
        answers = f", answers by status {dict(sorted(outcome.items()))}" if outcome else ""
        print(
            f"{throw.__name__} ×{SLOW_COUNT}: {monotonic() - begin_s:.0f} s, "
            f"{rss_mb() - before_mb:+.0f} MB since the start{answers}",
            flush=True,
        )
    assert rss_mb() - before_mb < 2 * SPARE_MB
    assert_alive(rig)
