"""Pictures of named cameras for policies that see them, and observations without perception."""

from collections import deque

import numpy as np
from jaxtyping import Float64

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.types import (
    Frame,
    Observation,
    Perception,
    Picture,
    RobotState,
    Tracks,
    no_detections,
)
from robot_vision.tracking.report import report_tracks
from robot_vision.tracking.table import empty_table

FRONT, WRIST = "front", "wrist"


def must_be_simulated(shown: ObservationSpec) -> None:
    """Raise `ConfigError` for a camera that the simulated robot does not have."""
    unknown = [camera.name for camera in shown.cameras if camera.name not in (FRONT, WRIST)]
    if unknown:
        raise ConfigError(
            f"the policy sees by the cameras {unknown}; the simulated robot has {FRONT}, {WRIST}"
        )


class PictureHistory:
    """Keeps the pictures that a policy is shown: as many as it takes, a step apart."""

    def __init__(self, shown: ObservationSpec) -> None:
        self.cameras: tuple[CameraInput, ...] = shown.cameras
        self._steps, self._step_ns = shown.steps, round(shown.step_s * NS_PER_S)
        self._kept: dict[str, deque[Picture]] = {c.name: deque() for c in shown.cameras}

    def add(self, camera: str, frame: Frame) -> None:
        """Keep a camera's picture, newer than those before."""
        kept = self._kept[camera]
        kept.append(Picture(stamp_ns=frame.stamp_ns, rgb=frame.rgb, depth_m=frame.depth_m))
        while frame.stamp_ns - kept[0].stamp_ns > self._steps * self._step_ns:
            kept.popleft()

    def before(self, stamp_ns: int) -> dict[str, tuple[Picture, ...]]:
        """Of each camera the picture nearest to each step up to `stamp_ns`, the newest last.

        Steps of which there is none within half a step are left out.
        """
        wanted = [stamp_ns - k * self._step_ns for k in reversed(range(self._steps))]
        found = {}
        for name, kept in self._kept.items():
            nearest = [min(kept, key=lambda p, t=t: abs(p.stamp_ns - t)) for t in wanted if kept]
            pictures = tuple(
                picture
                for picture, t in zip(nearest, wanted, strict=False)
                if 2 * abs(picture.stamp_ns - t) <= self._step_ns
            )
            if pictures:
                found[name] = pictures
        return found


def unperceived(
    robot: RobotState,
    *,
    stamp_ns: int,
    base_from_camera: Float64[np.ndarray, "4 4"],
    history: tuple[RobotState, ...] = (),
) -> Observation:
    """An observation for whoever needs no perception: it is not run, and saw nothing."""
    nothing = Frame(stamp_ns=stamp_ns, frame_id="", rgb=np.zeros((1, 1, 3), np.uint8))
    perception = Perception(
        stamp_ns=stamp_ns,
        frame=nothing,
        detections=no_detections(stamp_ns),
        depth=None,
        features=None,
        lifted=None,
        tracks=_no_tracks(stamp_ns),
        class_names=(),
        model_id="",
        stage_s={},
    )
    return Observation(
        perception=perception, base_from_camera=base_from_camera, robot=robot, history=history
    )


def _no_tracks(stamp_ns: int) -> Tracks:
    return report_tracks(
        empty_table(),
        stamp_ns=stamp_ns,
        fixed_from_camera=np.eye(4),
        epoch=0,
        events=(),
        image_size_px=None,
    )
