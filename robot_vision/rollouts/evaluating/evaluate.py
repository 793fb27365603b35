"""Closed-loop success: the exported policy on the simulated robot, with perception in the loop."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.figures import write_figures
from robot_vision.core.files.foreign import parse_json, quoted, read_text
from robot_vision.core.manifests.policy_manifest import PolicyManifest
from robot_vision.core.parameters.robot_config import RobotSimConfig
from robot_vision.model_store.policies import find_policy
from robot_vision.rollouts.collecting.expert_policy import EXPERT, ExpertPolicy
from robot_vision.rollouts.evaluating.closed_loop import Delays, policy_of
from robot_vision.rollouts.evaluating.conditions import (
    CONDITIONS,
    DEFAULT_SIZES_PX,
    Sizes,
    draw_trial,
)
from robot_vision.rollouts.evaluating.outcome import Outcome, judge_trial
from robot_vision.rollouts.evaluating.outside import judge_outside
from robot_vision.rollouts.evaluating.summary import paired, sum_up
from robot_vision.rollouts.pictures import (
    FRONT,
    WRIST,
    known_to_stand,
    misplaced,
    must_be_simulated,
    needs_perception,
)
from robot_vision.rollouts.simulated_perception import eyesight_of, must_see_alike
from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.robot.arms.arms import SEVEN, arm_named
from robot_vision.simulation.robot.build import SIZE_PX, WRIST_SIZE_PX
from robot_vision.simulation.writing.parallel import run_jobs

EPISODES_FILE, EVALUATION_FILE = "episodes.jsonl", "evaluation.json"
_MOST_HOLDS = 3  # reasons named in a report


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Everything results depend on, besides the condition and the number of the episode."""

    policy: str
    policy_id: str
    policy_sha256: str
    perception_model: str
    seed: int
    latency_s: float
    joint_space: bool = False
    arm: str = SEVEN.name
    split: Split = "test"
    sizes_px: Sizes = DEFAULT_SIZES_PX
    environment: str = ""
    fixed_camera: bool = False


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
    joint_space: bool = False,
    arm: str = SEVEN.name,
    split: Split = "test",
    environment: str = "",
    fixed_camera: bool | None = None,
    out: Path | None = None,
    against: Path | None = None,
    on_progress: Callable[[int, int], object] = lambda *_: None,
) -> dict[str, Any]:
    """Run `episodes` of each condition, or those missing from `out`, and summarise them.

    `model` is the bundle of perception; empty: the one that the policy was trained on, by name.
    `arm` is the simulated robot's; in `joint_space` it is commanded by joint positions. `split`
    decides the scenes' looks. `environment` names an outside simulator (`module:function`)
    instead of ours; its episodes are then the only condition. With `fixed_camera` the front camera
    is where `demonstrations generate --fixed-camera` puts it; None: this applies to a policy that
    learnt its place. The policy `expert` is the simulated robot's own, the upper bound for ours.
    Writes `episodes.jsonl` and `evaluation.json` into `out`; finished episodes are kept however
    the run ends. `against` is the `out` of another run with the same seed, whose episodes are
    compared one by one. Raises `ConfigError` for unknown conditions, if `out` holds episodes of
    another policy, or if `against` holds other scenes.
    """
    unknown = [name for name in conditions if name not in CONDITIONS]
    if unknown and not environment:
        raise ConfigError(f"unknown conditions {unknown}; available: {', '.join(CONDITIONS)}")
    setup = replace(
        _setup(policy, model=model, seed=seed, latency_s=latency_s, environment=environment),
        joint_space=joint_space,
        arm=arm_named(arm).name,
        split=split,
        environment=environment,
    )
    if fixed_camera is not None:
        setup = replace(setup, fixed_camera=fixed_camera)
    if environment:
        conditions = [environment]
    other = None if against is None else _read_other(against, setup)
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
    if other is not None:
        mine = {key: found[key] for key in wanted}
        report["paired"] = {"against": str(against), **paired(other, mine)}
    if out:
        write_figures(out / EVALUATION_FILE, report)
    return report


def run_one(job: Job) -> Outcome:
    """Run one episode."""
    setup, name, number = job
    if setup.environment:
        return judge_outside(
            setup.environment,
            policy_of(setup.policy),
            seed=setup.seed,
            number=number,
            latency_s=setup.latency_s,
        )
    trial = draw_trial(
        CONDITIONS[name],
        seed=setup.seed,
        number=number,
        latency_s=setup.latency_s,
        arm=arm_named(setup.arm),
        split=setup.split,
        sizes_px=setup.sizes_px,
        fixed_camera=setup.fixed_camera,
    )
    common: dict[str, Any] = {
        "condition": name,
        "number": number,
        "joint_space": setup.joint_space,
    }
    with trial.world:
        if setup.policy == EXPERT:
            expert = ExpertPolicy(trial.world, trial.task)
            return judge_trial(trial, policy=expert, eyesight=None, **common)
        policy = policy_of(setup.policy)
        eyesight = None
        if setup.perception_model:
            eyesight = eyesight_of(setup.perception_model, policy.manifest.perception)
        shown, strays = policy.manifest.observation, misplaced(policy.manifest, trial.world)
        found = judge_trial(trial, policy=policy, eyesight=eyesight, shown=shown, **common)
        return replace(found, misplaced=strays)


def _setup(policy: str, *, model: str, seed: int, latency_s: float, environment: str) -> Setup:
    common: dict[str, Any] = {"policy": policy, "seed": seed, "latency_s": latency_s}
    if policy == EXPERT:
        if environment:
            raise ConfigError(f"the {EXPERT} knows only the simulated robot; name a bundle")
        name = f"{EXPERT}@1"
        return Setup(policy_id=name, policy_sha256="", perception_model="", **common)
    manifest = find_policy(policy).manifest
    if manifest.observation is not None and not environment:
        must_be_simulated(manifest.observation)
    if needs_perception(manifest):
        model = model or manifest.action_spec.perception_model_id.partition("@")[0]
        must_see_alike(manifest, model, eyesight_of(model, manifest.perception))
    return Setup(
        policy_id=manifest.policy_id,
        policy_sha256=manifest.sha256,
        perception_model=model if needs_perception(manifest) else "",
        sizes_px=_sizes_px(manifest),
        fixed_camera=known_to_stand(manifest) and not environment,
        **common,
    )


def _sizes_px(manifest: PolicyManifest) -> Sizes:
    """Sizes of front and wrist camera, as the policy takes them; perception has its fixed size."""
    shown = manifest.observation
    if shown is None:
        return DEFAULT_SIZES_PX
    own = {camera.name: (camera.width_px, camera.height_px) for camera in shown.cameras}
    front = SIZE_PX if needs_perception(manifest) else own.get(FRONT, SIZE_PX)
    return front, own.get(WRIST, WRIST_SIZE_PX)


def _read(out: Path, setup: Setup) -> dict[tuple[str, int], Outcome]:
    """Existing episodes; the first line describes them."""
    out.mkdir(parents=True, exist_ok=True)
    file = out / EPISODES_FILE
    asked = json.loads(json.dumps(asdict(setup)))
    kind, found = _parse(file) if file.exists() else ({}, {})
    other = [name for name in asked if asked[name] != kind.get(name)]
    if found and other:
        each = (f"{n} {quoted(kind.get(n))}, requested {quoted(asked[n])}" for n in other)
        raise ConfigError(
            f"{file} holds episodes of another evaluation ({'; '.join(each)}): choose another "
            "folder, or delete it"
        )
    if other:
        file.write_text(json.dumps(asked) + "\n")
    return found


def _read_other(folder: Path, setup: Setup) -> dict[tuple[str, int], Outcome]:
    """Episodes to compare with: of the same scenes, with any policy and any arm."""
    kind, found = _parse(folder / EPISODES_FILE)
    if kind["seed"] != setup.seed:
        raise ConfigError(
            f"{folder} holds episodes of seed {quoted(str(kind['seed']))}; expected seed "
            f"{setup.seed}: other scenes cannot be compared one by one"
        )
    return found


def _parse(file: Path) -> tuple[dict[str, Any], dict[tuple[str, int], Outcome]]:
    """The description of a file's episodes, and the episodes. Raises `ConfigError`."""
    first, *lines = read_text(file).split("\n")
    kind = parse_json(first, what=str(file))
    if not isinstance(kind, dict) or "seed" not in kind:
        raise ConfigError(f"{file} holds no episodes: it begins with {quoted(first)}")
    try:
        found = [parse_json(line, what=str(file)) for line in lines if line]
        outcomes = [Outcome(**values) for values in found]
    except TypeError as error:
        raise ConfigError(f"{file} holds no episodes: {quoted(error)}") from error
    before = {  # for files from before this was recorded
        "joint_space": False,
        "arm": SEVEN.name,
        "split": "test",
        "sizes_px": [list(size) for size in DEFAULT_SIZES_PX],
        "environment": "",
        "fixed_camera": False,
    }
    return before | kind, {(o.condition, o.number): o for o in outcomes}


def _report(setup: Setup, outcomes: list[Outcome]) -> dict[str, Any]:
    names = dict.fromkeys(o.condition for o in outcomes)
    delays = Delays()
    return {
        **asdict(setup),
        "period_s": delays.period_s,
        "acting_s": RobotSimConfig().lead_s,
        "remarks": _remarks(setup, outcomes),
        "conditions": {
            name: sum_up([o for o in outcomes if o.condition == name]) for name in names
        },
    }


def _remarks(setup: Setup, outcomes: list[Outcome]) -> list[str]:
    """Notes beyond the figures: that the policy held, or that cameras were elsewhere."""
    remarks = []
    failed = [o for o in outcomes if not o.success]
    for hold, count in Counter(o.last_hold for o in failed if o.last_hold).most_common(
        _MOST_HOLDS
    ):
        remarks.append(f"in {count} of {len(failed)} failures the policy held: {hold}")
    if strays := [o.misplaced for o in outcomes if o.misplaced]:
        advice = (
            "train it with the cameras of this arm"
            if setup.fixed_camera
            else "omit --no-fixed-camera, or train it with options.camera_poses=false"
        )
        remarks.append(
            f"in {len(strays)} of {len(outcomes)} episodes cameras were not where the policy has "
            f"them, and its use of pictures is off by as much: {'; '.join(strays[0])}; "
            f"{advice}"
        )
    return remarks
