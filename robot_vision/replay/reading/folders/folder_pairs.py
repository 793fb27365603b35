"""Which colour and depth files of a folder belong together: by lists, stamps and names.

Never by counting files: a lost file would pair all later ones with depth of another moment.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from robot_vision.core.cameras.camera_check import checked_camera
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import CameraError, ForeignFileError
from robot_vision.core.files.foreign import inside, read_json, read_text
from robot_vision.core.files.natural import natural
from robot_vision.core.types import Camera
from robot_vision.replay.reading.messages import Problems

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
DEFAULT_RATE_HZ = 30.0
INTRINSICS_FILES = ("camera_params.json", "camera_intrinsics.json", "intrinsics.json")
_MOST_STAMP_NS = 2**62
_COLOR_END = re.compile(r"[-_.](color|colour|rgb)$", re.IGNORECASE)
_DEPTH_END = re.compile(r"[-_.]depth$", re.IGNORECASE)
_Stamped = list[tuple[int, Path]]


@dataclass(frozen=True, kw_only=True)
class FileFrame:
    """A colour file with the depth file that goes with it."""

    stamp_ns: int
    rgb: Path
    depth: Path | None = None
    depth_stamp_ns: int | None = None


@dataclass(frozen=True, kw_only=True)
class FolderPairs:
    """Frames in order; `why` says how they were paired, `unpaired` which depth is left over."""

    frames: list[FileFrame]
    why: str
    unpaired: tuple[str, ...] = ()
    is_tum: bool = False


def folder_pairs(path: Path, *, tolerance_s: float) -> FolderPairs:
    """Frames of a folder of images.

    `associations.txt`, or `rgb.txt` with `depth.txt` (TUM, ICL, Bonn) come first; then
    `NAME-color.png` beside `NAME-depth.png` (RealSense); then the folders `rgb` or `color` and
    `depth`, paired by stamps in the names (seconds with a fraction), or by equal names.
    Raises `ForeignFileError` for an unreadable list.
    """
    if (path / "associations.txt").is_file():
        return _associated(path)
    if (path / "rgb.txt").is_file():
        depths = _listed(path, "depth.txt") if (path / "depth.txt").is_file() else []
        return _by_stamp(_listed(path, "rgb.txt"), depths, tolerance_s, is_tum=True)
    folder = next((path / n for n in ("rgb", "color") if (path / n).is_dir()), path)
    colors, depths = images_of(folder), images_of(path / "depth")
    if folder == path and any(_COLOR_END.search(file.stem) for file in colors):
        depths = [file for file in colors if _DEPTH_END.search(file.stem)]
        colors = [file for file in colors if _COLOR_END.search(file.stem)]
        return _by_name(colors, depths)
    color_ns, depth_ns = stamps_of(colors), stamps_of(depths)
    if color_ns and depth_ns:
        stamped = list(zip(color_ns, colors, strict=True))
        return _by_stamp(stamped, list(zip(depth_ns, depths, strict=True)), tolerance_s)
    return _by_name(colors, depths)


def depth_among(files: Iterable[Path]) -> set[Path]:
    """Files named as the depth of a colour file in the same folder: `NAME-depth.png` beside
    `NAME-color.png` or `NAME.png`."""
    known = list(files)
    depths = {
        file: _DEPTH_END.sub("", file.stem) for file in known if _DEPTH_END.search(file.stem)
    }
    colored = {(f.parent, _COLOR_END.sub("", f.stem)) for f in known if f not in depths}
    return {file for file, name in depths.items() if (file.parent, name) in colored}


def images_of(folder: Path) -> list[Path]:
    """The images in a folder in natural order; none if there is no such folder."""
    if not folder.is_dir():
        return []
    files = (f for f in folder.iterdir() if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file())
    return sorted(files, key=natural)


def stamps_of(files: list[Path]) -> list[int]:
    """Seconds in the names, where every name is a number of them, some fractional, and they
    rise; else none."""
    try:
        stamps_ns = [_stamp_ns(file.stem) for file in files]
    except ForeignFileError:
        return []
    rising = all(a < b for a, b in pairwise(stamps_ns))
    return stamps_ns if rising and any("." in file.stem for file in files) else []


def camera_beside(path: Path, frame_id: str, problems: Problems) -> Camera | None:
    """Intrinsics of a JSON file in the folder (fx, fy, and cx, cy, ppx, ppy or x_offset,
    y_offset, with the image's size); None if there is none or it is unusable."""
    file = next((path / name for name in INTRINSICS_FILES if (path / name).is_file()), None)
    if file is None:
        return None
    try:
        said = read_json(file)
        fx, fy = _number(said, "fx"), _number(said, "fy")
        cx, cy = _number(said, "cx", "ppx", "x_offset"), _number(said, "cy", "ppy", "y_offset")
        return checked_camera(
            frame_id=frame_id,
            width_px=int(_number(said, "img_width", "width")),
            height_px=int(_number(said, "img_height", "height")),
            intrinsics_px=[[fx, 0, cx], [0, fy, cy], [0, 0, 1]],
        )
    except (CameraError, ForeignFileError) as error:
        problems.add("intrinsics invalid", f"{file.name}: {error}")
        return None


def _number(said: Any, *names: str) -> float:
    for name in names:
        value = said.get(name) if isinstance(said, dict) else None
        if isinstance(value, int | float) and abs(value) < 1e9:
            return float(value)
    raise ForeignFileError(f"expected a number named {' or '.join(names)}")


def _by_stamp(
    colors: _Stamped, depths: _Stamped, tolerance_s: float, *, is_tum: bool = False
) -> FolderPairs:
    """Pair each colour image with the nearest depth within the tolerance."""
    depths = sorted(depths)
    times_ns = [stamp_ns for stamp_ns, _ in depths]
    frames, used = [], set[Path]()
    for stamp_ns, rgb in sorted(colors):
        at = bisect_left(times_ns, stamp_ns)
        around = depths[max(at - 1, 0) : at + 1]
        near = [pair for pair in around if abs(pair[0] - stamp_ns) <= tolerance_s * NS_PER_S]
        depth_ns, depth = min(near, key=lambda p: abs(p[0] - stamp_ns), default=(None, None))
        if depth is not None:
            used.add(depth)
        frames.append(FileFrame(stamp_ns=stamp_ns, rgb=rgb, depth=depth, depth_stamp_ns=depth_ns))
    unpaired = tuple(file.name for _, file in depths if file not in used)
    return FolderPairs(frames=frames, why="by stamps", unpaired=unpaired, is_tum=is_tum)


def _by_name(colors: list[Path], depths: list[Path]) -> FolderPairs:
    """Pair each colour image with the depth of the same name."""
    depth_of = {_DEPTH_END.sub("", file.stem): file for file in depths}
    stamps_ns = stamps_of(colors) or [
        round(index * NS_PER_S / DEFAULT_RATE_HZ) for index in range(len(colors))
    ]
    frames = []
    for stamp_ns, rgb in zip(stamps_ns, colors, strict=True):
        depth = depth_of.pop(_COLOR_END.sub("", rgb.stem), None)
        depth_ns = None if depth is None else stamp_ns
        frames.append(FileFrame(stamp_ns=stamp_ns, rgb=rgb, depth=depth, depth_stamp_ns=depth_ns))
    unpaired = tuple(file.name for file in depth_of.values())
    return FolderPairs(frames=frames, why="by names", unpaired=unpaired)


def _associated(path: Path) -> FolderPairs:
    """Pairs from `associations.txt`, colour or depth first."""
    frames = []
    for words in _lines(path / "associations.txt", words=4):
        pairs = [(words[0], words[1]), (words[2], words[3])]
        if "depth" in Path(words[1]).parts:
            pairs.reverse()
        (rgb_at, rgb), (depth_at, depth) = pairs
        frames.append(
            FileFrame(
                stamp_ns=_list_stamp_ns(rgb_at),
                rgb=inside(path, rgb),
                depth=inside(path, depth),
                depth_stamp_ns=_list_stamp_ns(depth_at),
            )
        )
    frames.sort(key=lambda frame: frame.stamp_ns)
    return FolderPairs(frames=frames, why="by associations.txt", is_tum=True)


def _listed(path: Path, name: str) -> _Stamped:
    """Stamps and files of a list; missing files are left out."""
    lines = _lines(path / name, words=2)
    files = [(_list_stamp_ns(at), inside(path, file)) for at, file, *_ in lines]
    return [(stamp_ns, file) for stamp_ns, file in files if file.is_file()]


def _lines(file: Path, *, words: int) -> list[list[str]]:
    lines = [line.split() for line in read_text(file).splitlines() if line.strip()]
    lines = [line for line in lines if not line[0].startswith("#")]
    for line in lines:
        if len(line) < words:
            raise ForeignFileError(f"{file}: {' '.join(line)[:80]!r}; expected {words} words")
    return lines


def _list_stamp_ns(text: str) -> int:
    """Seconds; whole numbers count frames (ICL), at 30 Hz."""
    stamp_ns = _stamp_ns(text)
    return stamp_ns if "." in text else round(stamp_ns / DEFAULT_RATE_HZ)


def _stamp_ns(text: str) -> int:
    """Exact to the nanosecond, unlike a float of current Unix time."""
    if not re.fullmatch(r"[0-9]{1,10}(\.[0-9]*)?", text):
        raise ForeignFileError(f"{text[:40]!r} is not a number of seconds")
    seconds, _, fraction = text.partition(".")
    stamp_ns = int(seconds) * NS_PER_S + int(fraction[:9].ljust(9, "0"))
    if stamp_ns > _MOST_STAMP_NS:
        raise ForeignFileError(f"{text[:40]!r}: too many seconds")
    return stamp_ns
