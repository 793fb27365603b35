"""The WebSocket: rates, drops, one encoding for all, and what a viewer gets that reads slowly."""

import json
import socket
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Thread
from time import monotonic
from typing import Any

import cv2
import numpy as np
import pytest
from console_rig import ConsoleRig, console_rig, diagnosis, perceptions, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from robot_vision.console.client import DataMessage, PictureMessage, read_message
from robot_vision.console.pictures.encoding import FeatureColors, attention_picture
from robot_vision.console.state.snapshots import Attention
from robot_vision.core.results.policy_status import PolicyStatus

Message = DataMessage | PictureMessage


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig(fps=30.0) as made:
        yield made


@contextmanager
def open_stream(
    rig: ConsoleRig, topics: dict[str, Any] | None = None
) -> Iterator[ClientConnection]:
    address = rig.url.replace("http", "ws") + "/api/stream"
    with connect(address, proxy=None, max_size=None, close_timeout=1) as stream:
        if topics is not None:
            stream.send(json.dumps({"topics": topics}))
        yield stream


def topic_of(message: Message) -> str:
    return message.topic if isinstance(message, DataMessage) else message.header.topic


def hear(stream: ClientConnection, *, seconds: float) -> list[Message]:
    until_s = monotonic() + seconds
    messages = []
    while (left_s := until_s - monotonic()) > 0:
        try:
            messages.append(read_message(stream.recv(left_s)))
        except TimeoutError:
            break
    return messages


def hear_topic(stream: ClientConnection, topic: str, *, timeout_s: float = 20.0) -> Any:
    until_s = monotonic() + timeout_s
    while monotonic() < until_s:
        message = read_message(stream.recv(timeout_s))
        if topic_of(message) == topic:
            return message
    raise AssertionError(f"no {topic} within {timeout_s} s")


def pixels(message: PictureMessage) -> np.ndarray:
    return cv2.imdecode(np.frombuffer(message.image, np.uint8), cv2.IMREAD_UNCHANGED)


def test_each_topic_comes_no_faster_than_asked_for(rig: ConsoleRig) -> None:
    wish = {"state": 5, "objects": 10, "frame": 10, "depth": 2, "features": 2, "metrics": 1}
    counts: Counter[str] = Counter()
    begin_s = monotonic()
    with open_stream(rig, wish) as stream:
        # What comes in three seconds, or later where the machine is busy.
        while any(counts[topic] < 3 * rate_hz for topic, rate_hz in wish.items()):
            counts[topic_of(read_message(stream.recv(20)))] += 1
            assert monotonic() - begin_s < 40, counts
    took_s = monotonic() - begin_s
    assert set(counts) == set(wish)
    for topic, rate_hz in wish.items():
        assert counts[topic] <= took_s * rate_hz + 2


def test_pictures_are_what_their_headers_say(rig: ConsoleRig) -> None:
    with open_stream(rig, {"frame": 10, "depth": 10, "features": 10}) as stream:
        for topic in ("frame", "depth", "features"):
            message = hear_topic(stream, topic)
            header, image = message.header, pixels(message)
            assert image.shape == (header.height_px, header.width_px, 3)
            assert 0 < header.age_ms < 20_000
            magic = b"\xff\xd8" if header.format == "jpeg" else b"\x89PNG"
            assert message.image.startswith(magic)


def test_frames_look_like_the_camera_s(rig: ConsoleRig) -> None:
    frames = [p.frame.rgb for p in perceptions()]
    with open_stream(rig, {"frame": 10}) as stream:
        shown = pixels(hear_topic(stream, "frame"))[..., ::-1].astype(int)
    assert min(np.abs(shown - rgb).mean() for rgb in frames) < 4


def test_depth_has_a_scale_that_its_colours_follow(rig: ConsoleRig) -> None:
    with open_stream(rig, {"depth": 10}) as stream:
        message = hear_topic(stream, "depth")
    header, image = message.header, pixels(message)[..., ::-1]
    assert header.source == "fused"
    palette = np.array([[int(c[k : k + 2], 16) for k in (1, 3, 5)] for c in header.colors])
    assert palette.sum(axis=1).argmax() == 0  # near is bright
    depth_m = cv2.resize(
        perceptions()[0].depth.depth_m,
        (header.width_px, header.height_px),
        interpolation=cv2.INTER_NEAREST,
    )
    known = np.isfinite(depth_m) & (depth_m < header.max_m)
    step = (depth_m - header.min_m) / (header.max_m - header.min_m) * (len(palette) - 1)
    expected = palette[np.where(known, step, 0).round().astype(int)]
    assert np.median(np.abs(image.astype(int) - expected)[known]) < 12


def test_wishes_may_change_at_any_time(rig: ConsoleRig) -> None:
    with open_stream(rig, {"objects": 20}) as stream:
        hear_topic(stream, "objects")
        stream.send(json.dumps({"topics": {"frame": 20}}))
        hear_topic(stream, "frame")
        later = {topic_of(read_message(stream.recv(20))) for _ in range(10)}
        assert later == {"frame"}
        stream.send(json.dumps({"topics": {}}))
        wait_until(lambda: hear(stream, seconds=0.5) == [])
        assert hear(stream, seconds=0.5) == []


def test_all_viewers_get_the_same_bytes_of_a_frame(rig: ConsoleRig) -> None:
    with (
        open_stream(rig, {"frame": 30}) as first,
        open_stream(rig, {"frame": 30}) as second,
    ):
        seen: dict[int, set[bytes]] = defaultdict(set)
        both: Counter[int] = Counter()
        for stream in (first, second):
            for message in hear(stream, seconds=1.0):
                assert isinstance(message, PictureMessage)
                seen[message.header.stamp_ns].add(
                    message.header.model_dump_json().encode() + message.image
                )
                both[message.header.stamp_ns] += 1
    # The header has the age when it was made: made twice, it would differ.
    assert max(both.values()) == 2
    assert all(len(versions) == 1 for versions in seen.values())


def test_with_nobody_connected_nothing_is_made_or_announced() -> None:
    with console_rig() as rig:
        assert rig.snapshots.on_news is None
        with open_stream(rig, {"frame": 10}) as stream:
            hear_topic(stream, "frame")
            assert rig.snapshots.wanted == {"frame"}
        wait_until(lambda: rig.snapshots.on_news is None and not rig.snapshots.wanted)


def test_a_viewer_that_does_not_read_misses_frames_and_gets_the_count() -> None:
    with console_rig(fps=30.0, frame_width_px=640, jpeg_quality=100) as rig:
        with _deaf_stream(rig, {"frame": 30, "state": 5}) as stream:
            # While it does not read, only the buffers of the network fill up.
            begin = rig.feeder.count
            wait_until(lambda: rig.feeder.count >= begin + 90, timeout_s=60)
            messages = _until_fresh(rig, stream)
            state = hear_topic(stream, "state")
        frames = [m for m in messages if isinstance(m, PictureMessage)]
        stamps = [m.header.stamp_ns for m in frames]
        assert stamps == sorted(stamps)
        assert state.data["dropped"]["frame"] > 10


@contextmanager
def _deaf_stream(rig: ConsoleRig, topics: dict[str, Any]) -> Iterator[ClientConnection]:
    """A connection with small buffers, so that the server notices soon that nobody reads."""
    host, _, port = rig.url.removeprefix("http://").partition(":")
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    raw.connect((host, int(port)))
    address = f"ws://{host}:{port}/api/stream"
    with connect(address, sock=raw, proxy=None, max_size=None, max_queue=1) as stream:
        stream.send(json.dumps({"topics": topics}))
        yield stream


def _until_fresh(rig: ConsoleRig, stream: ClientConnection) -> list[Message]:
    """Read until a frame comes that was made after reading began."""
    begun_ns = rig.snapshots.frame.value.stamp_ns
    messages = []
    until_s = monotonic() + 40
    while monotonic() < until_s:
        messages.append(read_message(stream.recv(20)))
        if isinstance(messages[-1], PictureMessage) and messages[-1].header.stamp_ns > begun_ns:
            return messages
    raise AssertionError("no fresh frame")


def test_a_viewer_that_never_reads_is_let_go() -> None:
    limits = {"send_s": 0.5}
    with (
        console_rig(fps=30.0, jpeg_quality=100, limits=limits) as rig,
        rig.client() as console,
        _deaf_stream(rig, {"frame": 60}) as stream,
    ):
        wait_until(lambda: console.state().viewers == 1)
        wait_until(lambda: console.state().viewers == 0)
        stream.socket.close()


def test_metrics_bring_the_history_once_and_then_what_is_new() -> None:
    with console_rig(fps=30.0) as rig:
        rig.snapshots.diagnosed([diagnosis("inputs", "", **{"dropped: superseded": "3"})])
        with open_stream(rig, {"metrics": 2}) as stream:
            first = hear_topic(stream, "metrics").data
            assert first["reset"]
            points = list(first["seconds"])
            # On a busy machine there are seconds with fewer frames.
            while len(points) < 2 or points[-1]["rates_hz"]["output"] < 10:
                data = hear_topic(stream, "metrics").data
                assert not data["reset"]
                points += data["seconds"]
                assert len(points) < 60
    times_s = [point["at_s"] for point in points]
    assert times_s == sorted(set(times_s))
    assert points[-1]["age_ms"]["age"]["p50"] == pytest.approx(20)
    assert points[-1]["rates_hz"]["output"] <= 40
    assert sum(point["drops"].get("superseded", 0) for point in points) == 3


def test_actions_come_with_the_interventions_that_are_new() -> None:
    with console_rig() as rig, open_stream(rig, {"metrics": 10, "state": 10}) as stream:
        hear_topic(stream, "metrics")
        for counts in ({"speed": 1}, {"speed": 1}, {"speed": 2, "workspace": 1}):
            rig.snapshots.policy_said(
                PolicyStatus(
                    enabled=True,
                    holding=False,
                    action=(0.01,) * 7,
                    interventions=counts,
                    command_hz=100.0,
                )
            )
        points: list[dict[str, Any]] = []
        while len(points) < 3:
            points += hear_topic(stream, "metrics").data["actions"]
        policy = None
        while policy is None:  # a state of before may still be under way
            policy = hear_topic(stream, "state").data["policy"]
        seconds: list[dict[str, Any]] = []
        while not seconds:
            seconds = hear_topic(stream, "metrics").data["seconds"]
    assert [p["interventions"] for p in points] == [["speed"], [], ["speed", "workspace"]]
    assert points[0]["action"] == [0.01] * 7
    assert policy["enabled"]
    assert policy["silent_s"] < 20
    assert seconds[-1]["rates_hz"]["command"] == 100.0


def test_attention_is_a_picture_with_alpha(rig: ConsoleRig) -> None:
    weight = np.zeros((6, 8), np.float32)
    weight[2, 5] = 1.0
    rig.snapshots.saw_attention(Attention(stamp_ns=1, weight=weight), age_s=0.01)
    with open_stream(rig, {"attention": 10}) as stream:
        image = pixels(hear_topic(stream, "attention"))
    assert image.shape == (6, 8, 4)
    assert image[2, 5, 3] > 100
    assert np.count_nonzero(image[..., 3]) == 1


def test_attention_to_everything_alike_is_painted_weakly() -> None:
    picture = attention_picture(np.full((6, 8), 0.02, np.float32))
    alpha = cv2.imdecode(np.frombuffer(picture.data, np.uint8), cv2.IMREAD_UNCHANGED)[..., 3]
    assert 0 < alpha.min() == alpha.max() < 64


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "Invalid JSON"),
        ('{"topics": {"frames": 5}}', "topics.frames"),
        ('{"topics": {"frame": 0}}', "greater than 0"),
        ('{"topics": {"frame": 1000}}', "less than or equal to 60"),
        ('{"topics": [], "path": "/etc/passwd"}', "path"),
    ],
)
def test_a_wrong_wish_is_answered_in_words(rig: ConsoleRig, text: str, words: str) -> None:
    with open_stream(rig) as stream:
        stream.send(text)
        assert words in hear_topic(stream, "error").data["detail"]
        stream.send(json.dumps({"topics": {"state": 10}}))
        hear_topic(stream, "state")


def test_a_client_that_sends_only_nonsense_is_let_go(rig: ConsoleRig) -> None:
    with open_stream(rig) as stream:

        def talk_nonsense() -> None:
            for _ in range(1000):
                stream.send("nonsense")
                stream.recv(5)

        with pytest.raises(ConnectionClosed):
            talk_nonsense()


def test_the_python_client_streams(rig: ConsoleRig) -> None:
    with rig.client() as console:
        stream = console.stream({"objects": 20.0, "frame": 20.0})
        kinds = {type(next(stream)) for _ in range(10)}
    assert kinds == {DataMessage, PictureMessage}


def test_feature_colours_stay_from_frame_to_frame() -> None:
    grids = [p.features.grid for p in perceptions()]
    colors = FeatureColors()
    images = [colors.paint(grid).astype(int) for grid in grids]
    steps = [np.abs(a - b).mean() for a, b in zip(images[1:], images[:-1], strict=True)]
    alone = [FeatureColors().paint(grid).astype(int) for grid in grids]
    assert max(steps) < 25
    assert np.std(images[0].reshape(-1, 3), axis=0).min() > 20
    assert np.array_equal(images[0], alone[0])


def test_feature_colours_do_not_flip_where_each_frame_alone_would() -> None:
    rng = np.random.default_rng(0)
    base = rng.normal(size=(6, 8, 10)).astype(np.float32)
    base[3:] *= 0.01
    colors = FeatureColors()
    images = []
    for k in range(12):
        # Two directions trade places as the strongest.
        grid = base.copy()
        grid[0] *= 1 + 0.2 * np.sin(k)
        grid[1] *= 1 - 0.2 * np.sin(k)
        images.append(colors.paint(grid).astype(int))
    steps = [np.abs(a - b).mean() for a, b in zip(images[1:], images[:-1], strict=True)]
    assert max(steps) < 20


def test_many_viewers_come_and_go_while_frames_flow(rig: ConsoleRig) -> None:
    problems: list[str] = []

    def look(topics: Sequence[str]) -> None:
        try:
            with open_stream(rig, dict.fromkeys(topics, 20)) as stream:
                hear_topic(stream, topics[0])
        except (AssertionError, OSError, ConnectionClosed) as error:
            problems.append(repr(error))

    wishes = (("frame", "state"), ("objects",), ("depth", "metrics"), ("features",))
    threads = [Thread(target=look, args=(wishes[k % 4],)) for k in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    wait_until(lambda: not rig.snapshots.wanted)
