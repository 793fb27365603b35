"""Grabs frames in a separate process, and returns the newest one on request.

A read blocked in a driver or the network cannot be interrupted, and a crashing decoder ends its
process: this one may be killed at any time.

Standard input: a line of settings in JSON, then a byte per requested frame; its end ends the
process. Standard output: records of `HEAD` and a payload, a frame (BGR) or text in JSON.
"""

import json
import os
import struct
import sys
from threading import Condition, Thread
from time import monotonic, monotonic_ns, sleep
from typing import Any

import cv2
import numpy as np

# Kind, CLOCK_MONOTONIC of the grab in ns, width and height in px (for text: bytes and 0).
HEAD = struct.Struct("<cqII")
FRAME, WORDS = b"F", b"W"
_PROPERTIES = {
    "width_px": cv2.CAP_PROP_FRAME_WIDTH,
    "height_px": cv2.CAP_PROP_FRAME_HEIGHT,
    "fps": cv2.CAP_PROP_FPS,
}
_OPTIONS = {
    "file": "protocol_whitelist;file",
    # TCP loses no packets; no buffering for smooth playback.
    "stream": "protocol_whitelist;rtsp,rtsps,rtp,udp,tcp,tls,http,https,crypto"
    "|rtsp_transport;tcp|fflags;nobuffer|threads;1",
}


class Newest:
    """Holds the last grabbed frame; earlier ones are dropped."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._frame: tuple[int, np.ndarray] | None = None
        self._why_ended = ""

    def put(self, image: np.ndarray) -> None:
        with self._changed:
            self._frame = monotonic_ns(), image
            self._changed.notify()

    def end(self, why: str) -> None:
        with self._changed:
            self._why_ended = why
            self._changed.notify()

    def take(self) -> tuple[int, np.ndarray] | str:
        """Wait for the next frame; or return why there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._frame is not None or self._why_ended)
            frame, self._frame = self._frame, None
            return frame if frame is not None else self._why_ended


def main() -> None:
    """Serve until standard input ends."""
    # Libraries print to standard output, which is reserved for our protocol.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    settings = json.loads(sys.stdin.buffer.readline())
    newest = Newest()
    Thread(target=_grab, args=(settings, newest), daemon=True).start()
    while sys.stdin.buffer.read(1):
        found = newest.take()
        if isinstance(found, str):
            _say(out, {"ended": found})
            continue
        grabbed_ns, image = found
        height_px, width_px = image.shape[:2]
        out.write(HEAD.pack(FRAME, grabbed_ns, width_px, height_px))
        out.write(np.ascontiguousarray(image).data)
        out.flush()
    os._exit(0)  # the thread may be blocked in a driver forever


def _say(out: Any, words: dict[str, str]) -> None:
    data = json.dumps(words).encode()
    out.write(HEAD.pack(WORDS, monotonic_ns(), len(data), 0) + data)
    out.flush()


def _grab(settings: dict[str, Any], newest: Newest) -> None:
    try:
        capture = _opened(settings)
        if not capture.isOpened():
            newest.end("it cannot be opened")
            return
        _grab_all(capture, settings, newest)
    except cv2.error as error:
        newest.end(f"OpenCV: {error}")


def _grab_all(capture: cv2.VideoCapture, settings: dict[str, Any], newest: Newest) -> None:
    is_file = settings["kind"] == "file"
    period_s = 1 / max(capture.get(cv2.CAP_PROP_FPS), 1.0) if is_file else 0.0
    due_s = monotonic()
    count = 0
    while True:
        good, image = capture.read()
        if good:
            newest.put(image if image.ndim == 3 else cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
            count += 1
        elif is_file and count and settings["loop"]:
            count = 0
            capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
            continue
        else:
            newest.end("the file ended" if is_file and count else "it returns no more frames")
            return
        if is_file:  # play a file at its own pace; other sources have one
            due_s = max(due_s + period_s, monotonic() - period_s)
            sleep(max(due_s - monotonic(), 0.0))


def _opened(settings: dict[str, Any]) -> cv2.VideoCapture:
    kind, address = settings["kind"], settings["address"]
    if kind == "device":
        capture = cv2.VideoCapture(address, cv2.CAP_V4L2)
        # One buffer: frames waiting in a driver are old.
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        for name, which in _PROPERTIES.items():
            if settings[name]:
                capture.set(which, settings[name])
        return capture
    os.environ["OPENCV_FFMPEG_CAPTURE_OPTIONS"] = _OPTIONS[kind]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG)
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # OpenCV 4 does not rotate by itself
    return capture


if __name__ == "__main__":
    main()
