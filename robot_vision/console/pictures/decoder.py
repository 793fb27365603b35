"""Pictures and videos from clients, decoded in a child process with bounded memory and time.

One child serves all jobs in turn, as starting one takes longer than decoding a picture. A job that
takes too long or crashes the child ends it; the next job gets a new one.
"""

import subprocess
import sys
from threading import Event, Lock, Timer
from typing import IO

import numpy as np
from jaxtyping import UInt8

from robot_vision.console.pictures.decode_child import ANSWER, JOB, READY
from robot_vision.console.pictures.uploads import UNREADABLE, check_header, check_is_video
from robot_vision.console.problems import ConsoleError
from robot_vision.core.parameters.console_config import LimitsConfig

# The child ends itself only if nobody else does.
_LATER_S = 1.0
_START_S = 30.0
_ENDING = "the console is being shut down"

Frames = tuple[list[float], UInt8[np.ndarray, "n h w 3"]]


class _ChildDiedError(Exception):
    """The child ended by itself before its answer was complete."""


class Decoder:
    """Decodes one file at a time; call it from one thread, `close` from any."""

    def __init__(self, limits: LimitsConfig) -> None:
        self._limits = limits
        self._lock = Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._is_closed = False
        self._is_working = False

    def picture(self, data: bytes, *, name: str) -> UInt8[np.ndarray, "h w 3"]:
        """RGB of a PNG, JPEG or WebP. Raises `ConsoleError` with what is wrong with `name`."""
        size = check_header(data, name=name, limits=self._limits)
        _, frames = self._decode(data, name=name, is_video=False, limit_s=self._limits.picture_s)
        if sorted(frames.shape[1:3]) != sorted(size):
            raise ConsoleError(UNREADABLE, f"{name} is damaged: it cannot be decoded")
        return frames[0]

    def video(self, data: bytes, *, name: str) -> Frames:
        """Times in seconds and frames, evenly spread, of an MP4 or WebM; raises `ConsoleError`."""
        check_is_video(data, name=name)
        limit_s = self._limits.video_decode_s
        return self._decode(data, name=name, is_video=True, limit_s=limit_s)

    def close(self) -> None:
        """End the child, whatever it is doing."""
        with self._lock:
            self._is_closed = True
            if self._child is not None:
                self._child.kill()
                if not self._is_working:
                    _reap(self._child)

    def _decode(self, data: bytes, *, name: str, is_video: bool, limit_s: float) -> Frames:
        """Ask the running child; if it had died before this job, ask a new one."""
        try:
            child, is_new = self._living_child()
            try:
                return self._ask(child, data, is_video=is_video, limit_s=limit_s, name=name)
            except _ChildDiedError:
                if is_new:
                    raise
            child, _ = self._living_child()
            return self._ask(child, data, is_video=is_video, limit_s=limit_s, name=name)
        except _ChildDiedError:
            text = f"{name} is damaged: it cannot be decoded"
            raise ConsoleError(UNREADABLE, text) from None
        finally:
            with self._lock:
                self._is_working = False
                if self._is_closed and self._child is not None:
                    _reap(self._child)

    def _ask(
        self,
        child: "subprocess.Popen[bytes]",
        data: bytes,
        *,
        name: str,
        is_video: bool,
        limit_s: float,
    ) -> Frames:
        limits = self._limits
        sizes = (limits.picture_px, limits.video_s, limits.video_frames)
        job = JOB.pack(is_video, len(data), *sizes, limit_s + _LATER_S)
        assert child.stdin is not None
        assert child.stdout is not None
        timer, is_late = _kill_after(limit_s, child)
        try:
            child.stdin.write(job)
            child.stdin.write(data)
            child.stdin.flush()
            return _answer(child.stdout, name)
        except (EOFError, BrokenPipeError):
            _reap(child)  # the next job gets a new one
            if self._is_closed:
                raise ConsoleError(503, _ENDING) from None
            if is_late.is_set():
                text = f"decoding {name} takes longer than the limit of {limit_s:g} s"
                raise ConsoleError(UNREADABLE, text) from None
            raise _ChildDiedError from None
        finally:
            timer.cancel()

    def _living_child(self) -> "tuple[subprocess.Popen[bytes], bool]":
        """The running child, or a new one; whether it is new."""
        with self._lock:
            if self._is_closed:
                raise ConsoleError(503, _ENDING)
            self._is_working = True
            if self._child is not None and self._child.poll() is None:
                return self._child, False
            if self._child is not None:
                _reap(self._child)
            self._child = subprocess.Popen(
                [sys.executable, "-m", "robot_vision.console.pictures.decode_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            child = self._child
        if not _has_started(child):
            if self._is_closed:
                raise ConsoleError(503, _ENDING)
            raise ConsoleError(503, "pictures cannot be decoded now: no process can be started")
        return child, True


def _has_started(child: "subprocess.Popen[bytes]") -> bool:
    """Wait for its imports, which do not count towards the time limit."""
    assert child.stdout is not None
    timer, _ = _kill_after(_START_S, child)
    try:
        return child.stdout.read(len(READY)) == READY
    finally:
        timer.cancel()


def _kill_after(limit_s: float, child: "subprocess.Popen[bytes]") -> tuple[Timer, Event]:
    """The running timer, and an event that is set before the timer kills the child."""
    is_late = Event()

    def kill() -> None:
        is_late.set()
        child.kill()

    timer = Timer(limit_s, kill)
    timer.daemon = True
    timer.start()
    return timer, is_late


def _answer(out: IO[bytes], name: str) -> Frames:
    """Raises `EOFError` if the child ended before completing its answer."""
    is_refused, length, count, height_px, width_px = ANSWER.unpack(_read(out, ANSWER.size))
    if is_refused:
        words = _read(out, length).decode(errors="replace")
        raise ConsoleError(UNREADABLE, f"{name}: {words}")
    times_s = np.frombuffer(_read(out, 8 * count), "<f8").tolist()
    frames = np.frombuffer(_read(out, count * height_px * width_px * 3), np.uint8)
    return times_s, frames.reshape(count, height_px, width_px, 3)


def _read(out: IO[bytes], size: int) -> bytearray:
    data = bytearray(size)
    if out.readinto(data) != size:  # pyright: ignore[reportAttributeAccessIssue]
        raise EOFError
    return data


def _reap(child: "subprocess.Popen[bytes]") -> None:
    child.kill()
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except BrokenPipeError:
                continue
