"""The newest results, for all viewers: writers store references and do nothing else.

Writers are the pipeline's thread and ROS callbacks. They never wait: each stores one reference
and sets an event only while there are viewers. All else happens in the console's own threads.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from time import monotonic, time
from typing import Generic, TypeVar

import numpy as np
from jaxtyping import Float32

from robot_vision.console.class_schema import ClassificationView
from robot_vision.console.object_schema import GroundedView, ObjectsView
from robot_vision.console.schema import Diagnosis, Topic
from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.core.types import (
    Classification,
    Depth,
    Features,
    Frame,
    Perception,
    SemanticMap,
)

T = TypeVar("T")

_WAITING_RESULTS = 2000
_WAITING_REPORTS = 600
_MOST_DIAGNOSES = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Kept(Generic[T]):
    """A value, its arrival (monotonic seconds), the age of its stamp then, and its number."""

    value: T
    version: int
    at_s: float
    age_s: float = 0.0

    def age_now_s(self) -> float:
        return self.age_s + monotonic() - self.at_s


@dataclass(frozen=True, kw_only=True, eq=False)
class Sighting:
    """The result of a frame, as it was made in this process."""

    perception: Perception
    stage_s: Mapping[str, float]
    target_frame: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class Attention:
    """A policy's attention: weights over the camera's view in the frame of that stamp."""

    stamp_ns: int
    weight: Float32[np.ndarray, "h w"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ResultTimes:
    """When a frame's result came and how long its stages took; `age` is the total."""

    at_s: float
    wall_s: float
    stage_s: Mapping[str, float]


@dataclass(frozen=True, kw_only=True, eq=False)
class Said:
    """A status of the policy and its arrival by the wall clock."""

    wall_s: float
    status: PolicyStatus


class Snapshots:
    """One writer per attribute, any number of readers, and no lock between them.

    `results` and `said` are queues that the console empties (`history.py`). They are bounded, so
    that a console that hangs does not use up memory.
    """

    def __init__(self, *, perception: str = "perception") -> None:
        self.perception_name = perception.lstrip("/")
        self.began_s = monotonic()
        self.frame: Kept[Frame] | None = None
        self.depth: Kept[Depth] | None = None
        self.features: Kept[Features] | None = None
        self.classification: Kept[Classification | ClassificationView] | None = None
        self.segmentation: Kept[SemanticMap] | None = None
        self.objects: Kept[Sighting | ObjectsView] | None = None
        self.grounded: Kept[Sighting | GroundedView] | None = None
        self.attention: Kept[Attention] | None = None
        self.policy: Kept[PolicyStatus] | None = None
        self.diagnoses: dict[str, Kept[Diagnosis]] = {}
        self.reports: deque[tuple[float, Diagnosis]] = deque(maxlen=_WAITING_REPORTS)
        self.results: deque[ResultTimes] = deque(maxlen=_WAITING_RESULTS)
        self.said: deque[Said] = deque(maxlen=_WAITING_REPORTS)
        self.unusable: Counter[str] = Counter()
        self.wanted: frozenset[Topic] = frozenset()
        self.on_news: Callable[[], None] | None = None
        self._versions = count(1)

    def perceived(
        self, perception: Perception, stage_s: Mapping[str, float], *, target_frame: str = ""
    ) -> None:
        """Store everything this process knows about a frame; `stage_s` has its `age`."""
        age_s = stage_s.get("age", 0.0)
        self.frame = self._keep(perception.frame, age_s)
        if perception.depth is not None:
            self.depth = self._keep(perception.depth, age_s)
        if perception.features is not None:
            self.features = self._keep(perception.features, age_s)
        if perception.classification is not None:
            self.classification = self._keep(perception.classification, age_s)
        if perception.segmentation is not None:
            self.segmentation = self._keep(perception.segmentation, age_s)
        sighting = Sighting(perception=perception, stage_s=stage_s, target_frame=target_frame)
        self.objects = self._keep(sighting, age_s)
        if perception.grounding is not None:
            self.grounded = self._keep(sighting, age_s)
        self.results.append(ResultTimes(at_s=monotonic(), wall_s=time(), stage_s=stage_s))
        self._notify()

    def saw_frame(self, frame: Frame, *, age_s: float) -> None:
        """Store a camera image from a topic."""
        self.frame = self._keep(frame, age_s)
        self._notify()

    def saw_depth(self, depth: Depth, *, age_s: float) -> None:
        self.depth = self._keep(depth, age_s)
        self._notify()

    def saw_features(self, features: Features, *, age_s: float) -> None:
        self.features = self._keep(features, age_s)
        self._notify()

    def saw_classification(self, view: ClassificationView, *, age_s: float) -> None:
        """Store a classification from `~/classification/json`."""
        self.classification = self._keep(view, age_s)
        self._notify()

    def saw_segmentation(self, found: SemanticMap, *, age_s: float) -> None:
        self.segmentation = self._keep(found, age_s)
        self._notify()

    def saw_objects(
        self, objects: ObjectsView, *, stage_s: Mapping[str, float], age_s: float
    ) -> None:
        """Store objects from `~/objects/json`; `stage_s` has its stages and `age`."""
        self.objects = self._keep(objects, age_s)
        self.results.append(ResultTimes(at_s=monotonic(), wall_s=time(), stage_s=stage_s))
        self._notify()

    def saw_grounded(self, view: GroundedView, *, age_s: float) -> None:
        """Store grounded objects from `~/grounded/json`."""
        self.grounded = self._keep(view, age_s)
        self._notify()

    def saw_attention(self, attention: Attention, *, age_s: float) -> None:
        self.attention = self._keep(attention, age_s)
        self._notify()

    def policy_said(self, status: PolicyStatus) -> None:
        self.policy = self._keep(status, 0.0)
        self.said.append(Said(wall_s=time(), status=status))

    def diagnosed(self, diagnoses: Iterable[Diagnosis]) -> None:
        """Store the statuses of a /diagnostics message."""
        for diagnosis in diagnoses:
            name = diagnosis.name
            if name not in self.diagnoses and len(self.diagnoses) >= _MOST_DIAGNOSES:
                del self.diagnoses[min(self.diagnoses, key=lambda n: self.diagnoses[n].at_s)]
            self.diagnoses[name] = self._keep(diagnosis, 0.0)
            if name.startswith(f"{self.perception_name}: "):
                self.reports.append((time(), diagnosis))

    def could_not_use(self, topic: str, count: int = 1) -> None:
        """Count messages or figures of `topic` that were not usable."""
        self.unusable[topic] += count

    def _keep(self, value: T, age_s: float) -> Kept[T]:
        return Kept(value=value, version=next(self._versions), at_s=monotonic(), age_s=age_s)

    def _notify(self) -> None:
        if self.on_news is not None:
            self.on_news()
