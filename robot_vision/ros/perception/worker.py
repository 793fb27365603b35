"""The one thread that works: takes the newest pair, decodes, perceives and publishes."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Event, Lock, Thread
from time import perf_counter

import numpy as np
from jaxtyping import Float64

from robot_vision.core.errors import EncodingError
from robot_vision.core.files.foreign import LONGEST_LINE, brief
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.results.objects import objects_of
from robot_vision.core.timing import spans_kept, timed
from robot_vision.pipeline import Pipeline
from robot_vision.ros.common.health import Health
from robot_vision.ros.common.tf import TargetFrame
from robot_vision.ros.perception.inputs.frames import FrameBuilder
from robot_vision.ros.perception.inputs.robot import RobotInView
from robot_vision.ros.perception.inputs.topics import Capture, Inputs
from robot_vision.ros.perception.listeners import Listeners
from robot_vision.ros.perception.outputs import Outputs, Traces
from robot_vision.topics.topic import Result

_POLL_S = 0.1


@dataclass(frozen=True, kw_only=True, eq=False)
class Parts:
    """The parts that a worker connects; all of them outlive it."""

    inputs: Inputs
    frames: FrameBuilder
    pipeline: Pipeline
    outputs: Outputs
    traces: Traces
    health: Health
    target: TargetFrame | None
    robot: RobotInView | None
    listeners: Listeners
    log: Callable[[str], None]


class Worker:
    """Runs from construction to `stop`. A frame that fails is counted; the next one is served."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._stopping = Event()
        self._between_frames = Lock()
        self._thread = Thread(target=self._run, name="perception", daemon=True)
        self._thread.start()

    def use(self, config: NodeConfig) -> None:
        """Apply new parameters from the next frame on."""
        with self._between_frames:
            self._parts.pipeline.adjust(config)
            self._parts.frames.use(config)

    def forget(self) -> None:
        """Start a new tracking epoch with the next frame."""
        with self._between_frames:
            self._parts.pipeline.forget()

    def swap_perceiver(self, perceiver: Perceiver, *, same_detector: bool) -> None:
        """Use other models from the next frame on, and close the old ones."""
        with self._between_frames:
            old = self._parts.pipeline.swap_perceiver(perceiver, same_detector=same_detector)
        old.close()  # takes tens of milliseconds; no frame waits for it

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def stop(self, limit_s: float | None = None) -> bool:
        """End after the current frame; returns whether it ended within `limit_s` (None: waits)."""
        self._stopping.set()
        self._thread.join(limit_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopping.is_set():
            capture = self._parts.inputs.wait(_POLL_S)
            if capture is not None:
                with self._between_frames:
                    self._serve(capture)

    def _serve(self, capture: Capture) -> None:
        try:
            if self._parts.traces.wanted:
                with spans_kept() as spans:
                    stage_s = self._process(capture)
                self._parts.traces.publish(capture, stage_s, spans)
            else:
                self._process(capture)
        except EncodingError as error:
            self._drop("image unreadable", str(error))
        except Exception as error:  # whatever fails, the next frame is served
            if self._stopping.is_set():
                return
            if self._drop("frame failed", f"{type(error).__name__}: {error}"):
                self._parts.log(traceback.format_exc())

    def _process(self, capture: Capture) -> dict[str, float]:
        """Process a frame; returns the seconds of its stages, and its `age`."""
        parts = self._parts
        begun_s = perf_counter()
        stage_s = {"transport": capture.transport_s, "wait": begun_s - capture.arrived_s}

        def age_s() -> float:
            return capture.transport_s + perf_counter() - capture.arrived_s

        with timed(stage_s, "decode", since_s=begun_s):
            pose = parts.frames.pose(self._target_from_camera(capture))
            frame = parts.frames.build(capture, fixed_from_camera=pose)
        if parts.robot is not None:
            with timed(stage_s, "robot_view"):
                frame = replace(frame, robot=parts.robot.view(frame))
        perception = parts.pipeline.process(frame)
        for note in perception.notes:
            parts.health.noted(note)
        stage_s.update(perception.stage_s)
        with timed(stage_s, "publish"):
            target_frame = parts.target.name if parts.target else ""
            objects = objects_of(perception, target_frame=target_frame, target_from_camera=pose)
            parts.outputs.publish(
                Result(perception=perception, objects=objects, stage_s=stage_s, age_s=age_s)
            )
        stage_s["age"] = age_s()
        parts.health.finished(stage_s)
        parts.listeners.call(perception, stage_s)
        return stage_s

    def _target_from_camera(self, capture: Capture) -> Float64[np.ndarray, "4 4"] | None:
        if self._parts.target is None:
            return None
        return self._parts.target.from_camera(
            capture.rgb.header.frame_id,
            capture.stamp_ns,
            report=lambda problem: self._parts.health.noted("no transform", problem),
        )

    def _drop(self, cause: str, example: str) -> bool:
        is_first = self._parts.health.dropped(cause, example)
        if is_first:
            words = brief(example, most=LONGEST_LINE)
            self._parts.log(f"{cause}: {words} (counted in /diagnostics from now on)")
        return is_first
