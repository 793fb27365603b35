"""Which topics belong to one camera: by namespace, frame and stamps, never by counting messages.

Two cameras in one recording look alike, and depth of the wrong one is silently off by metres. So
ambiguous cases are rejected, with the choices and the option that decides.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from robot_vision.core.clock import NS_PER_S
from robot_vision.replay.reading.messages import IMAGE, BagError

COLOR_WORDS = ("color", "colour", "rgb", "image_raw", "image_rect")
NOT_COLOR_WORDS = ("infra", "/ir", "thermal", "depth", "overlay", "mask", "mono", "right")
NOT_DEPTH_WORDS = ("infra", "/ir", "_ir", "thermal", "lwir", "confidence", "amplitude")
REGISTERED_WORDS = ("aligned", "registered", "depth_to_color", "depth_to_rgb")
TRANSPORTS = ("/compressed", "/compressedDepth")
# End of a camera's name: `/front/cam_1` of `/front/cam_1/color/image_raw`.
_STREAM_WORDS = frozenset(
    [
        "color",
        "colour",
        "rgb",
        "depth",
        "infra",
        "ir",
        "image",
        "aligned",
        "registered",
        "thermal",
        "mono",
        "stereo",
        "rect",
        "raw",
        "left",
        "right",
        "sd",
        "hd",
        "qhd",
        "points",
        "camera_info",
    ]
)


@dataclass
class Seen:
    """Topics as seen at the start of a recording; `stamps_ns` are the first stamps, `images` size
    and encoding of the first image."""

    kinds: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    frames: dict[str, str] = field(default_factory=dict)
    stamps_ns: dict[str, list[int]] = field(default_factory=dict)
    images: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def of_kind(self, kind: str) -> list[str]:
        return sorted(topic for topic, seen in self.kinds.items() if seen == kind)

    def format_of(self, topic: str) -> str:
        """Size and encoding of an image topic, and the rate by its first stamps."""
        stamps_ns = self.stamps_ns[topic]
        span_s = (max(stamps_ns) - min(stamps_ns)) / NS_PER_S
        rate = f", {(len(stamps_ns) - 1) / span_s:.1f} Hz" if span_s > 0 else ""
        return self.images[topic] + rate

    def same_frame(self, a: str, b: str) -> bool:
        return bool(self.frames.get(a)) and self.frames.get(a) == self.frames.get(b)


Choice = tuple[str, str]
"""The topic (empty if none), and why."""


def choose_color(seen: Seen, *, near: str) -> Choice:
    """The colour topic; `near` is a requested depth or info topic.

    Raises `BagError` if several cameras are equally good.
    """
    names = seen.of_kind("rgb")
    if near:
        names = [n for n in names if camera_of(n) == camera_of(near) or seen.same_frame(n, near)]
    best = min((_words(name, NOT_COLOR_WORDS) for name in names), default=0)
    names = [name for name in names if _words(name, NOT_COLOR_WORDS) == best]
    cameras = sorted({camera_of(name) for name in names})
    if len(cameras) > 1:
        raise ambiguous("colour", names, "--rgb-topic")
    ranked = sorted(names, key=lambda name: _rank(name, seen, COLOR_WORDS))
    if not ranked:
        return "", "no colour images"
    why = "the only colour topic" if len(ranked) == 1 else f"the only camera; of {len(ranked)}"
    return ranked[0], f"{why}, of the camera of {near}" if near else why


def choose_depth(seen: Seen, rgb: str) -> Choice:
    """The depth topic of the camera of `rgb`. Raises `BagError` if two cameras fit."""
    names = [name for name in seen.of_kind("depth") if not _words(name, NOT_DEPTH_WORDS)]
    names = [name for name in names if name != rgb]  # requested as colour
    own = [name for name in names if camera_of(name) == camera_of(rgb)]
    why = "the camera of the colour topic, by namespace"
    if not own:
        own = [name for name in names if seen.same_frame(name, rgb)]
        why = f"the frame of the colour topic, {seen.frames.get(rgb)!r}"
    if not own:
        others = {camera_of(n) for n in seen.of_kind("rgb")} - {camera_of(rgb)}
        own = [n for n in names if camera_of(n) not in others and _in_step(n, rgb, seen)]
        why = "the only depth that comes with the colour topic, by stamps"
        if len({camera_of(name) for name in own}) > 1:
            raise ambiguous("depth", own, "--depth-topic")
    if not own:
        return "", f"no depth of the camera of {rgb}" if names else "no depth images"
    return min(own, key=lambda name: _depth_rank(name, rgb, seen)), why


def choose_info(seen: Seen, image: str) -> Choice:
    """The CameraInfo of an image topic. Raises `BagError` if two fit equally."""
    names = seen.of_kind("info")
    beside = [name for name in names if _folder(name) == _folder(image)]
    if beside:
        return beside[0], "beside the images"
    framed = [name for name in names if seen.same_frame(name, image)]
    near = [name for name in framed if camera_of(name) == camera_of(image)] or framed
    if len(near) > 1:
        raise ambiguous("camera_info", near, "--info-topic")
    if near:
        return near[0], f"the frame of the images, {seen.frames[image]!r}"
    taken = {_folder(topic) for topic, kind in seen.kinds.items() if kind != "info"}
    free = [name for name in names if _folder(name) not in taken]
    if len(free) == 1 and len({camera_of(n) for n in seen.of_kind("rgb")}) == 1:
        return free[0], "the only one, and not of another image"
    return "", "none beside the images, and none with their frame"


def ambiguous(what: str, names: Sequence[str], option: str) -> BagError:
    """The error with the choices."""
    return BagError(
        f"{what} of several cameras: {', '.join(sorted(names))}; choose one with {option}"
    )


def camera_of(topic: str) -> str:
    """The namespace of the camera: what stands before the first part that names a stream."""
    parts = topic.strip("/").split("/")[:-1] or [""]
    for count, part in enumerate(parts):
        words = {re.sub(r"\d+$", "", word) for word in part.lower().split("_")}
        if words & _STREAM_WORDS and not words & {"cam", "camera"}:
            return "/".join(parts[:count])
    return "/".join(parts) if base_of(topic) == topic else camera_of(base_of(topic))


def base_of(topic: str) -> str:
    """The name without the transport."""
    ending = next((ending for ending in TRANSPORTS if topic.endswith(ending)), "")
    return topic.removesuffix(ending)


def _folder(topic: str) -> str:
    return base_of(topic).rpartition("/")[0]


def _words(name: str, words: tuple[str, ...]) -> int:
    return sum(word in name.lower() for word in words)


def _rank(name: str, seen: Seen, good: tuple[str, ...]) -> tuple[int, int, str]:
    """Within one camera: good words, raw before compressed, then the name."""
    return -_words(name, good), -int(seen.types[name] == IMAGE), name


def _depth_rank(name: str, rgb: str, seen: Seen) -> tuple[bool, int, int, str]:
    return (not seen.same_frame(name, rgb), *_rank(name, seen, REGISTERED_WORDS))


def _in_step(name: str, rgb: str, seen: Seen) -> bool:
    """Whether the stamps of two topics overlap in time."""
    a, b = seen.stamps_ns.get(name, []), seen.stamps_ns.get(rgb, [])
    return bool(a and b) and min(a) <= max(b) + 10**9 and min(b) <= max(a) + 10**9
