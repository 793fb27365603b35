"""Rows of a dataset as the observations that the policy would have received."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.codecs.stretch import stretched, stretched_depth
from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.parameters.groups.policy_config import PointingConfig
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Observation, Perception, Picture, RobotState
from robot_vision.datasets.camera_names import camera_called
from robot_vision.datasets.camera_places import camera_places
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.meaning.asking.draft import read_draft
from robot_vision.datasets.meaning.asking.suggest import known_or_asked
from robot_vision.datasets.meaning.canonical import canonical, observed_in
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.policies.observing.grounded_pointing import pointed_by
from robot_vision.policies.observing.history import History
from robot_vision.policies.pixels.history import most_gap_s
from robot_vision.replay.judging.perceiving import Perceiving

POINTS_ITSELF = PointingConfig()


def meaning_of(
    episodes: EpisodeSet, said: Path | None, *, of: str, learnt: Mapping[str, Any] | None = None
) -> Meaning:
    """The meaning of a dataset's numbers: from the file `said`, else from the policy's training
    data, `learnt`.

    Raises `MeaningError` for anything that neither these nor the set define.
    """
    return known_or_asked(episodes, read_draft(said) if said else dict(learnt or {}), of=of)


def observations(
    episodes: EpisodeSet,
    number: int,
    *,
    seen: ObservationSpec,
    meaning: Meaning,
    perceiving: Perceiving | None = None,
    pointing: PointingConfig = POINTS_ITSELF,
    of: str = "the dataset",
) -> Iterator[Observation]:
    """One observation per row of an episode, with the previous pictures and states.

    Raises `ConfigError` if perception needs poses of the camera or tool that the set lacks,
    `DatasetError` for a camera that it does not have; `of` names the set.
    """
    known = [camera.name for camera in episodes.cameras]
    names = {camera.name: camera_called(camera.name, known, of=of) for camera in seen.cameras}
    if episodes.lengths[number] == 0:
        return
    rows = _Rows(episodes, number, meaning, of=of)
    rows.must_show(seen)
    perceived = None if perceiving is None else _Perceived(rows, perceiving, seen)
    pictures: dict[str, tuple[Picture, ...]] = dict.fromkeys(names, ())
    keep_ns = round(((seen.steps - 1) * seen.step_s + 2 * most_gap_s(seen)) * NS_PER_S)
    states = History(keep_s=keep_ns / NS_PER_S)
    for row in range(episodes.lengths[number] if names or perceived else 0):
        frames = {name: episodes.frame(number, row, theirs) for name, theirs in names.items()}
        if perceived is None:
            perception, pose = unperceived(next(iter(frames.values()))), np.eye(4)
        else:
            perception, pose = perceived.at(row)
        stamp_ns = perception.stamp_ns
        for camera in seen.cameras:
            taken = (*pictures[camera.name], _picture(frames[camera.name], camera))
            pictures[camera.name] = tuple(p for p in taken if p.stamp_ns > stamp_ns - keep_ns)
        robot = rows.robot(row, stamp_ns)
        states.add(robot)
        yield Observation(
            perception=perception,
            base_from_camera=pose,
            robot=robot,
            history=states.before(stamp_ns, count=seen.steps - 1, step_s=seen.step_s),
            pictures=dict(pictures),
            pointed=pointed_by(perception, episodes.instruction(number), pointing),
        )


def misplaced(
    episodes: EpisodeSet,
    number: int,
    *,
    mounts: Mapping[str, CameraMount],
    meaning: Meaning,
    of: str,
) -> tuple[str, ...]:
    """Cameras whose pose in an episode differs from that in the policy's training, as text."""
    known = [camera.name for camera in episodes.cameras]
    tools = observed_in(meaning.state, episodes.state(number)).base_from_tool
    found = []
    for name, mount in mounts.items():
        camera, length = camera_called(name, known, of=of), episodes.lengths[number]
        places = camera_places(
            episodes, meaning, number, camera, length=length, base_from_tool=tools, of=of
        )
        found.append(mount.elsewhere(name, places.base_from_camera, tools))
    return tuple(words for words in found if words)


class _Rows:
    """An episode's rows, and the meaning of its numbers."""

    def __init__(self, episodes: EpisodeSet, number: int, meaning: Meaning, *, of: str) -> None:
        self.episodes, self.number, self.meaning, self.of = episodes, number, meaning, of
        actions, state = episodes.actions(number), episodes.state(number)
        self.observed = observed_in(meaning.state, state)
        self._gripper = self.observed.gripper
        if self._gripper is None and actions is not None:
            self._gripper = canonical(meaning, actions, state).gripper
        joints = meaning.state.joints if meaning.state is not None else None
        self._joint_names = () if joints is None else joints.joint_names

    def must_show(self, seen: ObservationSpec) -> None:
        """Raise `ConfigError` if the policy takes a state of the arm that is not known, and
        `DatasetError` if it is not finite."""
        if seen.state == "none":
            return
        is_tool = seen.state == "tool"
        shown = self.observed.base_from_tool if is_tool else self.observed.joints
        if shown is None:
            raise ConfigError(
                f"{self.of}: the policy takes the state of the {seen.state}, which the set's "
                f"meaning does not have: add state.{seen.state} to it"
            )
        parts = [shown.reshape(len(shown), -1)]
        parts += [] if self._gripper is None else [self._gripper[:, None]]
        bad = np.flatnonzero(~np.isfinite(np.concatenate(parts, axis=1)).all(axis=1))
        if len(bad):
            raise DatasetError(
                f"{self.of}, episode {self.number}, row {bad[0]}: the state is not finite, or "
                "not a rotation: repair the set, or leave the episode out"
            )

    def robot(self, row: int, stamp_ns: int) -> RobotState:
        """Arm data that the policy does not take may be missing: the identity pose, no joints."""
        poses, joints = self.observed.base_from_tool, self.observed.joints
        return RobotState(
            stamp_ns=stamp_ns,
            joint_position_rad=np.zeros(0) if joints is None else joints[row],
            base_from_tool=np.eye(4) if poses is None else poses[row],
            gripper_open=1.0 if self._gripper is None else float(self._gripper[row]),
            joint_names=() if joints is None else self._joint_names,
        )


class _Perceived:
    """Perception of each row, and its camera pose; the pose is only needed for tracks."""

    def __init__(self, rows: _Rows, perceiving: Perceiving, seen: ObservationSpec) -> None:
        episodes, tools = rows.episodes, rows.observed.base_from_tool
        known = [camera.name for camera in episodes.cameras]
        self._rows, self._camera = rows, camera_called(perceiving.camera, known, of=rows.of)
        self._pipeline = perceiving.pipeline.anew()
        self._poses: np.ndarray | None = None
        if "tracks" not in seen.perception:
            return
        self._poses = camera_places(
            episodes,
            rows.meaning,
            rows.number,
            self._camera,
            length=episodes.lengths[rows.number],
            base_from_tool=tools,
            of=rows.of,
        ).base_from_camera
        if tools is None or not np.isfinite(self._poses).all():
            lacks = "the tool was" if tools is None else f"the camera {self._camera!r} is"
            raise ConfigError(
                f"{rows.of}, episode {rows.number}: perception's tracks are placed in the base "
                f"frame, and where {lacks} is not known: give `cameras` and `state.tool` in the "
                "set's meaning"
            )

    def at(self, row: int) -> tuple[Perception, np.ndarray]:
        frame = self._rows.episodes.frame(self._rows.number, row, self._camera)
        pose = np.eye(4) if self._poses is None else self._poses[row]
        return self._pipeline.process(frame), pose


def _picture(frame: Frame, camera: CameraInput) -> Picture:
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    depth_m = frame.depth_m if camera.has_depth else None
    return Picture(
        stamp_ns=frame.stamp_ns,
        rgb=stretched(frame.rgb, **size),
        depth_m=None if depth_m is None else stretched_depth(depth_m, **size),
    )
