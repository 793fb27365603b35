"""The child process that decodes a client's video: `python -m … PICTURE_PX VIDEO_S FRAMES`.

The file comes on standard input; out go count, height and width (u32), the times (f64 seconds)
and the frames (RGB). Status 1 means that standard output says in words what is wrong.
"""

import resource
import struct
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

_MEMORY_BYTES = 2_000_000_000
_CPU_S = 25
_MOST_BYTES = 400_000_000


def main() -> None:
    picture_px, video_s, most = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    with TemporaryDirectory() as folder:
        path = Path(folder, "video")
        path.write_bytes(sys.stdin.buffer.read())
        times_s, frames = read(path, picture_px=picture_px, video_s=video_s, most=most)
    height_px, width_px = frames[0].shape[:2]
    out = sys.stdout.buffer
    out.write(struct.pack("<III", len(frames), height_px, width_px))
    out.write(np.array(times_s, "<f8").tobytes())
    for frame in frames:
        out.write(frame.tobytes())


def read(
    path: Path, *, picture_px: int, video_s: float, most: int
) -> tuple[list[float], list[np.ndarray]]:
    """Times and frames, thinned evenly whenever there are too many. Exits where it refuses."""
    capture = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not capture.isOpened():
        refuse("no video that can be decoded")
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
            refuse(f"the video is longer than the {video_s:g} s that are taken")
        if index % step == 0:
            _, frame = capture.retrieve()
            check_size(frame.shape[1], frame.shape[0], picture_px)
            if frames and frame.shape != frames[0].shape:
                refuse("its pictures change their size")
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
            times_s.append(time_s)
        while len(frames) > most or sum(f.nbytes for f in frames) > _MOST_BYTES:
            frames, times_s, step = frames[::2], times_s[::2], 2 * step
        index += 1
    if not frames:
        refuse("the video has no pictures that can be decoded")
    return times_s, frames


def check_size(width_px: int, height_px: int, picture_px: int) -> None:
    if not (0 < width_px <= picture_px and 0 < height_px <= picture_px):
        refuse(
            f"its pictures have {width_px}×{height_px} px; "
            f"from 1×1 to {picture_px}×{picture_px} are taken"
        )


def refuse(words: str) -> None:
    """Ends the process with `words`."""
    sys.stdout.write(words)
    sys.exit(1)


if __name__ == "__main__":
    main()
