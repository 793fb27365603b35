"""An arm, a spec and a clock to drive the controller with; time is simulated."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.core.manifests.action_spec import ActionSpec, ActionStatistics
from robot_vision.core.parameters.groups.policy_config import PolicyConfig, SafetyConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Command, Decision, Instruction, RobotState
from robot_vision.policies.control.controller import Controller

MS = 1_000_000
TICK_S = 0.01
START_NS = 10**12
SCALE = np.array([0.02, 0.02, 0.02, 0.1, 0.1, 0.1, 1.0])
DOWN = Rotation.from_rotvec([np.pi, 0, 0])


def spec_of(**changes) -> ActionSpec:
    statistics = ActionStatistics(mean=(0.0,) * 7, scale=tuple(SCALE.tolist()))
    values = {"model_id": "policy", "perception_model_id": "native", "statistics": statistics}
    return ActionSpec(**(values | changes))


def pose_of(position_m=(0.45, 0.0, 0.2), rotation: Rotation = DOWN) -> np.ndarray:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = rotation.as_matrix(), position_m
    return pose


def robot_of(pose: np.ndarray, stamp_ns: int = START_NS, gripper_open: float = 1.0) -> RobotState:
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=np.zeros(7),
        base_from_tool=pose,
        gripper_open=gripper_open,
    )


def instruction_of(text: str = "pick up the red cube", problem: str = "") -> Instruction:
    return Instruction(
        text=text,
        tokens=np.zeros(1, np.int64),
        encoding=np.zeros((1, 4), np.float32),
        problem=problem,
    )


def moving(
    speed_mps=(0.0, 0.0, 0.0), turn_radps=(0.0, 0.0, 0.0), gripper=1.0, *, steps: int = 12
) -> np.ndarray:
    """A normalised action of constant velocity (20 Hz)."""
    physical = np.concatenate([np.array(speed_mps) / 20, np.array(turn_radps) / 20, [gripper]])
    return np.tile(physical / SCALE, (steps, 1)).astype(np.float32)


def decision_of(action: np.ndarray | None, stamp_ns: int = START_NS, **more) -> Decision:
    return Decision(stamp_ns=stamp_ns, action=action, **more)


@dataclass
class Rig:
    """An ideal arm that is where it was commanded to be, and a camera of 25 Hz with some delay."""

    controller: Controller
    now_ns: int = START_NS
    delay_ms: int = 30
    arm_alive: bool = True
    arm_follows: bool = True
    camera_alive: bool = True

    def __post_init__(self) -> None:
        self.pose = pose_of()
        self.ticks = 0
        self.commands: list[Command | None] = []
        self.decide: Callable[[RobotState], np.ndarray | None] = lambda _: moving((0.05, 0, 0))

    def begin(self) -> "Rig":
        """Instructed, enabled and moving."""
        self.controller.instruct(instruction_of(), self.now_ns)
        self.controller.enable(True, self.now_ns)
        self.run(0.4)
        assert self.commands[-1] is not None
        assert not self.commands[-1].holding, self.commands[-1].reasons
        return self

    def run(self, seconds: float) -> list[Command | None]:
        """Commands of the next so many seconds."""
        return [self.tick() for _ in range(round(seconds / TICK_S))]

    def tick(self) -> Command | None:
        self.now_ns += 10 * MS
        self.ticks += 1
        if self.arm_alive:
            self.controller.robot(robot_of(self.pose, self.now_ns), self.now_ns)
        if self.camera_alive and self.ticks % 4 == 0:
            self.see()
        command = self.controller.command(self.now_ns)
        self.commands.append(command)
        if command is not None and self.arm_follows:
            self.pose = command.base_from_tool
        return command

    def see(self) -> None:
        stamp_ns = self.now_ns - self.delay_ms * MS
        robot = self.controller.robot_at(stamp_ns)
        if robot is not None:
            action = self.decide(robot)
            self.controller.decided(decision_of(action, stamp_ns), robot, self.now_ns)


def rig_of(**values) -> Rig:
    return Rig(Controller(spec_of(), with_values(PolicyConfig(), values)))


def assert_within_limits(
    poses: Sequence[np.ndarray],
    time_s: Sequence[float],
    safety: SafetyConfig,
    *,
    slack: float = 1e-6,
    jerk: bool = True,
) -> None:
    """Speed, acceleration and jerk by divided differences, and the workspace.

    Without `jerk` that is left out: a halt brakes at once.
    """
    place = np.array([pose[:3, 3] for pose in poses])
    assert (place >= np.array(safety.workspace_min_m) - 1e-9).all()
    assert (place <= np.array(safety.workspace_max_m) + 1e-9).all()
    time = np.array(time_s)
    turns = Rotation.from_matrix([pose[:3, :3] for pose in poses])
    turned = (turns[1:] * turns[:-1].inv()).as_rotvec()
    for name, change, limits in (
        ("tool", np.diff(place, axis=0), _limits(safety, "mps")),
        ("turn", turned, _limits(safety, "radps")),
    ):
        for order, (differences, limit) in enumerate(
            zip(_derivatives(change, time), limits, strict=True), start=1
        ):
            if order == 3 and not jerk:
                continue
            worst = np.linalg.norm(differences, axis=1).max(initial=0.0)
            # Rounding of places is magnified by each division by time.
            noise = 1e-14 / np.diff(time).min(initial=1.0) ** order
            assert worst <= limit * (1 + slack) + noise, f"{name}: {order}. derivative {worst}"


def _limits(safety: SafetyConfig, unit: str) -> tuple[float, float, float]:
    if unit == "mps":
        return safety.max_speed_mps, safety.max_acceleration_mps2, safety.max_jerk_mps3
    return safety.max_turn_radps, safety.max_turn_radps2, safety.max_turn_radps3


def _derivatives(change: np.ndarray, time: np.ndarray) -> list[np.ndarray]:
    velocity = change / np.diff(time)[:, None]
    acceleration = np.diff(velocity, axis=0) / ((time[2:] - time[:-2]) / 2)[:, None]
    jerk = np.diff(acceleration, axis=0) / ((time[3:] - time[:-3]) / 3)[:, None]
    return [velocity, acceleration, jerk]
