"""Recent images of a policy's cameras, and why the arm must not follow them."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock

import numpy as np

from robot_vision.codecs.stretch import stretched, stretched_depth
from robot_vision.core.clock import NS_PER_S, seconds_between
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.types import Frame, Picture
from robot_vision.policies.pixels.history import asked_ns, most_gap_s
from robot_vision.ros.policy.inputs.frozen_camera import FrozenCamera

# A stamp that far behind the newest is of a clock that was reset.
_RESTART_S = 1.0
_RATE_PICTURES = 8
# A camera's period may be this many steps of the policy's history.
_SLOW_SHARE = 1.6
_MOST_PICTURES = 200
_NO_PIXELS = np.zeros((1, 1, 3), np.uint8)


@dataclass(eq=False)
class _Seen:
    camera: CameraInput
    frozen: FrozenCamera
    pictures: deque[Picture] = field(default_factory=lambda: deque(maxlen=_MOST_PICTURES))
    view: Frame | None = None
    has_shown: bool = False
    problem: str = ""


class PolicyCameras:
    """Keeps images at the policy's input size, as far back as its history."""

    def __init__(self, seen: ObservationSpec, *, frozen_s: float) -> None:
        self.observation = seen
        self._lock = Lock()
        self._keep_s = (seen.steps - 1) * seen.step_s + 2 * most_gap_s(seen)
        self._cameras = {
            camera.name: _Seen(camera=camera, frozen=FrozenCamera(frozen_s))
            for camera in seen.cameras
        }

    @property
    def needs_perception(self) -> bool:
        """Whether the policy takes results of perception as well."""
        return bool(self.observation.perception)

    def add(self, name: str, frame: Frame) -> None:
        """Keep a camera's image; a frame that is not newer than the last is ignored."""
        seen = self._cameras[name]
        problem = seen.frozen.problem(frame)
        picture = _small(frame, seen.camera)
        with self._lock:
            seen.has_shown, seen.problem, seen.view = True, problem, _without_pixels(frame)
            kept = seen.pictures
            if kept and picture.stamp_ns <= kept[-1].stamp_ns:
                if seconds_between(picture.stamp_ns, kept[-1].stamp_ns) < _RESTART_S:
                    return
                kept.clear()
            kept.append(picture)
            while seconds_between(kept[0].stamp_ns, picture.stamp_ns) > self._keep_s:
                kept.popleft()

    def refuse(self, name: str, why: str) -> None:
        """Keep why a message was not an image, until a good one comes."""
        with self._lock:
            self._cameras[name].problem = why

    def pictures(self, stamp_ns: int) -> dict[str, tuple[Picture, ...]]:
        """Images of every camera up to the stamp, oldest first."""
        with self._lock:
            return {
                name: tuple(p for p in seen.pictures if p.stamp_ns <= stamp_ns)
                for name, seen in self._cameras.items()
            }

    def views(self) -> dict[str, Frame]:
        """The latest frame of each camera that has shown something, without its pixels."""
        with self._lock:
            views = {name: seen.view for name, seen in self._cameras.items()}
        return {name: view for name, view in views.items() if view is not None}

    def moments_ns(self, stamp_ns: int) -> tuple[int, ...]:
        """The stamps of the policy's history before `stamp_ns`, oldest first."""
        return asked_ns(stamp_ns, self.observation)[:-1]

    def problem(self, stamp_ns: int) -> str:
        """Why the arm must not follow these cameras; empty if it may.

        A camera that worked before and is gone does not count: the policy masks it.
        """
        with self._lock:
            found = [self._problem(seen, stamp_ns) for seen in self._cameras.values()]
        return "; ".join(problem for problem in found if problem)

    def _problem(self, seen: _Seen, stamp_ns: int) -> str:
        name = seen.camera.name
        if seen.problem:
            return f"camera {name}: {seen.problem}"
        if not seen.has_shown:
            return f"camera {name} has shown nothing yet"
        stamps_ns = [picture.stamp_ns for picture in list(seen.pictures)[-_RATE_PICTURES:]]
        is_gone = stamp_ns - stamps_ns[-1] > most_gap_s(self.observation) * NS_PER_S
        if self.observation.steps == 1 or len(stamps_ns) < _RATE_PICTURES or is_gone:
            return ""
        period_s = float(np.median(np.diff(stamps_ns))) / NS_PER_S
        if period_s <= _SLOW_SHARE * self.observation.step_s:
            return ""
        return (
            f"camera {name} gives {1 / period_s:.3g} pictures a second; the policy looks back in "
            f"steps of {self.observation.step_s:g} s and needs {1 / self.observation.step_s:.3g}"
        )


def _without_pixels(frame: Frame) -> Frame:
    return Frame(
        stamp_ns=frame.stamp_ns,
        frame_id=frame.frame_id,
        rotated_deg=frame.rotated_deg,
        rgb=_NO_PIXELS,
    )


def _small(frame: Frame, camera: CameraInput) -> Picture:
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    depth_m = frame.depth_m if camera.has_depth else None
    return Picture(
        stamp_ns=frame.stamp_ns,
        rgb=stretched(frame.rgb, **size),
        depth_m=None if depth_m is None else stretched_depth(depth_m, **size),
    )
