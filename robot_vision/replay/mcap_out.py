"""The node's topics as an MCAP file, for Foxglove, RViz (`ros2 bag play`) and other tools."""

from pathlib import Path
from typing import Any

from mcap.writer import CompressionType, Writer

from robot_vision.replay.output_messages import MESSAGES
from robot_vision.replay.ros_types import make, output_types
from robot_vision.replay.runner import Processed

NAMESPACE = "/perception"
CHUNK_BYTES = 1 << 20


class McapOutput:
    """Writes each frame's answer under `/perception/…`; log and publish time are the stamp.

    `images`: "none", "depth" (quantised to about a millimetre so that it compresses), or "all"
    with an overlay as JPEG.
    """

    def __init__(self, path: Path, *, images: str) -> None:
        self._path = path
        self._makers = [m for m in MESSAGES if m.image in ("", *_image_kinds(images))]
        self._channels: dict[str, int] = {}

    def __enter__(self) -> "McapOutput":
        self._file = self._path.open("wb")
        self._writer = Writer(self._file, compression=CompressionType.ZSTD, chunk_size=CHUNK_BYTES)
        self._writer.start(profile="ros2", library="robot_vision")
        return self

    def __exit__(self, *exc: object) -> None:
        self._writer.finish()
        self._file.close()

    def add(self, done: Processed) -> None:
        stamp_ns = done.perception.stamp_ns
        for maker in self._makers:
            values = maker.values(done.perception)
            if values is None:
                continue
            data = output_types().serialize_cdr(make(maker.type_name, values), maker.type_name)
            self._writer.add_message(
                channel_id=self._channel(maker.topic, maker.type_name),
                log_time=stamp_ns,
                publish_time=stamp_ns,
                data=bytes(data),
            )

    def _channel(self, topic: str, type_name: str) -> int:
        if topic not in self._channels:
            definition, _ = output_types().generate_msgdef(type_name, ros_version=2)
            schema_id = self._writer.register_schema(
                name=type_name, encoding="ros2msg", data=definition.encode()
            )
            self._channels[topic] = self._writer.register_channel(
                topic=f"{NAMESPACE}/{topic}", message_encoding="cdr", schema_id=schema_id
            )
        return self._channels[topic]


def _image_kinds(images: str) -> tuple[Any, ...]:
    return {"none": (), "depth": ("depth",), "all": ("depth", "overlay")}[images]
