"""What a topic of perception is: its name, type and quality, and what makes its messages."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np

from robot_vision.core.objects import Objects
from robot_vision.core.points_config import PointsConfig
from robot_vision.core.types import Perception
from robot_vision.topics.camera_info import InfoWriter
from robot_vision.topics.classes import LabelWriter
from robot_vision.topics.markers import MarkerWriter
from robot_vision.topics.messages import Messages
from robot_vision.topics.points import CloudWriter
from robot_vision.topics.quality import RESULTS, Quality

InFile: TypeAlias = Literal["never", "always", "depth", "overlay", "points"]
"""Whether a replay writes a topic: never, always, or with what is asked for by that name."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """What is published of a frame. `age_s()` is the age of its stamp now."""

    perception: Perception
    objects: Objects
    stage_s: Mapping[str, float]
    age_s: Callable[[], float]


class Makers:
    """What makers fill: messages of one library, some of them again for every frame."""

    def __init__(self, messages: Messages, *, points: PointsConfig | None = None) -> None:
        self.messages = messages
        self.clouds = CloudWriter(messages, points or PointsConfig())
        self.markers = MarkerWriter(messages)
        self.info = InfoWriter(messages)
        self.labels = LabelWriter(messages)

    def image(self, name: str, result: Result, pixels: np.ndarray, encoding: str) -> Any:
        return self.messages.image(
            name,
            pixels,
            encoding=encoding,
            stamp_ns=result.perception.stamp_ns,
            frame_id=result.perception.frame.frame_id,
        )

    def text(self, text: str) -> Any:
        message = self.messages.new("std_msgs/msg/String")
        message.data = text
        return message


@dataclass(frozen=True, kw_only=True)
class OutputTopic:
    """A topic below the node's name. `make` returns None where a frame has nothing for it.

    `golden` says whether golden files compare what it carries, as figures and within tolerances.
    `said_for`: what the content of a latched topic depends on; when that changes it is published
    with nobody listening, for those who come later.
    """

    name: str
    type_name: str
    make: Callable[[Makers, Result], Any | None]
    golden: bool
    live: bool = True
    in_file: InFile = "never"
    quality: Quality = RESULTS
    said_for: Callable[[Result], Hashable] | None = None
