"""Colour images of one topic of a recording, decoded only on access."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8

from robot_vision.codecs.compressed import decode_compressed
from robot_vision.codecs.image import decode_image
from robot_vision.core.cameras.camera_info import camera_of, is_rectified
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.limits_config import DEFAULT_LIMITS
from robot_vision.core.types import Camera
from robot_vision.replay.reading.cameras import RecordedCameras
from robot_vision.replay.reading.discovery import CAMERA_INFO
from robot_vision.replay.reading.messages import (
    COMPRESSED,
    IMAGE,
    BagError,
    Decoder,
    Problems,
    stamp_to_ns,
)
from robot_vision.replay.reading.recording import SUFFIXES, Recording

IMAGE_TYPES = (IMAGE, COMPRESSED)
_TRANSPORT = "/compressed"


@dataclass(frozen=True, kw_only=True)
class RecordedPicture:
    """`read_rgb` gives u8 [H, W, 3] and raises `EncodingError`."""

    stamp_ns: int
    read_rgb: Callable[[], UInt8[np.ndarray, "h w 3"]]


def is_recording(path: Path) -> bool:
    """Whether a path is a recording or a folder of its files, not a folder of pictures."""
    if not path.is_dir():
        return path.name.endswith(SUFFIXES)
    return any(file.name.endswith(SUFFIXES) for file in path.iterdir())


def topic_types(recording: Recording) -> dict[str, str]:
    """Type of each topic that has messages."""
    return {message.topic: message.msgtype for message in recording.messages(Problems())}


def check_topic(
    topic: str, types: dict[str, str], expected: tuple[str, ...], *, option: str
) -> None:
    """Raises `BagError` with the available topics if `topic` has no messages of these types."""
    if types.get(topic) in expected:
        return
    fitting = [f"{name} ({kind})" for name, kind in sorted(types.items()) if kind in expected]
    has = f"is {types[topic]}" if topic in types else "is not in the recording"
    raise BagError(
        f"{option} {topic or '…'}: it {has}; of {' or '.join(expected)} there are: "
        f"{', '.join(fitting) or 'none'}"
    )


def pictures(
    recording: Recording, topic: str, problems: Problems, *, every_s: float = 0.0
) -> Iterator[RecordedPicture]:
    """The images of `topic` in recording order, `every_s` apart; `problems` counts the rest.

    If the stamps jump back, sampling restarts.
    """
    decoder, last_ns = Decoder(is_ros1=recording.is_ros1), -NS_PER_S
    for message in recording.messages(problems):
        if message.topic != topic:
            continue
        content = decoder.decode(message, problems)
        if content is None:
            continue
        stamp_ns = stamp_to_ns(content.header.stamp) or message.log_ns
        if not 0 <= stamp_ns - last_ns < every_s * NS_PER_S:
            last_ns = stamp_ns
            yield RecordedPicture(stamp_ns=stamp_ns, read_rgb=_reader(content, message.msgtype))


def recorded_camera(recording: Recording, topic: str, types: dict[str, str]) -> Camera:
    """The camera of the images of `topic`, from the `camera_info` beside it.

    Raises `CalibrationError` if there is none, or `CameraError` if its values are not
    a lens's.
    """
    info = topic.removesuffix(_TRANSPORT).rpartition("/")[0] + "/camera_info"
    if types.get(info) != CAMERA_INFO:
        others = [name for name, kind in sorted(types.items()) if kind == CAMERA_INFO]
        raise CalibrationError(
            f"the recording has no {info} with the intrinsics of {topic} (of {CAMERA_INFO} there "
            f"are: {', '.join(others) or 'none'}); expected --camera-info with a file"
        )
    cameras, problems = RecordedCameras(), Problems()
    decoder = Decoder(is_ros1=recording.is_ros1)
    for message in recording.messages(problems):
        content = decoder.decode(message, problems) if message.topic == info else None
        if content is not None:
            cameras.add(content, problems)
    calibration = cameras.at(0)
    if calibration is None:
        raise CalibrationError(f"{info} cannot be read: {problems.as_dict()}")
    return camera_of(calibration, rectified=is_rectified(topic)).camera


def _reader(content: Any, msgtype: str) -> Callable[[], np.ndarray]:
    if msgtype == COMPRESSED:
        return partial(
            decode_compressed, content.data, format=content.format, limits=DEFAULT_LIMITS
        )
    return partial(
        decode_image,
        content.data,
        encoding=content.encoding,
        width_px=int(content.width),
        height_px=int(content.height),
        step=int(content.step),
        is_bigendian=bool(content.is_bigendian),
        limits=DEFAULT_LIMITS,
    )
