"""The node's topics as an MCAP file, for Foxglove, RViz (`ros2 bag play`) and other tools."""

from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

from robot_vision.core.files.disk import DiskFullError
from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.results.objects import objects_of
from robot_vision.core.types import Perception
from robot_vision.replay.running.runner import Processed
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.replay.writing.mcap_file import McapFile
from robot_vision.replay.writing.recorded import RecordedTopics
from robot_vision.replay.writing.ros_types import output_types
from robot_vision.topics.table import TOPICS
from robot_vision.topics.topic import Makers, Result

NAMESPACE = "/perception"


class McapOutput:
    """Writes each frame's results under `/perception/…`, and further data of a dataset under
    `/recorded/…`; log and publish time are the stamp.

    `images`: "none", "depth" (quantised to about a millimetre so that it compresses), or "all"
    with an overlay as JPEG. `points`: settings of point clouds; None writes none.
    """

    def __init__(self, path: Path, *, images: str, points: PointsConfig | None = None) -> None:
        self._path = path
        wanted = ("always", *_image_kinds(images), *(("points",) if points else ()))
        self._topics = [topic for topic in TOPICS if topic.in_file in wanted]
        self._makers = Makers(FileMessages(), points=points)
        self._recorded = RecordedTopics()

    def __enter__(self) -> "McapOutput":
        self._file = McapFile(self._path, compression="zstd")
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        # The failure is already reported; finish the file in any case.
        with suppress(DiskFullError) if kind is not None else nullcontext():
            self._file.close()

    def add(self, done: Processed) -> None:
        result = result_of(done.perception)
        stamp_ns = done.perception.stamp_ns
        for topic in self._topics:
            message = topic.make(self._makers, result)
            if message is not None:
                name, latched = f"{NAMESPACE}/{topic.name}", topic.quality.latched
                self._write(name, topic.type_name, message, stamp_ns, latched=latched)
        if done.recorded is not None:
            recorded = self._recorded.of(done.recorded, stamp_ns=stamp_ns)
            for name, (type_name, message) in recorded.items():
                self._write(name, type_name, message, stamp_ns)

    def _write(
        self, topic: str, type_name: str, message: Any, stamp_ns: int, *, latched: bool = False
    ) -> None:
        data = bytes(output_types().serialize_cdr(message, type_name))
        self._file.add(topic, type_name, log_ns=stamp_ns, data=data, latched=latched)


def result_of(perception: Perception) -> Result:
    """What the node would publish; the age is the pipeline's processing time."""
    stage_s = dict(perception.stage_s)
    return Result(
        perception=perception,
        objects=objects_of(perception),
        stage_s=stage_s,
        age_s=lambda: sum(stage_s.values()),
    )


def _image_kinds(images: str) -> tuple[Any, ...]:
    return {"none": (), "depth": ("depth",), "all": ("depth", "overlay")}[images]
