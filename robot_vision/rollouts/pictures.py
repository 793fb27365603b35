"""Pictures of named cameras for policies that see them, and observations without perception."""

from collections import deque

import numpy as np
from jaxtyping import Float64

from robot_vision.core.clock import seconds_between
from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Observation, Picture, RobotState
from robot_vision.simulation.robot.world import RobotWorld

FRONT, WRIST = "front", "wrist"
_SPARE_S = 0.3  # kept longer than requested: a lost frame is replaced by an earlier one


def must_be_simulated(shown: ObservationSpec) -> None:
    """Raise `ConfigError` for a camera that the simulated robot does not have."""
    unknown = [camera.name for camera in shown.cameras if camera.name not in (FRONT, WRIST)]
    if unknown:
        raise ConfigError(
            f"the policy needs the cameras {unknown}; the simulated robot has {FRONT}, {WRIST}"
        )


def known_to_stand(manifest: PolicyManifest) -> bool:
    """Whether the policy learnt where the front camera is."""
    mount = manifest.camera_mounts.get(FRONT)
    return mount is not None and mount.mount == "base"


def misplaced(manifest: PolicyManifest, world: RobotWorld) -> list[str]:
    """Describes cameras that are not where the policy learnt them."""
    poses = {FRONT: world.base_from_camera, WRIST: world.base_from_wrist_camera}
    found = [
        mount.elsewhere(name, poses[name], world.base_from_tool)
        for name, mount in manifest.camera_mounts.items()
    ]
    return [words for words in found if words]


def needs_perception(manifest: PolicyManifest) -> bool:
    """Whether perception has to run for the policy."""
    return manifest.observation is None or bool(manifest.observation.perception)


class PictureHistory:
    """Keeps the pictures that a policy looks back to."""

    def __init__(self, shown: ObservationSpec) -> None:
        self.cameras: tuple[CameraInput, ...] = shown.cameras
        self._keep_s = shown.steps * shown.step_s + _SPARE_S
        self._kept: dict[str, deque[Picture]] = {c.name: deque() for c in shown.cameras}

    def add(self, camera: str, frame: Frame) -> None:
        """Keep a camera's picture, newer than earlier ones."""
        kept = self._kept[camera]
        kept.append(Picture(stamp_ns=frame.stamp_ns, rgb=frame.rgb, depth_m=frame.depth_m))
        while seconds_between(kept[0].stamp_ns, frame.stamp_ns) > self._keep_s:
            kept.popleft()

    @property
    def pictures(self) -> dict[str, tuple[Picture, ...]]:
        """The pictures of each camera, oldest first; none for a camera that gave none."""
        return {name: tuple(kept) for name, kept in self._kept.items()}


def blind(
    robot: RobotState,
    *,
    stamp_ns: int,
    base_from_camera: Float64[np.ndarray, "4 4"],
    history: tuple[RobotState, ...] = (),
) -> Observation:
    """An observation for policies without perception: it is not run, and there is no frame."""
    nothing = Frame(stamp_ns=stamp_ns, frame_id="", rgb=np.zeros((1, 1, 3), np.uint8))
    return Observation(
        perception=unperceived(nothing),
        base_from_camera=base_from_camera,
        robot=robot,
        history=history,
    )
