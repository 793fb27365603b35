"""Aligns asynchronous topics to samples on the grid of a dataset. No ROS, no clock.

Slot k of an episode is for the stamp start + k / fps. From each camera it gets the frame
nearest to it and the depth nearest to that frame; also the arm interpolated to the first camera's
frame, and the targets commanded at this slot and the next one: the action is the step between.
Data that do not arrive within their tolerance are bridged and counted: nothing is made up
silently.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from robot_vision.core.cameras.geometry import joints_between
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.types import RobotState
from robot_vision.datasets.lerobot.sample import step_between
from robot_vision.demonstrations.recording.track import Track, pose_between


@dataclass(frozen=True, kw_only=True)
class AlignConfig:
    """How far from its slot data may be (s), and how long a slot waits for them.

    `joints` are the arm's; `gripper` is the joint that shows how far the gripper is open.
    """

    fps: int
    cameras: tuple[str, ...]
    joints: tuple[str, ...] = ()
    gripper: str = "gripper"
    depth_cameras: tuple[str, ...] = ()
    follows_command: bool = True
    camera_tolerance_s: float = 0.03
    depth_tolerance_s: float = 0.02
    robot_tolerance_s: float = 0.1
    command_tolerance_s: float = 0.2
    wait_s: float = 0.5
    buffer: int = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Slot:
    """All data for one stamp; images as received, not decoded yet."""

    stamp_ns: int
    images: Mapping[str, tuple[int, Any]]
    depths: Mapping[str, tuple[int, Any]]
    robot: RobotState
    action: Float64[np.ndarray, "7"]
    base_from_target: Float64[np.ndarray, "4 4"]


class Aligner:
    """Takes data as they arrive, gives slots in order. `notes` counts bridged gaps.

    The episode begins at the first stamp at which every stream has data.
    """

    def __init__(self, config: AlignConfig) -> None:
        self._config = config
        self._images = {name: Track(config.buffer) for name in config.cameras}
        self._depths = {name: Track(config.buffer) for name in config.depth_cameras}
        # Each by its own stamps: arm and gripper often publish separately.
        names = (*config.joints, config.gripper)
        self._joints = {name: Track(16 * config.buffer) for name in names}
        self._tool = Track(16 * config.buffer)
        self._targets = Track(16 * config.buffer)
        self._start_ns: int | None = None
        self._slots = 0
        self._shown: dict[str, tuple[int, Any]] = {}
        self._target: tuple[np.ndarray, float] | None = None
        self.notes: Counter[str] = Counter()

    def add_image(self, camera: str, stamp_ns: int, image: Any) -> None:
        """A colour image, of any type."""
        self._add(self._images[camera], stamp_ns, image, f"late images of {camera}")

    def add_depth(self, camera: str, stamp_ns: int, image: Any) -> None:
        self._add(self._depths[camera], stamp_ns, image, f"late depth of {camera}")

    def add_joints(self, stamp_ns: int, positions: Mapping[str, float]) -> None:
        """Positions of some joints, the gripper's from 0 closed to 1 open; others are ignored."""
        for name in positions.keys() & self._joints.keys():
            value = np.array([positions[name]])
            self._add(self._joints[name], stamp_ns, value, f"late states of joint {name}")

    def add_tool(self, stamp_ns: int, base_from_tool: Float64[np.ndarray, "4 4"]) -> None:
        self._add(self._tool, stamp_ns, base_from_tool, "late tool poses")

    def add_target(
        self, stamp_ns: int, base_from_target: Float64[np.ndarray, "4 4"], gripper_open: float
    ) -> None:
        """A command: targets for the tool and the gripper."""
        value = (base_from_target, gripper_open)
        self._add(self._targets, stamp_ns, value, "late commands")

    @property
    def missing(self) -> list[str]:
        """Streams not yet received, for which the episode waits to begin."""
        parts = [(f"images of {name}", track) for name, track in self._images.items()]
        parts += [(f"states of joint {name}", track) for name, track in self._joints.items()]
        parts += [("tool poses", self._tool)]
        return [name for name, track in parts if not track]

    def take(self, *, at_end: bool = False) -> list[Slot]:
        """Slots that are complete, or have waited long enough; `at_end`: all remaining ones."""
        if self._start_ns is None and not self._begin():
            return []
        slots = []
        while self._is_ready(at_end=at_end):
            slots.append(self._slot(self._stamp_ns(self._slots)))
            self._slots += 1
            self._forget()
        return slots

    def _add(self, track: Track, stamp_ns: int, value: Any, late: str) -> None:
        overflow = track.overflow
        if not track.add(stamp_ns, value):
            self.notes[late] += 1
        if track.overflow > overflow:
            self.notes[late.replace("late", "dropped (too slow)")] += 1

    def _begin(self) -> bool:
        if self.missing:
            return False
        tracks = [*self._images.values(), *self._joints.values(), self._tool]
        latest_start_ns = max(track.stamps[0] for track in tracks)
        first = next(iter(self._images.values()), self._tool)
        after = [stamp for stamp in first.stamps if stamp >= latest_start_ns]
        if not after:
            return False
        self._start_ns = after[0]
        return True

    def _stamp_ns(self, slot: int) -> int:
        assert self._start_ns is not None
        return self._start_ns + slot * NS_PER_S // self._config.fps

    def _is_ready(self, *, at_end: bool) -> bool:
        this_ns, next_ns = self._stamp_ns(self._slots), self._stamp_ns(self._slots + 1)
        if at_end:
            # The action of a slot leads to the next one, so the robot's state there must have
            # arrived.
            seen_ns = this_ns - self._ns(self._config.camera_tolerance_s)
            is_seen = all(track.last_ns >= seen_ns for track in self._images.values())
            return is_seen and self._tool.last_ns >= next_ns
        reach_ns = this_ns + self._ns(self._config.camera_tolerance_s)
        depth_ns = reach_ns + self._ns(self._config.depth_tolerance_s)
        waited_for = [(track, reach_ns) for track in self._images.values()]
        waited_for += [(track, depth_ns) for track in self._depths.values()]
        waited_for += [(track, reach_ns) for track in self._joints.values()]
        waited_for.append((self._tool, max(reach_ns, next_ns)))
        if self._config.follows_command:
            waited_for.append((self._targets, next_ns))
        newest_ns = max(track.last_ns for track, _ in waited_for)
        if newest_ns > next_ns + self._ns(self._config.wait_s):
            return True
        return all(track.last_ns >= until_ns for track, until_ns in waited_for)

    def _slot(self, stamp_ns: int) -> Slot:
        images = {name: self._image(name, stamp_ns) for name in self._images}
        depths = {}
        for name in self._depths:
            depth = self._depth(name, images[name][0])
            if depth is not None:
                depths[name] = depth
        seen_ns = next(iter(images.values()))[0] if images else stamp_ns
        next_ns = self._stamp_ns(self._slots + 1)
        before = self._target or self._target_at(stamp_ns)
        after = self._target_at(next_ns)
        self._target = after
        return Slot(
            stamp_ns=stamp_ns,
            images=images,
            depths=depths,
            robot=self._robot(seen_ns),
            action=step_between(before[0], after[0], after[1]),
            base_from_target=after[0],
        )

    def _image(self, name: str, stamp_ns: int) -> tuple[int, Any]:
        track, tolerance_ns = self._images[name], self._ns(self._config.camera_tolerance_s)
        at = track.nearest(stamp_ns)
        assert at is not None
        found = (track.stamps[at], track.values[at])
        shown = self._shown.get(name, found)
        if abs(found[0] - stamp_ns) > tolerance_ns:
            found = shown
        if name in self._shown and found[0] == shown[0]:
            self.notes[f"images of {name} repeated"] += 1
        self._shown[name] = found
        return found

    def _depth(self, name: str, seen_ns: int) -> tuple[int, Any] | None:
        track = self._depths[name]
        at = track.nearest(seen_ns)
        if at is None or abs(track.stamps[at] - seen_ns) > self._ns(
            self._config.depth_tolerance_s
        ):
            self.notes[f"depth of {name} missing"] += 1
            return None
        return track.stamps[at], track.values[at]

    def _robot(self, seen_ns: int) -> RobotState:
        joints = self._config.joints
        return RobotState(
            stamp_ns=seen_ns,
            joint_position_rad=np.array([self._joint(name, seen_ns) for name in joints]),
            base_from_tool=self._tool_at(seen_ns),
            gripper_open=self._joint(self._config.gripper, seen_ns),
            joint_names=joints,
        )

    def _joint(self, name: str, stamp_ns: int) -> float:
        held = f"states of joint {name} held"
        return float(self._between(self._joints[name], stamp_ns, held)[0])

    def _tool_at(self, stamp_ns: int) -> np.ndarray:
        return self._between(self._tool, stamp_ns, "tool poses held")

    def _target_at(self, stamp_ns: int) -> tuple[np.ndarray, float]:
        """Target pose, and the gripper as last commanded; before any command, the arm itself."""
        if not self._config.follows_command:
            return self._tool_at(stamp_ns), self._joint(self._config.gripper, stamp_ns)
        if not self._targets or stamp_ns < self._targets.stamps[0]:
            self.notes["frames before the first command"] += 1
            return self._tool_at(stamp_ns), self._joint(self._config.gripper, stamp_ns)
        before, after, share = self._targets.around(stamp_ns)
        if stamp_ns - self._targets.stamps[before] > self._ns(self._config.command_tolerance_s):
            self.notes["commands held"] += 1
            return self._targets.values[before]
        poses = [self._targets.values[at][0] for at in (before, after)]
        at_stamp = self._targets.stamps[after] <= stamp_ns
        gripper_open = self._targets.values[after if at_stamp else before][1]
        return pose_between(poses[0], poses[1], share), gripper_open

    def _between(self, track: Track, stamp_ns: int, note: str) -> np.ndarray:
        before, after, share = track.around(stamp_ns)
        near_ns = min(abs(track.stamps[at] - stamp_ns) for at in (before, after))
        if near_ns > self._ns(self._config.robot_tolerance_s):
            self.notes[note] += 1
        first, second = track.values[before], track.values[after]
        if first.ndim == 2:
            return pose_between(first, second, share)
        return joints_between(first, second, share)

    def _forget(self) -> None:
        # A slow camera's picture is repeated, and the arm must match the time of that picture.
        oldest_ns = min([self._stamp_ns(self._slots), *(ns for ns, _ in self._shown.values())])
        keep_ns = oldest_ns - self._ns(self._config.robot_tolerance_s)
        for track in (*self._images.values(), *self._depths.values()):
            track.forget_before(keep_ns)
        for track in (*self._joints.values(), self._tool, self._targets):
            track.forget_before(keep_ns)

    @staticmethod
    def _ns(seconds: float) -> int:
        return round(seconds * NS_PER_S)
