"""Files of clients are decoded in a child process: what breaks it or takes long does no harm."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic

import cv2
import httpx
import numpy as np
import psutil
import pytest
from console_rig import (
    ConsoleRig,
    console_rig,
    encoded,
    jpeg_of,
    perceptions,
    video_of,
    wait_until,
)
from hostile_pictures import slow_picture

from robot_vision.console.pictures.decode_child import opened
from robot_vision.console.pictures.decoder import Decoder
from robot_vision.console.problems import ConsoleError
from robot_vision.core.parameters.console_config import LimitsConfig


@pytest.fixture
def decoder() -> Iterator[Decoder]:
    made = Decoder(LimitsConfig(picture_s=0.5))
    yield made
    made.close()


def children() -> list[psutil.Process]:
    return psutil.Process().children()


def test_a_picture_is_decoded_as_it_is(decoder: Decoder) -> None:
    rgb = perceptions()[0].frame.rgb
    for ending in (".png", ".webp"):
        decoded = decoder.picture(encoded(ending, rgb), name="it")
        assert decoded.shape == rgb.shape
    np.testing.assert_array_equal(decoder.picture(encoded(".png", rgb), name="it"), rgb)
    assert len(children()) == 1


def test_a_picture_that_takes_long_is_refused_in_words_and_the_next_is_not(
    decoder: Decoder,
) -> None:
    begin_s = monotonic()
    with pytest.raises(ConsoleError, match=r"decoding it takes longer than the limit of 0.5 s"):
        decoder.picture(slow_picture(), name="it")
    assert monotonic() - begin_s < 20
    assert decoder.picture(jpeg_of(perceptions()[0].frame.rgb), name="it").shape[2] == 3


def test_what_kills_the_child_is_refused_and_the_next_is_not(decoder: Decoder) -> None:
    good = jpeg_of(perceptions()[0].frame.rgb)
    decoder.picture(good, name="it")
    (child,) = children()
    child.send_signal(signal.SIGSEGV)
    wait_until(lambda: child.status() == psutil.STATUS_ZOMBIE)
    assert decoder.picture(good, name="it").shape[2] == 3


def test_closing_does_not_wait_for_what_is_decoded() -> None:
    decoder = Decoder(LimitsConfig(picture_s=60))
    refusals: list[str] = []

    def decode() -> None:
        with pytest.raises(ConsoleError) as caught:
            decoder.picture(slow_picture(), name="it")
        refusals.append(caught.value.detail)

    thread = Thread(target=decode)
    thread.start()
    wait_until(lambda: len(children()) == 1)
    decoder.close()
    thread.join(60)
    assert refusals == ["the console is being shut down"]
    assert children() == []


def test_a_video_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = video_of([p.frame.rgb for p in perceptions()], tmp_path / "v.mp4", fps=10)
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    decoder = Decoder(LimitsConfig())
    times_s, frames = decoder.video(video, name="it")
    assert len(times_s) == len(frames) > 1
    decoder.close()
    assert list(folder.iterdir()) == []


def test_a_video_is_decoded_by_one_thread(tmp_path: Path) -> None:
    video_of([p.frame.rgb for p in perceptions()], tmp_path / "v.mp4", fps=10)
    capture = opened(str(tmp_path / "v.mp4"))
    assert capture.get(cv2.CAP_PROP_N_THREADS) == 1
    capture.release()


def test_the_console_answers_while_a_slow_picture_is_decoded() -> None:
    with console_rig(feed=False, limits={"picture_s": 1.5}) as rig:
        answers: list[httpx.Response] = []
        thread = Thread(target=lambda: answers.append(analyze(rig, slow_picture())))
        thread.start()
        answered = 0
        while thread.is_alive():
            assert httpx.get(f"{rig.url}/healthz", timeout=30).status_code == 200
            answered += thread.is_alive()
        assert answered >= 3
        assert answers[0].status_code == 422
        assert (
            answers[0].json()["detail"] == "decoding image 1 takes longer than the limit of 1.5 s"
        )


def test_uploads_that_come_in_at_a_time_are_bounded() -> None:
    with console_rig(feed=False, limits={"uploads": 2}) as rig:
        begun = [begin_upload(rig) for _ in range(2)]
        wait_until(lambda: analyze(rig, b"").status_code == 503)
        assert "uploads are already in progress" in analyze(rig, b"").json()["detail"]
        for connection in begun:
            connection.close()
        wait_until(lambda: analyze(rig, b"").status_code == 415)


def test_many_parts_are_refused() -> None:
    with console_rig(feed=False) as rig:
        parts = [("image", ("a", b"x")) for _ in range(5000)]
        answer = httpx.post(f"{rig.url}/api/analyze", files=parts, data={"tasks": "depth"})
        assert answer.status_code == 400
        assert "Too many files" in answer.json()["detail"]


def test_an_endless_upload_is_cut_off_and_leaves_nothing_on_the_disk() -> None:
    with console_rig(feed=False, limits={"upload_mb": 3.0}) as rig:
        files = open_temporary_files()

        def endless() -> Iterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
            for _ in range(500):
                yield bytes(100_000)

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        answer = httpx.post(f"{rig.url}/api/analyze", content=endless(), headers=kind)
        assert answer.status_code == 413
        wait_until(lambda: open_temporary_files() == files)


def open_temporary_files() -> int:
    links = [str(fd.readlink()) for fd in Path("/proc/self/fd").iterdir() if fd.is_symlink()]
    return sum(link.endswith("(deleted)") for link in links)


def analyze(rig: ConsoleRig, data: bytes) -> httpx.Response:
    files = {"image": ("a", data)}
    return httpx.post(
        f"{rig.url}/api/analyze", files=files, data={"tasks": "detection"}, timeout=60
    )


def begin_upload(rig: ConsoleRig) -> socket.socket:
    host, _, port = rig.url.removeprefix("http://").partition(":")
    connection = socket.create_connection((host, int(port)))
    connection.sendall(
        b"POST /api/analyze HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n"
        b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
    )
    return connection
