"""A console in front of what a real pipeline saw in the shipped recording."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from time import monotonic, sleep, time_ns
from typing import Any

import cv2
import numpy as np

from robot_vision.console.client import Console
from robot_vision.console.command_schema import GivenInstruction, Outcome
from robot_vision.console.schema import Diagnosis
from robot_vision.console.serving.server import ConsoleServer
from robot_vision.console.state.policy_moment import LatestMoment, no_policy
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.console_config import ConsoleConfig
from robot_vision.core.types import Perception
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.reading.example_frames import load_frames

SERVICE = ServiceConfig(threads=1, spin=False)
FRAMES = 8
# What a test that is not about limits is not limited by.
GENEROUS: dict[str, Any] = {"requests_hz": 1e5, "analyses_hz": 1e5, "logins_hz": 1e5}


@cache
def perceptions() -> tuple[Perception, ...]:
    """What the shipped model says about the first frames of the shipped recording."""
    pipeline = build_pipeline(SERVICE)
    frames = load_frames(None, count=FRAMES, width_px=640, height_px=480)
    return tuple(pipeline.process(frame) for frame in frames)


@dataclass
class HeardCommander:
    """A policy that follows its commands and records them."""

    heard: list[str] = field(default_factory=list)

    def problem(self) -> str:
        return ""

    def instructions(self) -> list[GivenInstruction]:
        words = [text for text in self.heard if text not in ("enable", "hold", "reset")]
        return [GivenInstruction(text=text, at_s=0.0) for text in reversed(words)]

    def instruct(self, text: str) -> Outcome:
        return self._hear(text)

    def prompt(self, text: str) -> Outcome:
        return self._hear(text)

    def enable(self, enabled: bool) -> Outcome:
        return self._hear("enable" if enabled else "hold")

    def reset(self) -> Outcome:
        return self._hear("reset")

    def _hear(self, text: str) -> Outcome:
        self.heard.append(text)
        return Outcome(done=True, message=f"heard: {text}")


class Feeder:
    """Gives the snapshots a frame at `fps`, as the pipeline's thread does, while it runs.

    The frames are those of `seen`, which may change at any time.
    """

    def __init__(
        self, snapshots: Snapshots, *, fps: float, seen: Sequence[Perception] | None = None
    ) -> None:
        self._snapshots = snapshots
        self.seen = seen or perceptions()
        self._fps = fps
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self.count = 0

    def start(self) -> None:
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def feed_one(self) -> Perception:
        """One frame now; returns what the snapshots got."""
        perception = self.seen[self.count % len(self.seen)]
        stamp_ns = time_ns()
        fresh = replace(perception, stamp_ns=stamp_ns)
        fresh = replace(
            fresh,
            frame=replace(perception.frame, stamp_ns=stamp_ns),
            tracks=replace(perception.tracks, stamp_ns=stamp_ns),
            classification=restamped(perception.classification, stamp_ns),
            segmentation=restamped(perception.segmentation, stamp_ns),
            depth=restamped(perception.depth, stamp_ns),
        )
        self._snapshots.perceived(fresh, {**perception.stage_s, "age": 0.02})
        self.count += 1
        return fresh

    def _run(self) -> None:
        while not self._stopping.wait(1 / self._fps):
            self.feed_one()


def restamped(found: Any, stamp_ns: int) -> Any:
    """What a model said, of another time; nothing stays nothing."""
    return None if found is None else replace(found, stamp_ns=stamp_ns)


@dataclass
class ConsoleRig:
    snapshots: Snapshots
    server: ConsoleServer
    feeder: Feeder
    commander: Any

    @property
    def url(self) -> str:
        return self.server.url

    def client(self, **kwargs: Any) -> Console:
        return Console(self.url, **kwargs)


@contextmanager
def console_rig(
    *,
    fps: float = 20.0,
    feed: bool = True,
    commander: Any = None,
    limits: dict[str, Any] | None = None,
    service: ServiceConfig = SERVICE,
    seen: Sequence[Perception] | None = None,
    live: Any = None,
    moment: LatestMoment = no_policy,
    **config: Any,
) -> Iterator[ConsoleRig]:
    """A console on a free port of loopback, with a camera's frames unless `feed` is False."""
    snapshots = Snapshots()
    settings = ConsoleConfig.model_validate(
        {"port": 0, "limits": {**GENEROUS, **(limits or {})}, **config}
    )
    server = ConsoleServer(
        snapshots, settings, commander=commander, service=service, live=live, moment=moment
    )
    server.start()
    feeder = Feeder(snapshots, fps=fps, seen=seen)
    if feed:
        feeder.feed_one()
        feeder.start()
    try:
        yield ConsoleRig(snapshots, server, feeder, commander)
    finally:
        feeder.stop()
        server.close()


def wait_until(condition: Callable[[], bool], *, timeout_s: float = 20.0) -> None:
    """Return as soon as `condition` holds; fails if it does not in time."""
    until_s = monotonic() + timeout_s
    while not condition():
        assert monotonic() < until_s, f"not within {timeout_s} s"
        sleep(0.01)


def jpeg_of(rgb: np.ndarray) -> bytes:
    return encoded(".jpg", rgb)


def encoded(ending: str, rgb: np.ndarray) -> bytes:
    """The picture as a file of that ending."""
    _, data = cv2.imencode(ending, cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return data.tobytes()


def diagnosis(part: str, message: str, level: Any = "ok", **values: str) -> Diagnosis:
    """What the perception node says of a part of itself."""
    return Diagnosis(level=level, name=f"perception: {part}", message=message, values=values)


def video_of(frames: Sequence[np.ndarray], path: Any, *, fps: float) -> bytes:
    """An MP4 of RGB frames."""
    height_px, width_px = frames[0].shape[:2]
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter.fourcc(*"mp4v"), fps, (width_px, height_px)
    )
    for frame in frames:
        writer.write(cv2.cvtColor(frame, cv2.COLOR_RGB2BGR))
    writer.release()
    return path.read_bytes()
