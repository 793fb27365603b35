"""Runs a policy on the simulated robot as on a real one, in simulated time.

Pictures are perceived and decided on; the answer arrives after the latency; the controller turns
it into commands at its rate, and these act after their own delay, as in the live simulator.
"""

from collections import deque
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from robot_vision.arm.kinematics import read_chain
from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.interfaces import Policy
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.parameters.robot_config import RobotSimConfig
from robot_vision.core.types import Command, Decision, Instruction, Observation, RobotState
from robot_vision.policies.control.controller import Controller
from robot_vision.policies.registry import BundledPolicy, load_policy
from robot_vision.rollouts.evaluating.joint_audit import JointAudit
from robot_vision.rollouts.simulated_perception import BASE, TOOL
from robot_vision.simulation.robot.arms.urdf import urdf_of
from robot_vision.simulation.robot.world import RobotWorld

_NS_PER_TICK = NS_PER_S // 100
# Hold reasons that mean that chunks ran out.
_STARVED = ("chunk", "perception")


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Delays and losses. Frames come every `period_s`.

    `latency_s` is from a camera's stamp to the policy's answer, `acting_s` from a command to the
    arm's motion.
    """

    period_s: float = 1 / RobotSimConfig().camera_hz
    latency_s: float = 0.06
    acting_s: float = RobotSimConfig().lead_s
    frames_lost: float = 0.0
    depth: bool = True
    cameras_lost: tuple[str, ...] = ()


@dataclass(kw_only=True, eq=False)
class Record:
    """The command stream: how far each command went (m) and which ones began a chunk.

    `joint_violations` counts commands beyond a limit of a joint; empty outside joint space.
    """

    step_m: list[float] = field(default_factory=list)
    is_boundary: list[bool] = field(default_factory=list)
    starved: int = 0
    commands: int = 0
    interventions: dict[str, int] = field(default_factory=dict)
    joint_violations: dict[str, int] = field(default_factory=dict)


@runtime_checkable
class Body(Protocol):
    """A commanded arm in simulated time."""

    @property
    def time_s(self) -> float: ...

    def state(self, stamp_ns: int) -> RobotState: ...

    def command(self, base_from_tool: Float[np.ndarray, "4 4"], gripper_open: float) -> None: ...

    def step(self, seconds: float) -> None: ...


@runtime_checkable
class Seeing(Protocol):
    """The reports of its cameras and joints."""

    @property
    def now_ns(self) -> int: ...

    def note(self) -> bool: ...

    def see(self, *, depth: bool, lost: tuple[str, ...]) -> Observation: ...


def _without_words(instruction: Instruction) -> Instruction:
    return replace(
        instruction,
        text="",
        tokens=instruction.tokens[:0],
        encoding=instruction.encoding[:0],
        problem="",
    )


@lru_cache(maxsize=1)
def policy_of(name: str) -> BundledPolicy:
    """The policy with this name on one thread; a process that runs many episodes loads it once."""
    return load_policy(name, threads=1, spin=False)


class ClosedLoop:
    """One episode; `advance` advances time by one tick of the controller."""

    def __init__(
        self,
        sight: Seeing,
        world: Body,
        policy: Policy,
        words: str,
        *,
        delays: Delays,
        config: PolicyConfig | None = None,
        rng: np.random.Generator | None = None,
        withheld: bool = False,
    ) -> None:
        """`withheld`: the policy gets no words, as if their encoder had failed."""
        self._sight, self._world, self._policy, self._delays = sight, world, policy, delays
        self._rng = rng or np.random.default_rng(0)
        self._config = config or PolicyConfig(command_hz=100)
        self._controller = Controller(policy.spec, self._config)
        if self._config.joint_space.enabled or policy.spec.joint_names:
            if not isinstance(world, RobotWorld):
                raise ConfigError(
                    "joints are for the simulated robot only: outside ones have no description"
                )
            text = urdf_of(world.model, world.arm, base=BASE, tool=TOOL)
            self._controller.describe_arm(read_chain(text, base_link=BASE, tool_link=TOOL))
        joints = self._controller.joint_spec
        self._audit = None if joints is None else JointAudit(joints)
        self._instruction = policy.instruct(words)
        if withheld:
            self._instruction = _without_words(self._instruction)
        self._answers: deque[tuple[int, Decision, RobotState]] = deque()
        self._commands: deque[tuple[int, Command]] = deque()
        self._next_frame_ns = sight.now_ns
        self._last_m: np.ndarray | None = None
        self._starved_at_start: int | None = None
        self.decision: Decision | None = None  # the latest that has arrived
        self.answer: Decision | None = None  # for the latest observation; it may be on its way
        self.record = Record()
        self._controller.robot(world.state(sight.now_ns), sight.now_ns)
        self._controller.instruct(self._instruction, sight.now_ns)
        self._controller.enable(True, sight.now_ns)

    def advance(self) -> Observation | None:
        """Advance one tick; returns the observation at its beginning, if a frame was due.

        The world has not moved yet when a frame is returned: call again to continue.
        """
        now_ns = self._sight.now_ns
        if now_ns >= self._next_frame_ns:
            self._next_frame_ns += round(self._delays.period_s * NS_PER_S)
            if self._rng.random() >= self._delays.frames_lost:
                return self._see(now_ns)
        self._hear(now_ns)
        self._tell(now_ns)
        self._world.step(_NS_PER_TICK / NS_PER_S)
        if self._sight.note():
            after_ns = self._sight.now_ns
            self._controller.robot(self._world.state(after_ns), after_ns)
        return None

    def _see(self, now_ns: int) -> Observation:
        delays = self._delays
        observation = self._sight.see(depth=delays.depth, lost=delays.cameras_lost)
        decision = self.answer = self._policy.decide(observation, self._instruction)
        due_ns = now_ns + round(self._delays.latency_s * NS_PER_S)
        self._answers.append((due_ns, decision, observation.robot))
        return observation

    def _hear(self, now_ns: int) -> None:
        """Give the controller the answers that have arrived."""
        self._is_new = False
        while self._answers and self._answers[0][0] <= now_ns:
            _, self.decision, robot = self._answers.popleft()
            self._is_new |= (
                self._controller.decided(self.decision, robot, now_ns).chunk is not None
            )

    def _tell(self, now_ns: int) -> None:
        """Send the controller's command; follow the one that arrives."""
        command = self._controller.command(now_ns)
        if command is not None:
            self._commands.append((now_ns + round(self._delays.acting_s * NS_PER_S), command))
            self._note(command)
        while self._commands and self._commands[0][0] <= now_ns:
            _, arrived = self._commands.popleft()
            if arrived.joints is not None:
                assert isinstance(self._world, RobotWorld)
                self._world.command_joints(arrived.joints.position, arrived.gripper_open)
            else:
                self._world.command(arrived.base_from_tool, arrived.gripper_open)

    def _note(self, command: Command) -> None:
        record, place_m = self.record, command.base_from_tool[:3, 3]
        record.commands += 1
        if self._audit is not None:
            self._audit.note(command)
            record.joint_violations = self._audit.violations
        record.interventions = dict(self._controller.status(command.stamp_ns).interventions)
        if not command.holding and self._last_m is not None:
            record.step_m.append(float(np.linalg.norm(place_m - self._last_m)))
            record.is_boundary.append(self._is_new)
        self._last_m = place_m
        starved = sum(record.interventions.get(cause, 0) for cause in _STARVED)
        if self._starved_at_start is None and not command.holding:
            self._starved_at_start = starved
        if self._starved_at_start is not None:
            record.starved = starved - self._starved_at_start
