"""Messages of the stream: each made at most once per frame and topic, however many clients
watch."""

import asyncio
import json
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import get_native_id

from robot_vision.console.class_schema import PixelClass
from robot_vision.console.pictures.class_pictures import segmentation_picture
from robot_vision.console.pictures.encoding import (
    DepthScale,
    FeatureColors,
    Picture,
    attention_picture,
    depth_picture,
    jpeg,
    png,
)
from robot_vision.console.schema import PictureHeader, Topic
from robot_vision.console.state.class_views import classification_view, pixel_classes
from robot_vision.console.state.snapshots import Kept, Snapshots
from robot_vision.console.state.state_views import grounded_view, objects_view
from robot_vision.core.parameters.console_config import ConsoleConfig

_NICE = 10


@dataclass(frozen=True, kw_only=True, eq=False)
class Rendition:
    """A message ready to send, text or binary, and the version that it shows."""

    version: int
    message: str | bytes


class Renditions:
    """Makes messages in its own thread. Use it from one event loop only."""

    def __init__(self, snapshots: Snapshots, config: ConsoleConfig) -> None:
        self._snapshots = snapshots
        self._config = config
        self._thread = ThreadPoolExecutor(
            1, thread_name_prefix="console-encoder", initializer=_yield_to_models
        )
        self._made: dict[Topic, Rendition] = {}
        self._locks: dict[Topic, asyncio.Lock] = {}
        self._features = FeatureColors()

    def version(self, topic: Topic) -> int:
        """Version of the newest data on `topic`; 0 while there is none."""
        kept = self._kept(topic)
        return kept.version if kept else 0

    async def newest(self, topic: Topic) -> Rendition | None:
        """The newest message of `topic`; None while there is none."""
        async with self._locks.setdefault(topic, asyncio.Lock()):
            kept, made = self._kept(topic), self._made.get(topic)
            if kept is None or (made is not None and made.version == kept.version):
                return made
            loop = asyncio.get_running_loop()
            message = await loop.run_in_executor(self._thread, self._make, topic, kept)
            self._made[topic] = Rendition(version=kept.version, message=message)
            return self._made[topic]

    def forget(self) -> None:
        """No client is watching any more: keep no pictures."""
        self._made.clear()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _kept(self, topic: Topic) -> Kept | None:
        return getattr(self._snapshots, topic)

    def _make(self, topic: Topic, kept: Kept) -> str | bytes:
        value = kept.value
        if topic == "objects":
            return message_text(topic, objects_view(kept).model_dump_json(by_alias=True))
        if topic == "grounded":
            return message_text(topic, grounded_view(kept).model_dump_json(by_alias=True))
        if topic == "classification":
            return message_text(topic, classification_view(value).model_dump_json(by_alias=True))
        if topic == "segmentation":
            picture = segmentation_picture(value)
            return _binary(topic, kept, picture, classes=pixel_classes(value))
        if topic == "frame":
            width_px, quality = self._config.frame_width_px, self._config.jpeg_quality
            return _binary(topic, kept, jpeg(value.rgb, width_px=width_px, quality=quality))
        if topic == "depth":
            picture, scale = depth_picture(value.depth_m)
            return _binary(topic, kept, picture, scale=scale, source=value.source)
        if topic == "features":
            return _binary(topic, kept, png(self._features.paint(value.grid)))
        return _binary(topic, kept, attention_picture(value.weight))


def _yield_to_models() -> None:
    """Give models priority if cores are scarce. On Linux, niceness is per thread."""
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)


def message_text(topic: Topic, data: str) -> str:
    """A text message of the stream with `data`, which is JSON."""
    return f'{{"topic":{json.dumps(topic)},"data":{data}}}'


def _binary(
    topic: Topic,
    kept: Kept,
    picture: Picture,
    *,
    scale: DepthScale | None = None,
    source: str | None = None,
    classes: list[PixelClass] | None = None,
) -> bytes:
    header = PictureHeader(
        topic=topic,
        stamp_ns=kept.value.stamp_ns,
        age_ms=round(kept.age_now_s() * 1e3, 3),
        width_px=picture.width_px,
        height_px=picture.height_px,
        format=picture.format,
        min_m=scale.min_m if scale else None,
        max_m=scale.max_m if scale else None,
        colors=list(scale.colors) if scale else None,
        source=source,
        classes=classes,
    )
    text = header.model_dump_json(exclude_none=True, by_alias=True).encode()
    return struct.pack(">I", len(text)) + text + picture.data
