"""Success in closed loop: the exported policy on the simulated robot, perception in the loop."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import parse_json, quoted, read_text
from robot_vision.core.robot_config import RobotSimConfig
from robot_vision.core.types import Decision, Observation
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.observation import encode_observation
from robot_vision.policies.registry import BundledPolicy
from robot_vision.rollouts.closed_loop import ClosedLoop, Delays, Record, policy_of
from robot_vision.rollouts.conditions import CONDITIONS, Trial, draw_trial
from robot_vision.rollouts.labels import labelled
from robot_vision.rollouts.simulated_perception import Eyesight, Sight, eyesight_of
from robot_vision.simulation.parallel import run_jobs
from robot_vision.simulation.robot.task import Task
from robot_vision.simulation.robot.tasks import success
from robot_vision.simulation.robot.world import RobotWorld

EPISODES_FILE, EVALUATION_FILE = "episodes.jsonl", "evaluation.json"
SUCCESS_S = 0.5  # success must last
HOLD_S, HELD_M = 4.0, 0.01  # nothing is named: so long it is watched, and may move so far
_Z = 1.96  # of a confidence of 95 %


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What results depend on, beside the condition and the number of the episode."""

    policy: str
    policy_id: str
    policy_sha256: str
    perception_model: str
    seed: int
    latency_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """An episode.

    `first_touched` says whether the first thing touched was the one named, None if nothing was.
    `seen` is the share of frames in which perception had the thing named (or the hand held it),
    `pointed` that in which the policy pointed at it. `jump` is the 95th percentile of the
    command's steps at the beginning of chunks over that of the others, None if it hardly moved.
    """

    condition: str
    number: int
    kind: str
    words: str
    success: bool
    first_touched: bool | None
    moved_m: float
    time_s: float
    seen: float
    pointed: float
    starved: int
    jump: float | None
    commands: int
    interventions: dict[str, int]
    last_hold: str


Job = tuple[Setup, str, int]


def evaluate_policy(
    policy: str,
    *,
    conditions: Sequence[str],
    episodes: int,
    seed: int,
    latency_s: float,
    processes: int,
    model: str = "",
    out: Path | None = None,
    on_progress: Callable[[int, int], object] = lambda *_: None,
) -> dict[str, Any]:
    """Run `episodes` of each condition, or those that `out` lacks, and sum them up.

    `model` is the bundle of perception; empty: that of the name that the policy was trained on.
    Writes `episodes.jsonl` and `evaluation.json` into `out`. Raises `ConfigError` for unknown
    conditions, and where `out` holds episodes of another policy.
    """
    unknown = [name for name in conditions if name not in CONDITIONS]
    if unknown:
        raise ConfigError(f"unknown conditions {unknown}; available: {', '.join(CONDITIONS)}")
    setup = _setup(policy, model=model, seed=seed, latency_s=latency_s)
    found = _read(out, setup) if out else {}
    wanted = [(name, number) for name in conditions for number in range(episodes)]
    jobs = [(setup, *key) for key in wanted if key not in found]
    done = len(wanted) - len(jobs)
    on_progress(done, len(wanted))
    for outcome in run_jobs(run_one, jobs, processes=processes):
        found[outcome.condition, outcome.number] = outcome
        if out:
            with (out / EPISODES_FILE).open("a") as stream:
                stream.write(json.dumps(asdict(outcome)) + "\n")
        done += 1
        on_progress(done, len(wanted))
    report = _report(setup, [found[key] for key in wanted])
    if out:
        (out / EVALUATION_FILE).write_text(json.dumps(report, indent=1))
    return report


def run_one(job: Job) -> Outcome:
    """Run one episode."""
    setup, name, number = job
    policy = policy_of(setup.policy)
    eyesight = eyesight_of(setup.perception_model, policy.manifest.perception)
    trial = draw_trial(CONDITIONS[name], seed=setup.seed, number=number, latency_s=setup.latency_s)
    with trial.world:
        return _run(trial, name, number, policy, eyesight)


def _run(
    trial: Trial, name: str, number: int, policy: BundledPolicy, eyesight: Eyesight
) -> Outcome:
    world, task = trial.world, trial.task
    spec = policy.spec
    sight = Sight(world, eyesight, history=spec.history, step_s=spec.step_s)
    loop = ClosedLoop(sight, world, policy, trial.words, delays=trial.delays, rng=trial.rng)
    start_m, moved_m = world.base_from_tool[:3, 3].copy(), 0.0
    first: bool | None = None
    since_s: float | None = None
    absent = task.target.item < 0
    limit_s = HOLD_S if absent else task.time_out_s
    watch = _Watch(world, task, history=spec.history)
    while world.time_s < limit_s:
        if (seen := loop.advance()) is not None:
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
    decision = loop.decision
    return Outcome(
        condition=name,
        number=number,
        kind=task.kind,
        words=trial.words,
        success=moved_m < HELD_M and first is None if absent else done,
        first_touched=first,
        moved_m=round(moved_m, 4),
        time_s=round(world.time_s, 2),
        seen=watch.seen,
        pointed=watch.pointed,
        starved=loop.record.starved,
        jump=jump_ratio(loop.record),
        commands=loop.record.commands,
        interventions=loop.record.interventions,
        last_hold=decision.hold_reason if decision else "",
    )


class _Watch:
    """Why an episode fails: perception misses what is named, or the policy points elsewhere."""

    def __init__(self, world: RobotWorld, task: Task, *, history: int) -> None:
        self._world, self._task, self._history = world, task, history
        self._frames = self._seen = self._pointed = 0

    def judge(self, observation: Observation, decision: Decision | None) -> None:
        """Count a frame; the world stands as it did at its stamp."""
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


def wilson(successes: int, count: int) -> tuple[float, float]:
    """The interval in which a share lies with a confidence of 95 % (Wilson, 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, z2 = successes / count, _Z * _Z
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * np.sqrt(share * (1 - share) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - float(half)), min(1.0, middle + float(half))


def _setup(policy: str, *, model: str, seed: int, latency_s: float) -> Setup:
    manifest = find_policy(policy).manifest
    wanted = manifest.action_spec.perception_model_id
    model = model or wanted.partition("@")[0]
    found = eyesight_of(model, manifest.perception).model_id
    if found != wanted:
        raise ConfigError(
            f"{manifest.policy_id} was trained on {wanted}; {model!r} is {found}: name the "
            "bundle with --model"
        )
    return Setup(
        policy=policy,
        policy_id=manifest.policy_id,
        policy_sha256=manifest.sha256,
        perception_model=model,
        seed=seed,
        latency_s=latency_s,
    )


def _read(out: Path, setup: Setup) -> dict[tuple[str, int], Outcome]:
    """Episodes that are there already; the first line says of what."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / EPISODES_FILE
    if not file.exists():
        file.write_text(json.dumps(asdict(setup)) + "\n")
        return {}
    first, *lines = read_text(file).split("\n")
    if parse_json(first, what=str(file)) != asdict(setup):
        raise ConfigError(
            f"{file} holds episodes of another kind: {quoted(first)}; asked for {setup}"
        )
    try:
        found = [parse_json(line, what=str(file)) for line in lines if line]
        outcomes = [Outcome(**values) for values in found]
    except TypeError as error:
        raise ConfigError(f"{file} holds no episodes: {quoted(error)}") from error
    return {(o.condition, o.number): o for o in outcomes}


def _report(setup: Setup, outcomes: list[Outcome]) -> dict[str, Any]:
    names = dict.fromkeys(o.condition for o in outcomes)
    delays = Delays()
    return {
        **asdict(setup),
        "period_s": delays.period_s,
        "acting_s": RobotSimConfig().lead_s,
        "conditions": {
            name: _sum_up([o for o in outcomes if o.condition == name]) for name in names
        },
    }


def _sum_up(outcomes: list[Outcome]) -> dict[str, Any]:
    kinds = sorted({o.kind for o in outcomes})
    jumps = [o.jump for o in outcomes if o.jump is not None]
    touched = [o for o in outcomes if o.first_touched is not None]
    return {
        "success": _share([o.success for o in outcomes]),
        **{kind: _share([o.success for o in outcomes if o.kind == kind]) for kind in kinds},
        "named_first": _share([o.first_touched is True for o in outcomes]),
        "named_of_touched": _share([bool(o.first_touched) for o in touched]),
        "seen": round(float(np.mean([o.seen for o in outcomes])), 3),
        "pointed": round(float(np.mean([o.pointed for o in outcomes])), 3),
        "starved": sum(o.starved for o in outcomes),
        "jump_median": round(float(np.median(jumps)), 3) if jumps else None,
        "jump_p95": round(float(np.quantile(jumps, 0.95)), 3) if jumps else None,
        "time_s": round(float(np.mean([o.time_s for o in outcomes])), 2),
    }


def _share(hits: list[bool]) -> dict[str, float]:
    low, high = wilson(sum(hits), len(hits))
    share = sum(hits) / len(hits) if hits else 0.0
    return {"share": round(share, 4), "low": round(low, 4), "high": round(high, 4), "n": len(hits)}
