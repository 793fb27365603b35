"""Which topics of a recording are colour, depth and intrinsics: by type and content, then name."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from robot_vision.codecs.compressed import is_depth_format
from robot_vision.codecs.depth import DEPTH_ENCODINGS
from robot_vision.codecs.header import encoded_size_px
from robot_vision.codecs.image import IMAGE_ENCODINGS
from robot_vision.core.files.foreign import brief, quoted
from robot_vision.replay.reading.choice import (
    Choice,
    Seen,
    choose_color,
    choose_depth,
    choose_info,
)
from robot_vision.replay.reading.messages import (
    COMPRESSED,
    IMAGE,
    BagError,
    Decoder,
    Problems,
    RawMessage,
    stamp_to_ns,
)
from robot_vision.replay.reading.recording import Recording

CAMERA_INFO = "sensor_msgs/msg/CameraInfo"
TRANSFORMS = ("tf2_msgs/msg/TFMessage", "tf/msg/tfMessage")

LOOK_AHEAD_NS = 5_000_000_000
STAMPS_KEPT = 256


@dataclass(frozen=True, kw_only=True)
class Topics:
    """Names of topics; empty if there is none, or, in a request, if it is to be found.

    `info` belongs to the colour camera, `depth_info` to the depth camera. `why` gives the reason
    for each role, `formats` size, encoding and rate of each topic of images.
    """

    rgb: str = ""
    depth: str = ""
    info: str = ""
    depth_info: str = ""
    why: dict[str, str] = field(default_factory=dict)
    others: dict[str, str] = field(default_factory=dict)
    formats: dict[str, str] = field(default_factory=dict)


def find_topics(recording: Recording, *, wanted: Topics) -> Topics:
    """Topics to replay: the requested ones, the others found in the first seconds with images.

    Raises `BagError` listing the recording's topics if there is no colour topic or a requested one
    is missing or of another type, and listing the choices if several cameras fit.
    """
    problems = Problems()
    seen = _look(recording, wanted, problems)
    if not seen.types:
        raise BagError(f"{recording.path} has no readable messages ({problems or 'it is empty'})")
    _check_named(wanted, seen, recording.path)
    near = wanted.depth or wanted.info
    rgb, rgb_why = _given(wanted.rgb) or choose_color(seen, near=near)
    if not rgb:
        raise BagError(f"{recording.path} has no colour images; it has {_listing(seen)}")
    depth, depth_why = _given(wanted.depth) or choose_depth(seen, rgb)
    info, info_why = _given(wanted.info) or choose_info(seen, rgb)
    depth_info, depth_info_why = _given(wanted.depth_info) or _info_of_depth(seen, depth)
    chosen = (rgb, depth, info, depth_info)
    others = {name: kind for name, kind in sorted(seen.types.items()) if name not in chosen}
    why = {"rgb": rgb_why, "depth": depth_why, "info": info_why, "depth_info": depth_info_why}
    return Topics(
        rgb=rgb,
        depth=depth,
        info=info,
        depth_info=depth_info,
        why=why,
        others=others,
        formats={name: seen.format_of(name) for name in seen.images},
    )


def _named(wanted: Topics) -> list[str]:
    return [n for n in (wanted.rgb, wanted.depth, wanted.info, wanted.depth_info) if n]


def _check_named(wanted: Topics, seen: Seen, path: Path) -> None:
    for name in _named(wanted):
        if name not in seen.types:
            raise BagError(f"{path} has no topic {name!r}; it has {_listing(seen)}")
        is_info = name in (wanted.info, wanted.depth_info)
        expected = (CAMERA_INFO,) if is_info else (IMAGE, COMPRESSED)
        if seen.types[name] not in expected:
            raise BagError(f"{name!r} is {seen.types[name]}; expected {' or '.join(expected)}")
    if wanted.rgb and wanted.rgb == wanted.depth:
        raise BagError(f"{wanted.rgb!r} is given for colour and for depth; expected two topics")


def _given(name: str) -> Choice | None:
    return (name, "as requested") if name else None


def _info_of_depth(seen: Seen, depth: str) -> Choice:
    if not depth:
        return "", "no depth"
    try:
        return choose_info(seen, depth)
    except BagError as error:  # colour's info alone decides; depth's only adds to it
        return "", str(error)


def _look(recording: Recording, wanted: Topics, problems: Problems) -> Seen:
    """Read until some seconds after the first colour image, or to the end if there is none."""
    seen = Seen()
    decoder = Decoder(is_ros1=recording.is_ros1)
    stop_ns = None
    for message in recording.messages(problems):
        seen.types.setdefault(message.topic, message.msgtype)
        seen.counts[message.topic] += 1
        if message.msgtype in (IMAGE, COMPRESSED, CAMERA_INFO):
            _learn(seen, message, decoder, problems)
        missing = set(_named(wanted)) - seen.types.keys()
        if stop_ns is None and "rgb" in seen.kinds.values() and not missing:
            stop_ns = message.log_ns + LOOK_AHEAD_NS
        if stop_ns is not None and message.log_ns > stop_ns:
            break
    return seen


def _learn(seen: Seen, message: RawMessage, decoder: Decoder, problems: Problems) -> None:
    """Record kind, frame and first stamps of a topic of images or intrinsics."""
    stamps_ns = seen.stamps_ns.setdefault(message.topic, [])
    if len(stamps_ns) >= STAMPS_KEPT:
        return
    content = decoder.decode(message, problems)
    if content is not None:
        stamps_ns.append(stamp_to_ns(content.header.stamp))
        seen.frames.setdefault(message.topic, content.header.frame_id)
        seen.kinds.setdefault(message.topic, _kind(message.topic, message.msgtype, content))
        if message.msgtype != CAMERA_INFO:
            seen.images.setdefault(message.topic, _image(content, message.msgtype))


def recorded_size_px(content: Any, msgtype: str) -> tuple[int, int]:
    """Width and height, for encoded images from the header; zeros if that is damaged."""
    if msgtype == IMAGE:
        return int(content.width), int(content.height)
    return encoded_size_px(content.data)


def _image(content: Any, msgtype: str) -> str:
    """Size, where it is known, and encoding."""
    width_px, height_px = recorded_size_px(content, msgtype)
    size = f"{width_px}×{height_px} " if width_px else ""
    return size + brief(content.encoding if msgtype == IMAGE else content.format)


def _kind(topic: str, msgtype: str, content: Any) -> str:
    if msgtype == CAMERA_INFO:
        return "info"
    if msgtype == COMPRESSED:
        return "depth" if is_depth_format(content.format) else "rgb"
    named_depth = "depth" in topic.lower()
    if content.encoding in DEPTH_ENCODINGS and (content.encoding != "mono16" or named_depth):
        return "depth"
    return "rgb" if content.encoding in IMAGE_ENCODINGS else f"encoding {quoted(content.encoding)}"


def _kind_or_type(seen: Seen, name: str, msgtype: str) -> str:
    """The type; for unsupported images also the encoding."""
    kind = seen.kinds.get(name, "")
    return f"{msgtype}, {kind} is not supported" if kind.startswith("encoding") else msgtype


def _listing(seen: Seen) -> str:
    return (
        ", ".join(
            f"{name} ({_kind_or_type(seen, name, kind)})"
            for name, kind in sorted(seen.types.items())
        )
        or "nothing"
    )
