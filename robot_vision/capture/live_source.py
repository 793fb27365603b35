"""Keeps a source alive: a child process grabs, and is restarted on failure."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from select import select
from tempfile import TemporaryFile
from threading import Event, Thread
from time import monotonic
from typing import IO

import numpy as np
from jaxtyping import UInt8

from robot_vision.capture.address import Address, without_secrets
from robot_vision.capture.grab_child import FRAME, HEAD
from robot_vision.core.files.foreign import brief
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.core.parameters.source_config import SourceConfig

_POLL_S = 0.1
# As in `[tcp @ 0x5581] Connection to tcp://127.0.0.1:80 failed: Connection refused`.
_FFMPEG = re.compile(r"^\[\w+ @ 0x[0-9a-f]+\] (.+)$", re.MULTILINE)
_LEAST_GOOD_S = 5.0
_LONGEST_WORDS = 10_000

OnFrame = Callable[[UInt8[np.ndarray, "h w 3"], int], None]
"""Called with a frame (BGR) and the CLOCK_MONOTONIC of its grab in ns."""


@dataclass(frozen=True, kw_only=True)
class SourceState:
    """`problem` is empty while frames arrive. `ended`: a file has ended, without a retry."""

    problem: str = "it is being opened"
    ended: bool = False
    frames: int = 0
    opened: int = 0
    width_px: int = 0
    height_px: int = 0


class _FailedError(Exception):
    """Why a child is no longer usable."""


class LiveSource:
    """Calls `on_frame` from its own thread, from construction to `close`."""

    def __init__(
        self,
        address: Address,
        config: SourceConfig,
        *,
        on_frame: OnFrame,
        log: Callable[[str], object],
    ) -> None:
        self._address, self._config = address, config
        self._on_frame, self._log = on_frame, log
        self._stopping = Event()
        self._state = SourceState()
        self._thread = Thread(target=self._run, name="source", daemon=True)
        self._thread.start()

    @property
    def state(self) -> SourceState:
        return self._state

    def close(self) -> None:
        """Stop, whatever the source is doing."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        wait_s = self._config.retry_s
        while not self._stopping.is_set():
            began_s = monotonic()
            try:
                self._serve()
            except _FailedError as error:
                self._note(str(error))
            if self._state.ended:
                return
            if monotonic() - began_s > _LEAST_GOOD_S + self._config.open_s:
                wait_s = self._config.retry_s  # it worked for a while
            self._stopping.wait(wait_s)
            wait_s = min(2 * wait_s, self._config.retry_most_s)

    def _note(self, problem: str) -> None:
        words = brief(without_secrets(problem, self._address))
        if words != self._state.problem:
            self._log(f"{self._address.shown}: {words}")
        self._state = replace(self._state, problem=words)

    def _serve(self) -> None:
        """Forward the frames of one child until it fails; raises `_FailedError`."""
        with TemporaryFile() as said, _child(said) as child:
            try:
                self._ask(child, self._settings() + b"\n")
                self._hand_over(child)
            except _FailedError as error:
                raise _FailedError(f"{error}{_reason(said)}") from error
            finally:
                child.kill()

    def _settings(self) -> bytes:
        config, address = self._config, self._address
        wanted = {name: getattr(config, name) for name in ("width_px", "height_px", "fps", "loop")}
        return json.dumps(wanted | {"kind": address.kind, "address": address.real}).encode()

    def _hand_over(self, child: subprocess.Popen[bytes]) -> None:
        limit_s = self._config.open_s
        while not self._stopping.is_set():
            self._ask(child, b"n")
            head = self._read(child, HEAD.size, limit_s)
            if head is None:
                return
            kind, grabbed_ns, width_px, height_px = HEAD.unpack(head)
            if kind != FRAME:
                self._say_ended(child, width_px)
                return
            if not 0 < width_px * height_px <= DEFAULT_LIMITS.image_px:
                raise _FailedError(
                    f"its frames have {width_px}×{height_px} px; expected at most "
                    f"{DEFAULT_LIMITS.image_mpx:g} megapixels"
                )
            data = self._read(child, width_px * height_px * 3, self._config.stall_s)
            if data is None:
                return
            self._came(np.frombuffer(data, np.uint8).reshape(height_px, width_px, 3), grabbed_ns)
            limit_s = self._config.stall_s

    def _came(self, image: UInt8[np.ndarray, "h w 3"], grabbed_ns: int) -> None:
        state, (height_px, width_px) = self._state, image.shape[:2]
        if state.problem:
            self._log(f"{self._address.shown}: receiving frames of {width_px}×{height_px} px")
        self._state = replace(
            state,
            problem="",
            frames=state.frames + 1,
            opened=state.opened + bool(state.problem),
            width_px=width_px,
            height_px=height_px,
        )
        self._on_frame(image, grabbed_ns)

    def _say_ended(self, child: subprocess.Popen[bytes], length: int) -> None:
        text = self._read(child, min(length, _LONGEST_WORDS), self._config.stall_s)
        if text is None:
            return
        why = json.loads(text)["ended"]
        if self._address.kind == "file" and self._state.frames:
            self._note(f"{why} after {self._state.frames} frames; set loop:=true to repeat it")
            self._state = replace(self._state, ended=True)
            return
        raise _FailedError(why)

    def _ask(self, child: subprocess.Popen[bytes], data: bytes) -> None:
        assert child.stdin is not None
        try:
            child.stdin.write(data)
        except OSError as error:
            raise _FailedError("the reading process ended") from error

    def _read(
        self, child: subprocess.Popen[bytes], length: int, limit_s: float
    ) -> bytearray | None:
        """Read this many bytes; None when stopping. Raises `_FailedError` if none arrive."""
        assert child.stdout is not None
        pipe, data, filled = child.stdout.fileno(), bytearray(length), 0
        until_s = monotonic() + limit_s
        while filled < length:
            if self._stopping.is_set():
                return None
            if not select([pipe], [], [], _POLL_S)[0]:
                if monotonic() > until_s:
                    raise _FailedError(f"no frame for {limit_s:g} s")
                continue
            count = os.readv(pipe, [memoryview(data)[filled:]])
            if count == 0:
                raise _FailedError("the reading process ended")
            filled += count
        return data


def _child(said: IO[bytes]) -> "subprocess.Popen[bytes]":
    """Start the child without Ctrl-C: the service ends its children itself."""
    return subprocess.Popen(
        [sys.executable, "-m", "robot_vision.capture.grab_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=said,
        start_new_session=True,
        bufsize=0,
    )


def _reason(said: IO[bytes]) -> str:
    """FFmpeg's message, often the only reason, without its changing memory addresses."""
    said.seek(0, os.SEEK_END)
    said.seek(max(said.tell() - _LONGEST_WORDS, 0))
    found = _FFMPEG.findall(said.read().decode(errors="replace"))
    return f" ({found[-1]})" if found else ""
