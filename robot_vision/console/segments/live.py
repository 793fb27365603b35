"""Segments of the live stream: the interface to the service and the log of its answers."""

from collections import deque
from threading import Lock
from typing import Protocol, runtime_checkable

from robot_vision.console.command_schema import Outcome
from robot_vision.console.segment_schema import LiveSegments, LiveSegmentsState
from robot_vision.segment.live.requests import LiveRequest

_KEPT_ANSWERS = 8


@runtime_checkable
class Segmentation(Protocol):
    """Forwards requests and keeps the newest answers. Thread-safe."""

    def ask(self, request: LiveRequest) -> Outcome: ...

    def state(self) -> LiveSegmentsState: ...


class NoSegmentation:
    """Used without a live stream."""

    def ask(self, request: LiveRequest) -> Outcome:
        del request
        return Outcome(done=False, message=self.state().problem)

    def state(self) -> LiveSegmentsState:
        return LiveSegmentsState(problem="there is no live stream to segment")


class SegmentLog:
    """The newest state of followed objects, and the last answers."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._held: LiveSegments | None = None
        self._answers: deque[LiveSegments] = deque(maxlen=_KEPT_ANSWERS)

    def add(self, said: LiveSegments) -> None:
        with self._lock:
            if said.request or said.problems:
                self._answers.append(said)
            if not said.request:
                self._held = said

    def state(self, problem: str) -> LiveSegmentsState:
        with self._lock:
            return LiveSegmentsState(problem=problem, held=self._held, answers=list(self._answers))
