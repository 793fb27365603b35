"""The child process that decodes clients' pictures and videos until its input ends.

A job arrives on standard input: its header (`JOB`) and the file. The answer goes to standard
output: `ANSWER`, then either an error text, or the times (f64 seconds) and the frames (RGB).
Codecs are large and old: a malicious file breaks only this process.
"""

import os
import resource
import signal
import struct
import sys
from typing import BinaryIO

import cv2
import numpy as np
from jaxtyping import UInt8

# Whether it is a video; bytes; largest width and height, longest video, most frames; time limit.
JOB = struct.Struct("<?QIdId")
# Whether it is rejected; bytes of the text; otherwise count, height and width of the frames.
ANSWER = struct.Struct("<?IIII")
# Sent first: imports are done, timing may start.
READY = b"!"

_MEMORY_BYTES = 2_000_000_000
_MOST_BYTES = 400_000_000
_DAMAGED = "the file is damaged: it cannot be decoded"


class RefusedError(Exception):
    """What is wrong with a file, as text."""


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    cv2.setNumThreads(1)
    jobs, out = sys.stdin.buffer, sys.stdout.buffer
    out.write(READY)
    out.flush()
    while len(header := jobs.read(JOB.size)) == JOB.size:
        is_video, size, picture_px, video_s, most, limit_s = JOB.unpack(header)
        data = jobs.read(size)
        # The parent may be gone: then nobody else ends this process.
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        try:
            if is_video:
                answer = video(data, picture_px=picture_px, video_s=video_s, most=most)
            else:
                answer = ([0.0], [picture(data)])
            signal.setitimer(signal.ITIMER_REAL, 0.0)
        except (RefusedError, cv2.error, MemoryError) as error:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            words = str(error) if isinstance(error, RefusedError) else _DAMAGED
            write_refusal(out, words)
        else:
            write_frames(out, *answer)
        out.flush()


def write_refusal(out: BinaryIO, words: str) -> None:
    text = words.encode()
    out.write(ANSWER.pack(True, len(text), 0, 0, 0) + text)


def write_frames(
    out: BinaryIO, times_s: list[float], frames: list[UInt8[np.ndarray, "h w 3"]]
) -> None:
    out.write(ANSWER.pack(False, 0, len(frames), *frames[0].shape[:2]))
    out.write(np.array(times_s, "<f8").tobytes())
    for frame in frames:
        out.write(np.ascontiguousarray(frame).data)


def picture(data: bytes) -> UInt8[np.ndarray, "h w 3"]:
    """RGB of a picture whose kind and size the parent has checked."""
    bgr = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise RefusedError(_DAMAGED)
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB, dst=bgr)


def video(
    data: bytes, *, picture_px: int, video_s: float, most: int
) -> tuple[list[float], list[UInt8[np.ndarray, "h w 3"]]]:
    """Times and frames, from a file in memory, so that a killed process leaves no file behind."""
    file = os.memfd_create("video")
    try:
        with os.fdopen(os.dup(file), "wb") as writer:
            writer.write(data)
        return read(f"/proc/self/fd/{file}", picture_px=picture_px, video_s=video_s, most=most)
    finally:
        os.close(file)


def opened(path: str) -> cv2.VideoCapture:
    # FFmpeg would start a thread per core, even on cores that the policy needs; each buffers
    # pictures.
    capture = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    if not capture.isOpened():
        raise RefusedError("no decodable video")
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)  # OpenCV 4 does not rotate by itself
    return capture


def read(
    path: str, *, picture_px: int, video_s: float, most: int
) -> tuple[list[float], list[UInt8[np.ndarray, "h w 3"]]]:
    """Times and frames, thinned out evenly whenever there are too many."""
    capture = opened(path)
    width_px, height_px = (
        int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    check_size(width_px, height_px, picture_px)
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 0 < fps <= 1000 else 30.0
    times_s: list[float] = []
    frames: list[np.ndarray] = []
    index, step = 0, 1
    while capture.grab():
        time_s = index / fps
        if time_s > video_s:
            raise RefusedError(f"the video is too long: at most {video_s:g} s are accepted")
        if index % step == 0:
            got, frame = capture.retrieve()
            if not got:
                raise RefusedError(_DAMAGED)
            check_size(frame.shape[1], frame.shape[0], picture_px)
            if frames and frame.shape != frames[0].shape:
                raise RefusedError("its frames change size")
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            times_s.append(time_s)
        while len(frames) > most or sum(f.nbytes for f in frames) > _MOST_BYTES:
            frames, times_s, step = frames[::2], times_s[::2], 2 * step
        index += 1
    if not frames:
        raise RefusedError("the video has no decodable frames")
    return times_s, frames


def check_size(width_px: int, height_px: int, picture_px: int) -> None:
    if not (0 < width_px <= picture_px and 0 < height_px <= picture_px):
        raise RefusedError(
            f"its frames have {width_px}×{height_px} px; expected 1×1 to {picture_px}×{picture_px}"
        )


if __name__ == "__main__":
    main()
