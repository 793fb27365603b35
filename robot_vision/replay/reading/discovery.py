"""Which topics of a recording are colour, depth and intrinsics: by type and content, then name."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from robot_vision.codecs.compressed import is_depth_format
from robot_vision.codecs.depth import DEPTH_ENCODINGS
from robot_vision.codecs.image import IMAGE_ENCODINGS
from robot_vision.replay.reading.messages import COMPRESSED, IMAGE, BagError, Decoder, Problems
from robot_vision.replay.reading.recording import Recording

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
TRANSFORMS = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")

LOOK_AHEAD_NS = 5_000_000_000
COLOR_WORDS = ("color", "colour", "rgb", "image_raw", "image_rect")
NOT_COLOR_WORDS = ("infra", "/ir", "thermal", "depth", "overlay", "mask", "mono", "right")
REGISTERED_WORDS = ("aligned", "registered", "depth_to_color", "depth_to_rgb")


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Names of topics; empty where there is none, or, in a request, where it is to be found."""

    rgb: str = ""
    depth: str = ""
    info: str = ""
    depth_info: str = ""
    others: dict[str, str] = field(default_factory=dict)


@dataclass
class _Seen:
    """What the head of the recording shows."""

    kinds: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)

    def of_kind(self, kind: str) -> list[str]:
        return sorted(topic for topic, seen in self.kinds.items() if seen == kind)


def find_topics(recording: Recording, *, wanted: Topics) -> Topics:
    """Topics to replay: those wanted, the others found in the first seconds with images.

    Raises `BagError` that lists what the recording has if there is no colour topic, or none of
    the name that is wanted.
    """
    seen = _look(recording, wanted)
    for name in (wanted.rgb, wanted.depth, wanted.info, wanted.depth_info):
        if name and name not in seen.types:
            raise BagError(f"{recording.path} has no topic {name!r}; it has {_listing(seen)}")
    rgb = wanted.rgb or _best(seen.of_kind("rgb"), seen, COLOR_WORDS, NOT_COLOR_WORDS)
    if not rgb:
        raise BagError(f"{recording.path} has no colour images; it has {_listing(seen)}")
    depth = wanted.depth or _best(seen.of_kind("depth"), seen, REGISTERED_WORDS, ())
    info = wanted.info or max(
        seen.of_kind("info"), key=lambda name: (_shared(name, rgb), name), default=""
    )
    chosen = (rgb, depth, info)
    others = {name: kind for name, kind in sorted(seen.types.items()) if name not in chosen}
    return Topics(rgb=rgb, depth=depth, info=info, depth_info=wanted.depth_info, others=others)


def _look(recording: Recording, wanted: Topics) -> _Seen:
    """Read until some seconds after the first colour image, or to the end if there is none."""
    seen, ignored = _Seen(), Problems()
    decoder = Decoder(is_ros1=recording.is_ros1)
    stop_ns = None
    for message in recording.messages(ignored):
        seen.types.setdefault(message.topic, message.msgtype)
        seen.counts[message.topic] += 1
        if message.topic not in seen.kinds and message.msgtype in (IMAGE, COMPRESSED, CAMERA_INFO):
            content = decoder.decode(message, ignored)
            if content is not None:
                seen.kinds[message.topic] = _kind(message.topic, message.msgtype, content)
        missing = {wanted.rgb, wanted.depth, wanted.info} - {""} - seen.types.keys()
        if stop_ns is None and "rgb" in seen.kinds.values() and not missing:
            stop_ns = message.log_ns + LOOK_AHEAD_NS
        if stop_ns is not None and message.log_ns > stop_ns:
            break
    return seen


def _kind(topic: str, msgtype: str, content: Any) -> str:
    if msgtype == CAMERA_INFO:
        return "info"
    if msgtype == COMPRESSED:
        return "depth" if is_depth_format(content.format) else "rgb"
    named_depth = "depth" in topic.lower()
    if content.encoding in DEPTH_ENCODINGS and (content.encoding != "mono16" or named_depth):
        return "depth"
    return "rgb" if content.encoding in IMAGE_ENCODINGS else "unknown encoding"


def _best(names: list[str], seen: _Seen, good: tuple[str, ...], bad: tuple[str, ...]) -> str:
    """The name with the best words; raw images before compressed ones of the same stream."""

    def rank(name: str) -> tuple[int, int, int, int]:
        lower = name.lower()
        words = sum(word in lower for word in good)
        unwanted = sum(word in lower for word in bad)
        return (-unwanted, words, int(seen.types[name] == IMAGE), seen.counts[name])

    return max(names, key=rank, default="")


def _shared(name: str, other: str) -> int:
    """How many leading parts two topic names share."""
    shared = 0
    for a, b in zip(name.split("/"), other.split("/"), strict=False):
        if a != b:
            break
        shared += 1
    return shared


def _listing(seen: _Seen) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(seen.types.items())) or "nothing"
