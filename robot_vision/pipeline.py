"""Joins the stages: takes a frame, returns the service's results for it."""

from dataclasses import replace

import cv2
import numpy as np
from jaxtyping import Bool

from robot_vision.core.clock import seconds_between
from robot_vision.core.interfaces import Perceiver, Tracker
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.results.appearance import pool_appearance
from robot_vision.core.timing import timed
from robot_vision.core.types import (
    Frame,
    Grounded,
    Grounding,
    Lifted,
    Measurements,
    Percept,
    Perception,
    RobotView,
    no_detections,
)
from robot_vision.perception.lift import lift
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.self_filter.removal import (
    shown_robot,
    without_robot,
    without_robot_depth,
)
from robot_vision.threads import leave_cores_to_models
from robot_vision.tracking import build_tracker

# Autofocus changes the intrinsics by about a percent between frames: still the same camera.
FOCUS_BREATHING = 0.02


class Pipeline:
    """Perceive, lift to 3-D, track. Owns no thread and no clock: stamps are the only time.

    Limits OpenCV and BLAS to one thread in this process: see `threads.py`.
    """

    def __init__(self, config: ServiceConfig, *, perceiver: Perceiver, tracker: Tracker) -> None:
        leave_cores_to_models()
        self.config = config
        self.tracker = tracker
        self._words_tracker = build_tracker(config.tracker)
        self._perceiver = perceiver
        self._previous: Perception | None = None
        self._skipped = 0
        self._knows_robot = False

    @property
    def perceiver(self) -> Perceiver:
        return self._perceiver

    def anew(self) -> "Pipeline":
        """A pipeline with the same models and fresh trackers."""
        self._perceiver.forget()
        tracker = build_tracker(self.config.tracker)
        return Pipeline(self.config, perceiver=self._perceiver, tracker=tracker)

    def swap_perceiver(self, perceiver: Perceiver, *, same_detector: bool = False) -> Perceiver:
        """Use `perceiver` from the next frame on; returns the old one, for the caller to close.

        Class ids may have another meaning in the new model, so tracking begins a new epoch; not
        with the `same_detector` and the same features, on which tracks depend.
        """
        old, self._perceiver = self._perceiver, perceiver
        if not same_detector:
            self.forget()
        return old

    def adjust(self, config: ServiceConfig) -> None:
        """Use other detector and depth parameters from the next frame on; tracks are kept.

        State that models carry between frames is reset.
        """
        self._perceiver = self._perceiver.with_config(config)
        self._perceiver.forget()
        self.config = config

    def forget(self) -> None:
        """Begin a new epoch with the next frame: tracks and carried model state are dropped."""
        self.tracker.reset()
        self._words_tracker.reset()
        self._perceiver.forget()
        self._previous = None
        self._skipped = 0

    def process(self, frame: Frame) -> Perception:
        """Perceive `frame`. A new epoch begins when stamps go back, the camera changes, or the
        robot becomes known: its links may have been tracked as objects."""
        notes = self._notice_changes(frame)
        if self._may_skip():
            self._previous = self._carry(frame, notes)
        else:
            self._previous = self._compute(frame, notes)
        return self._previous

    def _compute(self, frame: Frame, notes: list[str]) -> Perception:
        self._skipped = 0
        percept, robot_mask = self._perceiver.perceive(frame), None
        stage_s = dict(percept.stage_s)
        notes.extend(percept.notes)
        if frame.robot is not None:
            with timed(stage_s, "self_filter"):
                percept, robot_mask = self._without_robot(frame.robot, percept)
        with timed(stage_s, "lift"):
            lifted = self._lift(frame, percept, robot_mask, notes)
        with timed(stage_s, "track"):
            tracks = self.tracker.update(self._measurements(frame, percept, lifted))
        grounding = None
        if percept.grounded is not None:
            with timed(stage_s, "track_words"):
                grounding = self._grounding(frame, percept, percept.grounded, robot_mask)
        return Perception(
            **percept.results(),
            stamp_ns=frame.stamp_ns,
            frame=frame,
            lifted=lifted,
            tracks=tracks,
            class_names=self._perceiver.class_names,
            model_id=self._perceiver.model_id,
            stage_s=stage_s,
            notes=tuple(notes),
            robot_mask=robot_mask,
            grounding=grounding,
        )

    def _grounding(
        self,
        frame: Frame,
        percept: Percept,
        found: Grounded,
        robot_mask: Bool[np.ndarray, "h w"] | None,
    ) -> Grounding:
        """Detections of the prompt, in 3-D and tracked separately: restarted when the prompt
        changes."""
        before = self._previous and self._previous.grounding
        if before is not None and before.found.prompt != found.prompt:
            self._words_tracker.reset()
        of_words = replace(percept, detections=found.detections)
        lifted = self._lift(frame, of_words, robot_mask, notes=[])
        tracks = self._words_tracker.update(self._measurements(frame, of_words, lifted))
        return Grounding(found=found, lifted=lifted, tracks=tracks)

    def _carry(self, frame: Frame, notes: list[str]) -> Perception:
        """A skipped frame: tracks are predicted, features are those of the last frame."""
        assert self._previous is not None
        self._skipped += 1
        stage_s: dict[str, float] = {}
        with timed(stage_s, "track"):
            tracks = self.tracker.predict(frame.stamp_ns)
            grounding = self._carried_grounding(frame.stamp_ns)
        return replace(
            self._previous,
            stamp_ns=frame.stamp_ns,
            frame=frame,
            detections=no_detections(frame.stamp_ns, like=self._previous.detections),
            depth=None,
            lifted=None,
            robot_mask=None,
            classification=None,
            segmentation=None,
            grounding=grounding,
            tracks=tracks,
            stage_s=stage_s,
            notes=(*notes, "frame skipped: tracks predicted, features reused"),
        )

    def _carried_grounding(self, stamp_ns: int) -> Grounding | None:
        before = self._previous and self._previous.grounding
        if before is None:
            return None
        found = replace(before.found, detections=no_detections(stamp_ns))
        tracks = self._words_tracker.predict(stamp_ns)
        return Grounding(found=found, lifted=None, tracks=tracks)

    def _may_skip(self) -> bool:
        return self._previous is not None and self._skipped + 1 < self.config.compute_every

    def _notice_changes(self, frame: Frame) -> list[str]:
        previous = self._previous
        is_new_robot = frame.robot is not None and not self._knows_robot
        self._knows_robot |= is_new_robot
        if previous is None:
            return []
        if is_new_robot:
            self.forget()
            return ["the robot is known from this frame on: tracking restarted"]
        gone_s = seconds_between(previous.stamp_ns, frame.stamp_ns)
        if gone_s < 0:
            self.forget()
            return [f"stamps went back by {-gone_s:.3f} s: tracking restarted"]
        if _view_changed(frame, previous.frame):
            self.forget()
            return ["the camera changed: tracking restarted"]
        return ["the stamp was repeated: tracking did not advance"] if gone_s == 0 else []

    def _without_robot(
        self, robot: RobotView, percept: Percept
    ) -> tuple[Percept, Bool[np.ndarray, "h w"]]:
        """Drop detections of the robot itself; also returns its mask in the image."""
        config = self.config.self_filter
        shown = shown_robot(robot, percept.depth, config=config)
        found = without_robot(percept.detections, shown, config=config)
        grounded = percept.grounded
        if grounded is not None:
            kept = without_robot(grounded.detections, shown, config=config)
            grounded = replace(grounded, detections=kept)
        return replace(percept, detections=found, grounded=grounded), shown

    def _lift(
        self,
        frame: Frame,
        percept: Percept,
        robot_mask: Bool[np.ndarray, "h w"] | None,
        notes: list[str],
    ) -> Lifted | None:
        if frame.camera is None:
            notes.append("no intrinsics: objects stay in 2-D")
            return None
        if percept.depth is None:
            notes.append("no depth: objects stay in 2-D")
            return None
        rough = self.config.depth.lift_rough
        if percept.depth.source == "model":
            what = "are rough in 3-D, too" if rough else "stay in 2-D (depth.lift_rough)"
            notes.append(f"depth is rough, from colour alone: objects {what}")
        depth = percept.depth
        if robot_mask is not None:
            depth = without_robot_depth(depth, robot_mask)
        return lift(percept.detections, depth=depth, camera=frame.camera, rough=rough)

    def _measurements(self, frame: Frame, percept: Percept, lifted: Lifted | None) -> Measurements:
        height_px, width_px = frame.rgb.shape[:2]
        appearance = None
        if percept.features is not None:
            appearance = pool_appearance(
                percept.features,
                percept.detections.box_xyxy_px,
                width_px=width_px,
                height_px=height_px,
            )
        needs_gray = self.config.tracker.camera_motion
        return Measurements(
            detections=percept.detections,
            image_size_px=(width_px, height_px),
            lifted=lifted,
            appearance=appearance,
            camera=frame.camera,
            fixed_from_camera=frame.fixed_from_camera,
            gray=cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY) if needs_gray else None,
        )


def build_pipeline(config: ServiceConfig) -> Pipeline:
    """Load and warm up the models in `config`, and join the stages."""
    return Pipeline(
        config, perceiver=build_perceiver(config), tracker=build_tracker(config.tracker)
    )


def _view_changed(frame: Frame, previous: Frame) -> bool:
    """Whether boxes of one frame have another meaning in the other."""
    if (frame.frame_id, frame.rgb.shape) != (previous.frame_id, previous.rgb.shape):
        return True
    if frame.camera is previous.camera or frame.camera is None or previous.camera is None:
        return False
    return not np.allclose(
        frame.camera.intrinsics_px, previous.camera.intrinsics_px, rtol=FOCUS_BREATHING
    )
