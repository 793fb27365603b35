"""What the service would know about a simulated robot: perceived pictures, the arm's states."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from robot_vision.arm.urdf import read_urdf
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.interfaces import Perceiver
from robot_vision.core.manifests.observation_spec import CameraInput, ObservationSpec
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, Observation, RobotState
from robot_vision.perception.perceiver import build_perceiver
from robot_vision.pipeline import Pipeline
from robot_vision.policies.observing.history import History
from robot_vision.rollouts.pictures import WRIST, PictureHistory, blind
from robot_vision.self_filter.self_filter import SelfFilter
from robot_vision.simulation.robot.arms.arm import GRIPPER
from robot_vision.simulation.robot.arms.urdf import urdf_of
from robot_vision.simulation.robot.world import RobotWorld
from robot_vision.tracking import build_tracker

# No camera has a stamp of 0.
START_NS = NS_PER_S
# Period of the arm's state reports, as in the simulated robot's node.
STATE_S = 0.02
_REMEMBERED_S = 2.0
BASE, TOOL = "base", "tool"


def service_config(model: str, perception: dict[str, object]) -> ServiceConfig:
    """Perception on one thread, with parameters by dotted name."""
    config = ServiceConfig(model=model, device="cpu", threads=1, spin=False)
    return with_values(config, perception)


class Eyesight:
    """Loaded models of perception, for use in many episodes."""

    def __init__(self, model: str, perception: dict[str, object]) -> None:
        self.config = service_config(model, perception)
        self._perceiver: Perceiver = build_perceiver(self.config)

    @property
    def model_id(self) -> str:
        return self._perceiver.model_id

    @property
    def class_names(self) -> tuple[str, ...]:
        return self._perceiver.class_names

    def pipeline(self) -> Pipeline:
        """A pipeline whose tracker has seen nothing yet."""
        tracker = build_tracker(self.config.tracker)
        return Pipeline(self.config, perceiver=self._perceiver, tracker=tracker)


def eyesight_of(model: str, perception: Mapping[str, Any]) -> Eyesight:
    """Models by name and parameters; a process that runs many episodes loads them once."""
    return _loaded(model, tuple(perception.items()))


def must_see_alike(policy: PolicyManifest, model: str, eyesight: Eyesight) -> None:
    """Raise `ConfigError` unless `eyesight`, from the bundle `model`, matches the policy's."""
    wanted = policy.action_spec.perception_model_id
    if eyesight.model_id != wanted:
        raise ConfigError(
            f"{policy.policy_id} was trained on {wanted}; {model!r} is {eyesight.model_id}: "
            "name the bundle with --model, or retrain the policy"
        )


@lru_cache(maxsize=1)
def _loaded(model: str, perception: tuple[tuple[str, Any], ...]) -> Eyesight:
    return Eyesight(model, dict(perception))


def simulated_body(world: RobotWorld, config: ServiceConfig) -> SelfFilter | None:
    """The self-filter of the simulated arm, if the parameters enable it."""
    if not config.self_filter.enabled:
        return None
    robot = read_urdf(urdf_of(world.model, world.arm, base=BASE, tool=TOOL))
    return SelfFilter(robot, padding_m=config.self_filter.padding_m)


def with_robot(frame: Frame, world: RobotWorld, body: SelfFilter) -> Frame:
    """The current frame, and the arm's place in it by its joints and the calibration."""
    assert frame.camera is not None
    state = world.state(frame.stamp_ns)
    joints = dict(zip(state.joint_names, state.joint_position_rad.tolist(), strict=True))
    view = body.view(
        frame.camera,
        base_from_camera=world.base_from_camera,
        joints=joints | {GRIPPER: state.gripper_open},
    )
    return replace(frame, robot=view)


class SimulatedPerception:
    """One episode: records states as they come, turns pictures into observations.

    Only the reports of cameras and arm are used. Without `eyesight` nothing is perceived; a
    policy that sees pictures names its cameras in `shown`, and only these are rendered.
    """

    def __init__(
        self,
        world: RobotWorld,
        eyesight: Eyesight | None,
        *,
        history: int,
        step_s: float,
        shown: ObservationSpec | None = None,
    ) -> None:
        self._world = world
        self._pipeline = None if eyesight is None else eyesight.pipeline()
        self._history_steps, self._step_s = history, step_s
        self._states = History(keep_s=history * step_s + _REMEMBERED_S)
        self._pictures = None if shown is None else PictureHistory(shown)
        self._noted_s = float("-inf")
        self._body = None if eyesight is None else simulated_body(world, eyesight.config)
        self.note()

    @property
    def now_ns(self) -> int:
        return START_NS + round(self._world.time_s * NS_PER_S)

    def note(self) -> bool:
        """Record the arm's report, if one is due; returns whether it was."""
        time_s = self._world.time_s
        if time_s - self._noted_s < STATE_S - 1e-6:
            return False
        self._noted_s = time_s
        self._states.add(self._world.state(self.now_ns))
        return True

    def see(self, *, depth: bool = True, lost: Collection[str] = ()) -> Observation:
        """The current observation to decide on; `lost` cameras give no pictures."""
        front = None if self._pipeline is None else self.look(depth=depth)
        observation = self._unperceived(self.now_ns) if front is None else self.observe(front)
        if self._pictures is None:
            return observation
        for camera in self._pictures.cameras:
            if camera.name not in lost:
                self._pictures.add(camera.name, self._frame(camera, front, depth=depth))
        return replace(observation, pictures=self._pictures.pictures)

    def _frame(self, camera: CameraInput, front: Frame | None, *, depth: bool) -> Frame:
        has_depth = depth and camera.has_depth
        if camera.name == WRIST:
            return self._world.wrist_frame(self.now_ns, depth=has_depth)
        return front or self._world.frame(self.now_ns, depth=has_depth)

    def _unperceived(self, stamp_ns: int) -> Observation:
        return blind(
            self._robot_at(stamp_ns),
            stamp_ns=stamp_ns,
            base_from_camera=self._world.base_from_camera,
            history=self._before(stamp_ns),
        )

    def _robot_at(self, stamp_ns: int) -> RobotState:
        robot = self._states.at(stamp_ns)
        assert robot is not None
        return robot

    def _before(self, stamp_ns: int) -> tuple[RobotState, ...]:
        return self._states.before(stamp_ns, count=self._history_steps, step_s=self._step_s)

    def look(self, *, depth: bool = True) -> Frame:
        """The fixed camera's current picture."""
        frame = self._world.frame(self.now_ns)
        if not depth:
            frame = replace(frame, depth_m=None, depth_stamp_ns=None)
        return frame if self._body is None else with_robot(frame, self._world, self._body)

    def observe(self, frame: Frame) -> Observation:
        """Perception of a frame, with the arm at its stamp."""
        assert self._pipeline is not None
        return Observation(
            perception=self._pipeline.process(frame),
            base_from_camera=self._world.base_from_camera,
            robot=self._robot_at(frame.stamp_ns),
            history=self._before(frame.stamp_ns),
        )
