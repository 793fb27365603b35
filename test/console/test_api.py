"""The HTTP API and the Python client, against a console that a real pipeline's results feed."""

import asyncio
import logging
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import cv2
import httpx
import numpy as np
import pytest
from console_rig import (
    ConsoleRig,
    HeardCommander,
    console_rig,
    diagnosis,
    encoded,
    jpeg_of,
    perceptions,
    video_of,
    wait_until,
)
from goes import measured

from robot_vision.console.client import ConsoleRefusedError


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig() as made:
        yield made


def test_state_has_camera_model_ages_and_memory(rig: ConsoleRig) -> None:
    with rig.client() as console:
        wait_until(lambda: console.state().rates_hz["output"] > 5)
        state = console.state()
    assert state.camera.status == "live"
    assert (state.camera.width_px, state.camera.height_px) == (640, 480)
    assert state.camera.frame_age_ms is not None
    assert 20 <= state.camera.frame_age_ms < 5000
    assert state.model.id == perceptions()[0].model_id
    assert list(state.age_ms)[-1] == "age"
    assert set(perceptions()[0].stage_s) <= set(state.age_ms)
    assert state.age_ms["age"].p50 == pytest.approx(20)
    assert state.memory.console_mb > 10
    assert state.silence == ""
    assert state.policy is None
    assert not state.commands.allowed


def test_objects_are_the_tracks_with_outlines() -> None:
    with console_rig(feed=False) as rig, rig.client() as console:
        tracks = rig.feeder.feed_one().tracks
        view = console.objects()
    assert [row.id for row in view.objects] == tracks.track_id.tolist()
    assert view.stamp_ns == tracks.stamp_ns
    assert view.model == perceptions()[0].model_id
    outlined = 0
    for index, row in enumerate(view.objects):
        assert row.box_xyxy_px == pytest.approx(tracks.box_xyxy_px[index].tolist(), abs=1e-3)
        if row.position_m is not None:
            expected = tracks.position_in_camera_m[index].tolist()
            assert row.position_m == pytest.approx(expected, abs=1e-3)
        for polygon in row.outline_px or []:
            outlined += 1
            xs, ys = np.array(polygon).T
            # Masks are on a grid of some 6 px, filtered boxes lag a little: near, not exact.
            left, top, right, bottom = row.box_xyxy_px or [0, 0, 0, 0]
            assert left - 30 < xs.min() <= xs.max() < right + 30
            assert top - 30 < ys.min() <= ys.max() < bottom + 30
    assert outlined > 0


def test_before_the_first_frame_it_is_starting_and_says_why() -> None:
    with console_rig(feed=False) as rig, rig.client() as console:
        rig.snapshots.diagnosed(
            [diagnosis("model", "loading 'native-s'; no model", doing="loading 'native-s'")]
        )
        state = console.state()
        assert state.camera.status == "starting"
        assert "loading 'native-s'" in state.camera.reason
        assert not console.is_ready()
        with pytest.raises(ConsoleRefusedError, match="no frame has been processed yet"):
            console.objects()


def test_a_camera_that_stops_is_reported_within_a_second_and_its_return_too() -> None:
    with console_rig() as rig, rig.client() as console:

        def reported_s() -> float:
            rig.feeder.stop()
            rig.feeder.start()
            wait_until(lambda: console.state().camera.status == "live")
            rig.feeder.stop()
            stopped_s = monotonic()
            wait_until(lambda: console.state().camera.status == "no camera")
            return monotonic() - stopped_s

        assert measured(reported_s, below=1.0) < 1.0
        rig.snapshots.diagnosed(
            [diagnosis("inputs", "rgb: no publisher on /rgb; rgb 0.0 Hz", "error", rgb_hz="0.0")]
        )
        wait_until(lambda: "no publisher on /rgb" in console.state().silence)
        state = console.state()
        assert state.diagnostics[0].message.startswith("rgb: no publisher")
        assert state.camera.for_s < 5
        response = httpx.get(f"{rig.url}/readyz")
        assert response.status_code == 503
        assert "no publisher on /rgb" in response.json()["reason"]
        rig.feeder.start()
        wait_until(lambda: console.state().camera.status == "live")
        assert console.is_ready()


def test_a_slow_camera_is_live_between_its_frames() -> None:
    with console_rig(fps=1.0, no_camera_after_s=0.1) as rig, rig.client() as console:
        wait_until(lambda: rig.feeder.count >= 5)
        statuses = set()
        before = rig.feeder.count
        while rig.feeder.count < before + 2:
            statuses.add(console.state().camera.status)
        assert statuses == {"live"}


def test_commands_reach_the_policy_and_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    commander = HeardCommander()
    with (
        caplog.at_level(logging.WARNING),
        console_rig(commander=commander) as rig,
        rig.client() as console,
    ):
        assert console.instruct("  pick up the mug ").done
        assert console.enable().message == "heard: enable"
        assert console.hold().done
        assert console.reset().done
        assert console.state().instructions[0].text == "pick up the mug"
    assert commander.heard == ["pick up the mug", "enable", "hold", "reset"]
    for words in ("instruction 'pick up the mug'", "enable", "hold", "reset"):
        assert f"command {words} from 127.0.0.1: done" in caplog.text


def test_the_threads_of_hold_end_with_the_console() -> None:
    before = set(threading.enumerate())
    with console_rig(feed=False, commander=HeardCommander()) as rig, rig.client() as console:
        assert console.hold().done
        new = set(threading.enumerate()) - before
        holding = [thread for thread in new if thread.name.startswith("console-hold")]
        assert holding
    wait_until(lambda: not any(thread.is_alive() for thread in holding))


def test_without_a_policy_commands_are_refused_with_the_reason(rig: ConsoleRig) -> None:
    with rig.client() as console, pytest.raises(ConsoleRefusedError, match="no policy") as caught:
        console.enable()
    assert caught.value.status == 409


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"text": ""}, "at least 1 character"),
        ({"text": "x" * 501}, "at most 500 characters"),
        ({"text": "grasp\x1b[2Jit"}, "printable characters"),
        ({"text": "grasp\nit"}, "printable characters"),
        ({"words": "grasp"}, "text: Field required"),
        ({"text": ["grasp"]}, "valid string"),
    ],
)
def test_a_wrong_instruction_is_refused_in_words(
    rig: ConsoleRig, body: dict[str, object], words: str
) -> None:
    response = httpx.post(f"{rig.url}/api/instruction", json=body)
    assert response.status_code == 422
    assert words in response.json()["detail"]


def test_a_picture_is_analysed_as_the_pipeline_would(rig: ConsoleRig) -> None:
    perception = perceptions()[0]
    rgb = perception.frame.rgb
    with rig.client() as console:
        answer = console.analyze(
            encoded(".png", rgb), tasks=("detection", "masks", "depth", "features")
        )
        (picture,) = answer.pictures
        images = {
            path: cv2.imdecode(np.frombuffer(console.image(path), np.uint8), -1)
            for path in (picture.overlay, picture.depth.image, picture.features.image)
        }
    assert (picture.width_px, picture.height_px) == (640, 480)
    # The upload has no depth sensor, so that a few objects at the threshold may differ.
    names = [perception.class_names[c] for c in perception.detections.class_id]
    common = Counter(names) & Counter(row.class_name for row in picture.detections)
    assert common.total() >= len(names) / 2
    assert all(row.outline_px for row in picture.detections)
    assert images[picture.overlay].shape == (480, 640, 3)
    assert np.abs(images[picture.overlay].astype(int) - rgb[..., ::-1]).mean() > 0.5
    assert picture.depth.source == "model"
    assert 0 < picture.depth.min_m <= picture.depth.median_m <= picture.depth.max_m
    features = picture.features
    assert images[features.image].shape[:2] == (features.rows, features.columns)
    assert np.linalg.norm(features.embedding) == pytest.approx(1, abs=1e-3)
    assert answer.similarity is None


def test_only_what_was_asked_for_is_answered(rig: ConsoleRig) -> None:
    with rig.client() as console:
        (picture,) = console.analyze(
            jpeg_of(perceptions()[0].frame.rgb), tasks=("depth",)
        ).pictures
    assert picture.depth is not None
    assert picture.detections is None
    assert picture.features is None


def test_similarity_of_two_pictures(rig: ConsoleRig) -> None:
    rgb = perceptions()[0].frame.rgb
    other = np.random.default_rng(0).integers(0, 255, rgb.shape, np.uint8)
    with rig.client() as console:
        same = console.analyze(encoded(".png", rgb), encoded(".webp", rgb), tasks=("similarity",))
        noise = console.analyze(
            encoded(".png", rgb), encoded(".png", other), tasks=("similarity",)
        )
        with pytest.raises(ConsoleRefusedError, match="compares two pictures, but 1 were sent"):
            console.analyze(encoded(".png", rgb), tasks=("similarity",))
    assert same.similarity.cosine > 0.95
    assert noise.similarity.cosine < same.similarity.cosine


def test_a_video_is_analysed_frame_by_frame(rig: ConsoleRig, tmp_path: Path) -> None:
    frames = [p.frame.rgb for p in perceptions()]
    video = video_of(frames, tmp_path / "v.mp4", fps=10)
    with rig.client() as console:
        pictures = console.analyze(video, tasks=("detection",)).pictures
        with pytest.raises(ConsoleRefusedError, match="sent alone"):
            console.analyze(video, jpeg_of(frames[0]))
    assert len(pictures) == len(frames)
    assert [p.time_s for p in pictures] == pytest.approx([k / 10 for k in range(len(frames))])
    assert all(p.detections for p in pictures)


def test_long_and_large_videos_are_thinned_or_refused(tmp_path: Path) -> None:
    frame = np.zeros((48, 64, 3), np.uint8)
    limits = {"video_s": 2.0, "video_frames": 4, "picture_px": 64}
    with console_rig(feed=False, limits=limits) as rig, rig.client() as console:
        fits = video_of([frame] * 19, tmp_path / "fits.mp4", fps=10)
        pictures = console.analyze(fits, tasks=("depth",)).pictures
        times_s = [picture.time_s for picture in pictures]
        assert 2 <= len(times_s) <= 4
        assert np.ptp(np.diff(times_s)) < 1e-6
        long = video_of([frame] * 30, tmp_path / "long.mp4", fps=10)
        with pytest.raises(ConsoleRefusedError, match="at most 2 s are accepted"):
            console.analyze(long)
        large = video_of([np.zeros((80, 96, 3), np.uint8)], tmp_path / "large.mp4", fps=10)
        with pytest.raises(ConsoleRefusedError, match="96×80 px"):
            console.analyze(large)


def png_claiming(width_px: int, height_px: int) -> bytes:
    """A PNG whose header promises a size that its few bytes of data do not have."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    header = struct.pack(">IIBBBBB", width_px, height_px, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + body + chunk(b"IEND", b"")


_JPEG = jpeg_of(np.zeros((16, 16, 3), np.uint8))
_MP4_START = b"\x00\x00\x00\x18ftypisom" + bytes(200)


@pytest.mark.parametrize(
    ("data", "status", "words"),
    [
        (png_claiming(40_000, 40_000), 413, "40000×40000 px"),
        (png_claiming(0, 10), 413, "0×10 px"),
        (png_claiming(64, 64), 422, "damaged"),
        (_JPEG[:40], 415, "its header is damaged"),
        (_JPEG[: len(_JPEG) // 3], 422, "damaged"),
        (_JPEG.replace(b"\x00\x10\x00\x10", b"\xff\xff\xff\xff", 1), 413, "65535×65535 px"),
        (b"GIF89a" + bytes(100), 415, "not a PNG, JPEG or WebP"),
        (b"#EXTM3U\nfile:///etc/passwd\n", 415, "not a PNG, JPEG or WebP"),
        (b"<svg/>", 415, "not a PNG, JPEG or WebP"),
        (b"", 415, "not a PNG, JPEG or WebP"),
        (_MP4_START, 422, "video"),
        (b"\x1a\x45\xdf\xa3" + bytes(100), 422, "video"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(
    rig: ConsoleRig, data: bytes, status: int, words: str
) -> None:
    with rig.client() as console, pytest.raises(ConsoleRefusedError, match=words) as caught:
        console.analyze(data)
    assert caught.value.status == status


def test_more_analyses_than_may_wait_are_refused(tmp_path: Path) -> None:
    frames = [p.frame.rgb for p in perceptions()]
    video = video_of(frames, tmp_path / "v.mp4", fps=10)
    with console_rig(feed=False, limits={"waiting_analyses": 1}) as rig:

        async def ask_at_once() -> list[int]:
            async with httpx.AsyncClient(base_url=rig.url, timeout=60) as http:
                asked = [
                    http.post("/api/analyze", files={"image": video}, data={"tasks": "depth"})
                    for _ in range(6)
                ]
                return [answer.status_code for answer in await asyncio.gather(*asked)]

        statuses = Counter(asyncio.run(ask_at_once()))
    assert statuses[200] == 2
    assert statuses[503] == 4


def test_kept_images_are_bounded() -> None:
    rgb = perceptions()[0].frame.rgb
    with console_rig(feed=False, limits={"kept_mb": 0.1}) as rig, rig.client() as console:
        paths = [
            console.analyze(jpeg_of(rgb), tasks=("detection",)).pictures[0].overlay
            for _ in range(6)
        ]
        assert console.image(paths[-1])
        with pytest.raises(ConsoleRefusedError, match="has expired"):
            console.image(paths[0])


def test_the_openapi_document_has_every_route(rig: ConsoleRig) -> None:
    document = httpx.get(f"{rig.url}/openapi.json").json()
    wanted = {"/api/state", "/api/objects", "/api/analyze", "/api/instruction", "/api/enable"}
    wanted |= {"/api/hold", "/api/reset", "/healthz", "/readyz", "/metrics"}
    assert wanted <= set(document["paths"])
    instruction = document["components"]["schemas"]["InstructionRequest"]
    assert instruction["properties"]["text"]["examples"]


def test_unknown_paths_and_methods_are_answered_in_json(rig: ConsoleRig) -> None:
    missing = httpx.get(f"{rig.url}/api/nothing")
    assert (missing.status_code, missing.json()) == (404, {"detail": "Not Found"})
    assert httpx.delete(f"{rig.url}/api/state").status_code == 405


def test_it_closes_within_two_seconds_with_viewers_connected() -> None:
    def closing_s() -> float:
        with console_rig() as rig, rig.client() as console:
            stream = console.stream({"frame": 20.0, "state": 5.0})
            next(stream)
            start_s = monotonic()
            rig.server.close()
            took_s = monotonic() - start_s
            assert list(stream) is not None
            with pytest.raises(httpx.ConnectError):
                console.state()
        return took_s

    assert measured(closing_s, below=2.0) < 2.0
