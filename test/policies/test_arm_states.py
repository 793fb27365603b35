"""Whatever the arm reports of itself: no leap, no zeros, and a hold that is reported at once.

Sequences are drawn from seeds: silence, identity, jumps, NaN, huge, frozen, late, swapped states
while a policy leads the arm about, and an operator who enables again when that is asked for.
"""

import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context

import jaxtyping
import numpy as np
import pytest
from controller_rig import (
    MS,
    START_NS,
    TICK_S,
    decision_of,
    instruction_of,
    moving,
    pose_of,
    robot_of,
    spec_of,
)

from robot_vision.core.parameters.groups.policy_config import PolicyConfig, SafetyConfig
from robot_vision.core.types import Command, RobotState
from robot_vision.policies.control.controller import Controller

SAFETY = SafetyConfig()
# Speed over acceleration, and two periods.
STANDSTILL_S = SAFETY.max_speed_mps / SAFETY.max_acceleration_mps2 + 2 * TICK_S
FAULTS = ("silent", "identity", "origin", "jump", "nan", "huge", "frozen", "late", "swapped")
REFUSED = ("identity", "origin", "jump", "nan", "huge")


@pytest.fixture(autouse=True)
def _as_shipped() -> Iterator[None]:
    """Types are checked by the other tests; here they would take most of the time."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


@dataclass
class Sequence:
    """One run of an ideal arm whose reports are false for a while; `check` judges each command."""

    seed: int
    commands: list[Command] = field(default_factory=list)
    gentle_stops: int = 0

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.is_uneven = self.seed % 2 == 1  # a busy machine: ticks are late, or close together
        self.controller = Controller(spec_of(), PolicyConfig())
        self.now_ns = START_NS
        self.pose = pose_of(self.random.uniform([0.3, -0.3, 0.1], [0.7, 0.3, 0.5]))
        self.last: Command | None = None
        self.before_last: Command | None = None
        self.held_since_ns: int | None = None
        self.tick_count = 0
        self.offset_m = self.random.normal(0, 0.3, 3)
        self.stuck = robot_of(self.pose, self.now_ns)
        self.controller.instruct(instruction_of(), self.now_ns)
        self.controller.enable(True, self.now_ns)

    def run(self) -> None:
        self.ticks(int(self.random.integers(8, 40)), "")
        for _ in range(int(self.random.integers(1, 4))):
            fault = str(self.random.choice(FAULTS))
            self.stuck = robot_of(self._noisy(), self.now_ns)
            self.ticks(int(self.random.choice([1, 2, 4, 8, 30])), fault)
            self.ticks(int(self.random.choice([1, 3, 10, 25])), "")
            comes = self.random.random() < 0.5
            if comes and self.controller.status(self.now_ns).needs_enable:
                self.controller.enable(True, self.now_ns)
                self.last = self.before_last = self.held_since_ns = None

    def ticks(self, count: int, fault: str) -> None:
        for since in range(count):
            self.now_ns += int(self.random.integers(3, 27)) * MS if self.is_uneven else 10 * MS
            self.tick_count += 1
            for state in self._reports(fault):
                self.controller.robot(state, self.now_ns)
            if self.tick_count % 5 == 0:
                self._decide()
            command = self.controller.command(self.now_ns)
            if command is not None:
                self._check(command)
                if fault in REFUSED:
                    assert command.holding, f"{fault} for {since + 1} ticks is not held"
                self.pose = command.base_from_tool

    def _noisy(self) -> np.ndarray:
        pose = self.pose.copy()
        pose[:3, 3] += self.random.normal(0, 1e-4, 3)
        return pose

    def _reports(self, fault: str) -> list[RobotState]:
        pose = self._noisy()
        if fault == "silent":
            return []
        if fault == "identity":
            pose = np.eye(4)
        elif fault == "origin":
            pose[:3, 3] = 0
        elif fault == "jump":
            away = self.offset_m + np.sign(self.offset_m) * 0.1
            pose[:3, 3] += away * self.random.choice([1.0, 1.0, 0.7])
        elif fault == "nan":
            pose[int(self.random.integers(3)), int(self.random.integers(4))] = np.nan
        elif fault == "huge":
            pose[:3, 3] = self.random.choice([1e300, -1e300, 1e9, 50.0], 3)
        elif fault == "frozen":
            return [robot_of(self.stuck.base_from_tool, self.now_ns)]
        elif fault == "late":
            return [robot_of(pose, self.now_ns - int(self.random.integers(50, 3000)) * MS)]
        elif fault == "swapped":
            return [robot_of(pose, self.now_ns), robot_of(self._noisy(), self.now_ns - 5 * MS)]
        return [robot_of(pose, self.now_ns)]

    def _decide(self) -> None:
        stamp_ns = self.now_ns - 30 * MS
        robot = self.controller.robot_at(stamp_ns)
        if robot is not None:
            velocity = self.random.normal(0, 0.4, 3)
            action = moving(velocity, self.random.normal(0, 1.0, 3))
            self.controller.decided(decision_of(action, stamp_ns), robot, self.now_ns)

    def _check(self, command: Command) -> None:
        place_m = command.base_from_tool[:3, 3]
        assert np.isfinite(command.base_from_tool).all()
        assert (place_m >= np.array(SAFETY.workspace_min_m) - 1e-9).all()
        assert (place_m <= np.array(SAFETY.workspace_max_m) + 1e-9).all()
        if self.last is None:
            # A beginning: at the arm, which has not moved since.
            assert np.linalg.norm(place_m - self._believed_m()) < 1e-9
        else:
            self._check_step(command)
        self._check_standstill(command)
        self.before_last, self.last = self.last, command
        self.commands.append(command)

    def _believed_m(self) -> np.ndarray:
        robot = self.controller.robot_at(self.now_ns)
        assert robot is not None
        return robot.base_from_tool[:3, 3]

    def _check_step(self, command: Command) -> None:
        assert self.last is not None
        step, passed_s = _step(self.last, command), _passed_s(self.last, command)
        assert np.linalg.norm(step[:3]) <= SAFETY.max_speed_mps * passed_s + 1e-9
        assert np.linalg.norm(step[3:]) <= SAFETY.max_turn_radps * passed_s * 1.001 + 1e-9
        if self.before_last is not None:
            before = _step(self.before_last, self.last)
            before_s = _passed_s(self.before_last, self.last)
            # Mean velocities are those of the middles of their intervals.
            change, between_s = step / passed_s - before / before_s, (passed_s + before_s) / 2
            assert np.linalg.norm(change[:3]) <= SAFETY.max_acceleration_mps2 * between_s + 1e-7
            most = SAFETY.max_turn_radps2 * between_s * 1.01
            assert np.linalg.norm(change[3:]) <= most + 1e-7

    def _check_standstill(self, command: Command) -> None:
        """Once something is wrong with the arm's state, it stands still within the bound."""
        wrong = any(_is_about_arm(reason) for reason in command.reasons)
        if not wrong:
            self.held_since_ns = None
            return
        if self.held_since_ns is None or self.last is None:
            self.held_since_ns = self.now_ns
            return
        began_s = (self.last.stamp_ns - self.held_since_ns) / 1e9
        if began_s >= STANDSTILL_S - 1e-9:
            moved_m = float(np.linalg.norm(_step(self.last, command)[:3]))
            if moved_m > 1e-9:
                # Near the border the straight line may end outside: it brakes within its curve.
                self.gentle_stops += 1
                assert began_s <= STANDSTILL_S + 2 * 3.0 / 60.0 + 1e-9


def _is_about_arm(reason: str) -> bool:
    return any(
        words in reason
        for words in ("state of the", "tool", "the arm", "joint", "stamped", "changed for")
    )


def _step(first: Command, second: Command) -> np.ndarray:
    turn = second.base_from_tool[:3, :3] @ first.base_from_tool[:3, :3].T
    skew = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    moved_m = second.base_from_tool[:3, 3] - first.base_from_tool[:3, 3]
    return np.concatenate([moved_m, skew / 2])


def _passed_s(first: Command, second: Command) -> float:
    return (second.stamp_ns - first.stamp_ns) / 1e9


def run_all(seeds: range) -> tuple[int, int]:
    """Commands and gentle stops of all sequences; an assertion names the seed that failed."""
    commands = gentle = 0
    for seed in seeds:
        sequence = Sequence(seed)
        try:
            sequence.run()
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        commands += len(sequence.commands)
        gentle += sequence.gentle_stops > 0
    return commands, gentle


def test_two_thousand_sequences_of_false_states() -> None:
    commands, gentle = run_all(range(2000))
    assert commands > 20_000
    assert gentle < 20, "standstill is late more than now and then"


@pytest.mark.slow
@pytest.mark.timeout(2700)
def test_many_thousand_sequences_of_false_states() -> None:
    """ROBOT_VISION_SEQUENCES=100000 draws that many: a quarter of an hour on two cores."""
    count = int(os.environ.get("ROBOT_VISION_SEQUENCES", "20000"))
    parts = [range(first, min(first + 1000, count)) for first in range(0, count, 1000)]
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        counts = list(pool.map(run_all, parts))
    assert sum(commands for commands, _ in counts) > 10 * count
    assert sum(gentle for _, gentle in counts) < count / 100
