"""A topic of perception: its name, type, quality of service, purpose and maker."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.results.objects import Objects
from robot_vision.core.types import Perception
from robot_vision.topics.content.camera_info import InfoWriter
from robot_vision.topics.content.classes import LabelWriter
from robot_vision.topics.content.markers import MarkerWriter
from robot_vision.topics.content.points import CloudWriter
from robot_vision.topics.messages import Messages
from robot_vision.topics.quality import RESULTS, Quality

InFile: TypeAlias = Literal["never", "always", "depth", "overlay", "points"]
"""Whether a replay writes a topic: never, always, or if the output of that name is selected."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Result:
    """The published result of a frame. `age_s()` is the age of its stamp now."""

    perception: Perception
    objects: Objects
    stage_s: Mapping[str, float]
    age_s: Callable[[], float]


class Makers:
    """Messages of one library for makers to fill; some are reused for every frame."""

    def __init__(self, messages: Messages, *, points: PointsConfig | None = None) -> None:
        self.messages = messages
        self.clouds = CloudWriter(messages, points or PointsConfig())
        self.markers = MarkerWriter(messages)
        self.info = InfoWriter(messages)
        self.labels = LabelWriter(messages)

    def image(
        self, name: str, result: Result, pixels: Shaped[np.ndarray, "h w *c"], encoding: str
    ) -> Any:
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
    """A topic below the node's name, and its purpose (`about`).

    `make` returns None if a frame has nothing for it. `golden`: golden files compare its content,
    as figures and within tolerances. `said_for`: what the content of a latched topic depends on;
    when that changes, it is published even without subscribers, for later ones.
    """

    name: str
    about: str
    type_name: str
    make: Callable[[Makers, Result], Any | None]
    golden: bool
    live: bool = True
    in_file: InFile = "never"
    quality: Quality = RESULTS
    said_for: Callable[[Result], Hashable] | None = None
