"""Segments of the frames that a test feeds, held by the service's own `Holder`, without ROS."""

import json
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from time import time_ns

import numpy as np

from robot_vision.console.command_schema import Outcome
from robot_vision.console.segment_schema import LiveSegments, LiveSegmentsState
from robot_vision.console.segments.live import SegmentLog
from robot_vision.core.parameters.groups.segment_config import SegmentConfig
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Perception
from robot_vision.segment.live.answers import answer_json
from robot_vision.segment.live.holding import Holder
from robot_vision.segment.live.requests import LiveRequest
from robot_vision.segment.segmenter import Segmenter


class HeldHere:
    """Steps whenever the state is asked for, with the frame that `newest` gives."""

    def __init__(self, segmenter: Segmenter, newest: Callable[[], Perception]) -> None:
        self._holder = Holder(segmenter, SegmentConfig(embed_period_s=0.2))
        self._newest = newest
        self._log = SegmentLog()
        self._lock = Lock()
        self._asked: deque[LiveRequest] = deque()
        self.heard: list[LiveRequest] = []

    def ask(self, request: LiveRequest) -> Outcome:
        self._asked.append(request)
        self.heard.append(request)
        return Outcome(done=True, message="asked")

    def state(self) -> LiveSegmentsState:
        with self._lock:
            asked = [self._asked.popleft() for _ in range(len(self._asked))]
            for answer in self._holder.step(self._newest(), asked):
                said = json.loads(answer_json(answer, model_id="by-color@1"))
                self._log.add(LiveSegments.model_validate(said))
            return self._log.state("")


def seen(rgb: np.ndarray) -> Perception:
    """A frame of now that no detector saw anything in."""
    return unperceived(Frame(stamp_ns=time_ns(), frame_id="camera", rgb=rgb))


def still(rgb: np.ndarray) -> tuple[Sequence[Perception], Callable[[], Perception]]:
    """The frames of a still scene for the rig, and the newest of them."""
    perception = seen(rgb)

    def newest() -> Perception:
        stamp_ns = time_ns()
        frame = replace(perception.frame, stamp_ns=stamp_ns)
        tracks = replace(perception.tracks, stamp_ns=stamp_ns)
        return replace(perception, stamp_ns=stamp_ns, frame=frame, tracks=tracks)

    return (perception,), newest
