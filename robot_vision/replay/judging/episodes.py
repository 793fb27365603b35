"""Rows of a dataset as the observations that the policy would have been given."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from robot_vision.codecs.stretch import stretched, stretched_depth
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.types import Frame, Observation, Picture, RobotState
from robot_vision.core.unperceived import unperceived
from robot_vision.datasets.episode_set import EpisodeSet
from robot_vision.datasets.meaning.canonical import Observed, observed_in
from robot_vision.datasets.meaning.draft import read_draft
from robot_vision.datasets.meaning.meaning import Meaning
from robot_vision.datasets.meaning.suggest import known_or_asked
from robot_vision.policies.pixel_history import most_gap_s


def meaning_of(episodes: EpisodeSet, said: Path | None, *, of: str) -> Meaning:
    """What a set's numbers mean; raises `MeaningError` for what neither it nor `said` says."""
    return known_or_asked(episodes, {} if said is None else read_draft(said), of=of)


def cameras_of(episodes: EpisodeSet, seen: ObservationSpec) -> dict[str, str]:
    """The set's name for each camera of the policy: the same, or the same behind a dot.

    Raises `ConfigError` where a camera is missing.
    """
    names = [camera.name for camera in episodes.cameras]
    found = {}
    for camera in seen.cameras:
        fitting = [n for n in names if camera.name in (n, n.rpartition(".")[2])]
        if not fitting:
            raise ConfigError(
                f"the policy sees by camera {camera.name!r}; the dataset has "
                f"{', '.join(names) or 'none'}"
            )
        found[camera.name] = fitting[0]
    return found


def observations(
    episodes: EpisodeSet, number: int, *, seen: ObservationSpec, meaning: Meaning
) -> Iterator[Observation]:
    """One for each row of an episode, with the pictures and states before it."""
    names = cameras_of(episodes, seen)
    observed = observed_in(meaning.state, episodes.state(number))
    joints = meaning.state.joints if meaning.state is not None else None
    joint_names = () if joints is None else tuple(map(str, joints.names or joints.columns))
    pictures: dict[str, tuple[Picture, ...]] = dict.fromkeys(names, ())
    states: tuple[RobotState, ...] = ()
    keep_ns = round(((seen.steps - 1) * seen.step_s + 2 * most_gap_s(seen)) * NS_PER_S)
    for row in range(episodes.lengths[number] if names else 0):
        frames = {name: episodes.frame(number, row, theirs) for name, theirs in names.items()}
        frame = next(iter(frames.values()))
        since_ns = frame.stamp_ns - keep_ns
        for camera in seen.cameras:
            taken = (*pictures[camera.name], _picture(frames[camera.name], camera))
            pictures[camera.name] = tuple(p for p in taken if p.stamp_ns > since_ns)
        robot = _robot(observed, row, frame.stamp_ns, joint_names)
        yield Observation(
            perception=unperceived(frame),
            base_from_camera=np.eye(4),
            robot=robot,
            history=states,
            pictures=dict(pictures),
        )
        states = tuple(s for s in (*states, robot) if s.stamp_ns > since_ns)


def _picture(frame: Frame, camera: CameraInput) -> Picture:
    size = {"width_px": camera.width_px, "height_px": camera.height_px}
    depth_m = frame.depth_m if camera.has_depth else None
    return Picture(
        stamp_ns=frame.stamp_ns,
        rgb=stretched(frame.rgb, **size),
        depth_m=None if depth_m is None else stretched_depth(depth_m, **size),
    )


def _robot(
    observed: Observed, row: int, stamp_ns: int, joint_names: tuple[str, ...]
) -> RobotState:
    """What a set does not have of the arm is the identity, no joints, and an open gripper."""
    poses, joints, gripper = observed.base_from_tool, observed.joints, observed.gripper
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=np.zeros(0) if joints is None else joints[row],
        base_from_tool=np.eye(4) if poses is None else poses[row],
        gripper_open=1.0 if gripper is None else float(gripper[row]),
        joint_names=() if joints is None else joint_names,
    )
