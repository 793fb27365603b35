"""Part of a video as a GIF that a README can show, below a size that repositories bear.

    make demo                                   # on a quiet machine: writes out/demo/overlay.mp4
    .venv/bin/python tools/moving_picture.py out/demo/overlay.mp4 docs/images/demo.gif

A busy machine records it in slower simulated time: `robot-vision demo --speed 0.06 --seconds 20`.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
from PIL import Image

MOST_MB = 3.0


def main() -> None:
    options = _options()
    frames = list(_frames(options))
    if not frames:
        raise SystemExit(f"{options.video}: no frames from {options.start} s on")
    # One palette for all frames: what does not change stays equal, and costs nothing.
    palette = _side_by_side(frames[:: max(len(frames) // 6, 1)])
    palette = palette.quantize(options.colors, dither=Image.Dither.NONE)
    first, *others = [f.quantize(palette=palette, dither=Image.Dither.NONE) for f in frames]
    duration_ms = round(1000 / options.fps)
    first.save(options.out, save_all=True, append_images=others, duration=duration_ms, loop=0)
    size_mb = options.out.stat().st_size / 1e6
    print(f"{options.out}: {len(frames)} frames of {first.width}×{first.height}, {size_mb:.2f} MB")
    if size_mb > MOST_MB:
        raise SystemExit(f"more than {MOST_MB} MB: take less of --seconds, --fps, --width")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=float, default=0.0, help="seconds into the video")
    parser.add_argument("--seconds", type=float, default=14.0, help="how long")
    parser.add_argument("--fps", type=float, default=7.0)
    parser.add_argument("--width", type=int, default=400, help="pixels")
    parser.add_argument("--colors", type=int, default=96)
    return parser.parse_args()


def _frames(options: argparse.Namespace) -> Iterator[Image.Image]:
    """Frames at the picture's rate, resized."""
    video = cv2.VideoCapture(str(options.video))
    rate_hz = video.get(cv2.CAP_PROP_FPS) or 30.0
    number, due_s = 0, options.start
    while number / rate_hz < options.start + options.seconds:
        is_read, bgr = video.read()
        if not is_read:
            return
        if number / rate_hz >= due_s:
            due_s += 1 / options.fps
            height = round(bgr.shape[0] * options.width / bgr.shape[1])
            rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
            yield Image.fromarray(
                cv2.resize(rgb, (options.width, height), interpolation=cv2.INTER_AREA)
            )
        number += 1


def _side_by_side(frames: list[Image.Image]) -> Image.Image:
    width, height = frames[0].size
    joined = Image.new("RGB", (width * len(frames), height))
    for number, frame in enumerate(frames):
        joined.paste(frame, (number * width, 0))
    return joined


if __name__ == "__main__":
    main()
