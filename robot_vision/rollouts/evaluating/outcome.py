"""One episode of an evaluation: a policy leads, and the outcome is judged."""

from dataclasses import dataclass, field

import numpy as np

from robot_vision.core.interfaces import Policy
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.core.types import Decision, Observation
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.rollouts.collecting.labels import labelled
from robot_vision.rollouts.evaluating.closed_loop import ClosedLoop, Record
from robot_vision.rollouts.evaluating.conditions import Trial
from robot_vision.rollouts.simulated_perception import Eyesight, SimulatedPerception
from robot_vision.simulation.robot.work.task import Task
from robot_vision.simulation.robot.work.tasks import success
from robot_vision.simulation.robot.world import RobotWorld

SUCCESS_S = 0.5  # success must last
HOLD_S, HELD_M = 4.0, 0.01  # if nothing is named: how long it is watched, and how far it may move


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An episode.

    `first_touched`: whether the first object touched was the named one; None if none was touched.
    `seen` is the share of frames in which perception had the named object (or the hand held it),
    `pointed` that in which the policy pointed at it; None without perception. `jump` is the 95th
    percentile of the command's steps at the beginning of chunks over that of other steps, None if
    it hardly moved.
    `joint_violations` counts commands beyond a limit of a joint; empty outside joint space.
    `misplaced` names cameras that were not where the policy learnt them.
    """

    condition: str
    number: int
    kind: str
    words: str
    success: bool
    first_touched: bool | None
    moved_m: float
    time_s: float
    seen: float | None
    pointed: float | None
    starved: int
    jump: float | None
    commands: int
    interventions: dict[str, int]
    last_hold: str
    joint_violations: dict[str, int] = field(default_factory=dict)
    misplaced: list[str] = field(default_factory=list)


def judge_trial(
    trial: Trial,
    *,
    condition: str,
    number: int,
    policy: Policy,
    eyesight: Eyesight | None,
    shown: ObservationSpec | None = None,
    joint_space: bool = False,
) -> Outcome:
    """Let the policy lead, by tool poses or joints, until the task is done or its time is up.

    Without `eyesight` perception is not run; `shown` is the input of a policy from pixels.
    """
    world, task, spec = trial.world, trial.task, policy.spec
    looks_back = (spec.history, spec.step_s) if shown is None else (shown.steps - 1, shown.step_s)
    loop = ClosedLoop(
        SimulatedPerception(
            world, eyesight, history=looks_back[0], step_s=looks_back[1], shown=shown
        ),
        world,
        policy,
        trial.words,
        delays=trial.delays,
        config=PolicyConfig(joint_space=JointSpaceConfig(enabled=joint_space)),
        rng=trial.rng,
        withheld=trial.words_withheld,
    )
    watch = None if eyesight is None else _Watch(world, task, history=spec.history)
    course = _lead(loop, world, task, watch)
    decision = loop.decision
    return Outcome(
        condition=condition,
        number=number,
        kind=task.kind,
        words=trial.words,
        success=course.success,
        first_touched=course.first_touched,
        moved_m=round(course.moved_m, 4),
        time_s=round(world.time_s, 2),
        seen=None if watch is None else watch.seen,
        pointed=None if watch is None else watch.pointed,
        starved=loop.record.starved,
        jump=jump_ratio(loop.record),
        commands=loop.record.commands,
        interventions=loop.record.interventions,
        last_hold=decision.hold_reason if decision else "",
        joint_violations=loop.record.joint_violations,
    )


@dataclass(frozen=True, kw_only=True)
class _Course:
    """What the robot did in an episode; `moved_m` is how far the tool was from its start."""

    success: bool
    first_touched: bool | None
    moved_m: float


def _lead(loop: ClosedLoop, world: RobotWorld, task: Task, watch: "_Watch | None") -> _Course:
    """Advance the loop until success has lasted, or time is up."""
    start_m, moved_m = world.base_from_tool[:3, 3].copy(), 0.0
    first: bool | None = None
    since_s: float | None = None
    absent = task.target.item < 0
    limit_s = HOLD_S if absent else task.time_out_s
    while world.time_s < limit_s:
        if (seen := loop.advance()) is not None:
            if watch is not None:
                watch.judge(seen, loop.answer)
            continue
        moved_m = max(moved_m, float(np.linalg.norm(world.base_from_tool[:3, 3] - start_m)))
        if first is None and (touched := world.touched_items):
            first = task.target.item in touched
        if not success(world, task):
            since_s = None
            continue
        since_s = world.time_s if since_s is None else since_s
        if world.time_s - since_s >= SUCCESS_S:
            break
    done = since_s is not None and world.time_s - since_s >= SUCCESS_S - 1e-6
    return _Course(
        success=moved_m < HELD_M and first is None if absent else done,
        first_touched=first,
        moved_m=moved_m,
    )


class _Watch:
    """Why an episode fails: perception misses the named object, or the policy points elsewhere."""

    def __init__(self, world: RobotWorld, task: Task, *, history: int) -> None:
        self._world, self._task, self._history = world, task, history
        self._frames = self._seen = self._pointed = 0

    def judge(self, observation: Observation, decision: Decision | None) -> None:
        """Count a frame; the world is in its state at the frame's stamp."""
        if self._task.target.item < 0 or decision is None:
            return
        inputs = encode_observation(observation, history=self._history)
        item = labelled(self._world, observation, inputs).item
        meant = set(inputs.track_id[item == self._task.target.item].tolist())
        if self._world.held_item == self._task.target.item:
            meant.add(-1)
        self._frames += 1
        self._seen += bool(meant)
        self._pointed += decision.action is not None and decision.target_track_id in meant

    @property
    def seen(self) -> float:
        return round(self._seen / max(1, self._frames), 3)

    @property
    def pointed(self) -> float:
        return round(self._pointed / max(1, self._frames), 3)


def jump_ratio(record: Record) -> float | None:
    """How much further a command goes where a chunk begins than elsewhere; None if at rest."""
    step, boundary = np.array(record.step_m), np.array(record.is_boundary, bool)
    if boundary.sum() < 5 or (~boundary).sum() < 5:
        return None
    inside = float(np.quantile(step[~boundary], 0.95))
    return None if inside < 1e-4 else float(np.quantile(step[boundary], 0.95)) / inside
