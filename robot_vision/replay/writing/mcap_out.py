"""The node's topics as an MCAP file, for Foxglove, RViz (`ros2 bag play`) and other tools."""

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from robot_vision.core.disk import DiskFullError
from robot_vision.replay.running.runner import Processed
from robot_vision.replay.writing.mcap_file import McapFile
from robot_vision.replay.writing.output_messages import MESSAGES
from robot_vision.replay.writing.ros_types import make, output_types

NAMESPACE = "/perception"


class McapOutput:
    """Writes each frame's answer under `/perception/…`; log and publish time are the stamp.

    `images`: "none", "depth" (quantised to about a millimetre so that it compresses), or "all"
    with an overlay as JPEG.
    """

    def __init__(self, path: Path, *, images: str) -> None:
        self._path = path
        self._makers = [m for m in MESSAGES if m.image in ("", *_image_kinds(images))]

    def __enter__(self) -> "McapOutput":
        self._file = McapFile(self._path, compression="zstd")
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        # Whoever fails already reports why; the file is finished in any case.
        with suppress(DiskFullError) if kind is not None else nullcontext():
            self._file.close()

    def add(self, done: Processed) -> None:
        stamp_ns = done.perception.stamp_ns
        for maker in self._makers:
            values = maker.values(done.perception)
            if values is None:
                continue
            data = output_types().serialize_cdr(make(maker.type_name, values), maker.type_name)
            self._file.add(
                f"{NAMESPACE}/{maker.topic}", maker.type_name, log_ns=stamp_ns, data=bytes(data)
            )


def _image_kinds(images: str) -> tuple[Any, ...]:
    return {"none": (), "depth": ("depth",), "all": ("depth", "overlay")}[images]
