"""Measures how perception treats the simulated arm itself, with and without the self-filter.

The expert leads, so that both see identical pictures. Truth is what the simulator draws: the
object, or the arm, that each pixel shows.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float32, Int32

from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Frame, Percept, Perception, TrackState
from robot_vision.rollouts.collecting.collect import PERCEPTION
from robot_vision.rollouts.simulated_perception import (
    START_NS,
    Eyesight,
    eyesight_of,
    simulated_body,
    with_robot,
)
from robot_vision.simulation.robot.episode import Noise, run_expert
from robot_vision.simulation.robot.work.drawn_tasks import build_task_world
from robot_vision.simulation.robot.work.task import KINDS
from robot_vision.simulation.robot.world import ROBOT, RobotWorld
from robot_vision.simulation.writing.parallel import run_jobs

_LEAST_IOU, _LEAST_PX = 0.4, 60
# A box that matches no object is on the robot from this share of its pixels on.
_ROBOT_SHARE = 0.4
_RESAMPLED = 2000


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Counts of one episode. Tracks count in frames in which they were detected.

    `things` are objects partly in view, `touched` those that the hand touches.
    """

    frames: int = 0
    robot_tracks: int = 0
    things: int = 0
    found: int = 0
    touched: int = 0
    touched_found: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


Episode = tuple[Counts, Counts]
"""Without the self-filter, and with it."""

Job = tuple[str, int, int, tuple[tuple[str, Any], ...]]


def compare_self_filter(
    model: str,
    *,
    episodes: int,
    seed: int,
    processes: int,
    parameters: tuple[tuple[str, Any], ...] = (),
    on_progress: Callable[[int], object] = lambda _: None,
) -> dict[str, Any]:
    """Run `episodes`; figures with and without the filter. Perception is as for policies."""
    jobs: list[Job] = [(model, seed, number, parameters) for number in range(episodes)]
    counted: list[Episode] = []
    for episode in run_jobs(count_episode, jobs, processes=processes):
        counted.append(episode)
        on_progress(len(counted))
    before, after = (
        [episode[with_filter] for episode in counted] for with_filter in (False, True)
    )
    return {
        "episodes": episodes,
        "model": model,
        "without": _figures(before),
        "with": _figures(after),
        "recall_change": _recall_change(counted, "found", "things"),
        "touched_recall_change": _recall_change(counted, "touched_found", "touched"),
    }


def count_episode(job: Job) -> Episode:
    """One episode: the same pictures through both pipelines."""
    model, seed, number, parameters = job
    eyesight = eyesight_of(model, PERCEPTION | dict(parameters))
    world, task = build_task_world(
        np.random.default_rng((seed, number)), split="test", kind=KINDS[number % len(KINDS)]
    )
    with world:
        both = _Both(world, eyesight)
        rng = np.random.default_rng((seed, number, 1))
        for _ in run_expert(world, task, rng=rng, noise=Noise()):
            both.look()
    return both.counts[0], both.counts[1]


class _Both:
    """Two pipelines that share their models, one of them without the self-filter."""

    def __init__(self, world: RobotWorld, eyesight: Eyesight) -> None:
        self._world = world
        self._body = simulated_body(world, eyesight.config)
        self._perceiver = _Once(eyesight.pipeline().perceiver)
        self._pipelines = (eyesight.pipeline(), eyesight.pipeline())
        for pipeline in self._pipelines:
            pipeline.swap_perceiver(self._perceiver)
        self.counts = [Counts(), Counts()]

    def look(self) -> None:
        frame = self._world.frame(START_NS + round(self._world.time_s * NS_PER_S))
        shown, touched = self._world.shown(), self._world.touched_items
        assert self._body is not None
        frames = (frame, with_robot(frame, self._world, self._body))
        for row, seen in enumerate(frames):
            perception = self._pipelines[row].process(seen)
            self.counts[row] += count_frame(detected_boxes(perception), shown, touched)


class _Once:
    """A perceiver that runs once per stamp: both pipelines get the same percept."""

    def __init__(self, perceiver: Perceiver) -> None:
        self._perceiver = perceiver
        self.class_names, self.model_id = perceiver.class_names, perceiver.model_id
        self.provider, self.fallback_reason = perceiver.provider, perceiver.fallback_reason
        self._known: tuple[int, Percept] | None = None

    def perceive(self, frame: Frame) -> Percept:
        if self._known is None or self._known[0] != frame.stamp_ns:
            percept = self._perceiver.perceive(replace(frame, robot=None))
            self._known = frame.stamp_ns, percept
        return self._known[1]

    def with_config(self, config: ServiceConfig) -> "_Once":
        return _Once(self._perceiver.with_config(config))

    def forget(self) -> None:
        """Both pipelines begin a new epoch with the same frame: a second call changes nothing."""
        self._perceiver.forget()

    def close(self) -> None:
        """Nothing to do: the eyesight owns the models."""


def detected_boxes(perception: Perception) -> Float32[np.ndarray, "n 4"]:
    """Boxes of the confirmed tracks that were detected in this frame."""
    tracks = perception.tracks
    rows = (tracks.state == TrackState.CONFIRMED) & (tracks.detection_index >= 0)
    return tracks.box_xyxy_px[rows]


def count_frame(
    box_xyxy_px: Float32[np.ndarray, "n 4"],
    shown: Int32[np.ndarray, "h w"],
    touched: set[int],
) -> Counts:
    """Judge the boxes of a frame by what their pixels show."""
    items, sizes = np.unique(shown[shown >= 0], return_counts=True)
    items = items[sizes >= _LEAST_PX]
    truth = np.array([_tight_box(shown == item) for item in items], np.float32).reshape(-1, 4)
    fits = pairwise_iou(box_xyxy_px, truth) >= _LEAST_IOU
    found, is_touched = fits.any(axis=0), np.isin(items, list(touched))
    others = box_xyxy_px[~fits.any(axis=1)]
    return Counts(
        frames=1,
        robot_tracks=sum(_is_on_robot(box, shown) for box in others),
        things=len(items),
        found=int(found.sum()),
        touched=int(is_touched.sum()),
        touched_found=int((found & is_touched).sum()),
    )


def _is_on_robot(box_px: Float32[np.ndarray, "4"], shown: Int32[np.ndarray, "h w"]) -> bool:
    """Whether a box shows the arm more than any object."""
    x0, y0 = np.floor(box_px[:2]).astype(int)
    x1, y1 = np.ceil(box_px[2:]).astype(int)
    inside = shown[max(y0, 0) : y1, max(x0, 0) : x1]
    robot_px, things_px = int((inside == ROBOT).sum()), int((inside >= 0).sum())
    return robot_px >= _ROBOT_SHARE * max(inside.size, 1) and robot_px > things_px


def _tight_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    columns, rows = np.flatnonzero(mask.any(axis=0)), np.flatnonzero(mask.any(axis=1))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _figures(episodes: list[Counts]) -> dict[str, Any]:
    total = sum(episodes, Counts())
    return {
        "frames": total.frames,
        "robot_tracks": total.robot_tracks,
        "episodes_with_robot_tracks": sum(counts.robot_tracks > 0 for counts in episodes),
        "recall": round(total.found / max(total.things, 1), 4),
        "touched_recall": round(total.touched_found / max(total.touched, 1), 4),
        "things": total.things,
        "touched": total.touched,
    }


def _recall_change(episodes: list[Episode], found: str, of: str) -> dict[str, float]:
    """Difference in points, with the 95 % interval by resampling episodes (paired bootstrap)."""
    gained = np.array([getattr(b, found) - getattr(a, found) for a, b in episodes], float)
    size = np.array([getattr(a, of) for a, _ in episodes], float)
    rows = np.random.default_rng(0).integers(len(episodes), size=(_RESAMPLED, len(episodes)))
    changes = 100 * gained[rows].sum(axis=1) / np.maximum(size[rows].sum(axis=1), 1)
    low, high = np.quantile(changes, [0.025, 0.975])
    middle = 100 * gained.sum() / max(size.sum(), 1)
    return {"points": round(middle, 2), "low": round(float(low), 2), "high": round(float(high), 2)}
