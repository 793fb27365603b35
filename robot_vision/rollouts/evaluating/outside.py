"""Runs policies in other simulators: any that can be reset, observed and acted in.

A function makes an environment, named `module:function` or `file.py:function`: importing
it runs its code, so it needs `--allow-code`.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, Float64

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.code_permission import OPTION, code_is_permitted
from robot_vision.core.files.foreign import quoted
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.types import Frame, Observation, RobotState
from robot_vision.policies.observing.history import History
from robot_vision.policies.registry import BundledPolicy
from robot_vision.rollouts.evaluating.closed_loop import ClosedLoop, Delays
from robot_vision.rollouts.evaluating.outcome import SUCCESS_S, Outcome, jump_ratio
from robot_vision.rollouts.pictures import PictureHistory, blind, needs_perception
from robot_vision.rollouts.simulated_perception import START_NS

_REMEMBERED_S = 2.0
_NO_ROTATION, _ROUNDING = 0.01, 1e-3
_MEMBERS = ("name", "control_s", "time_out_s", "reset", "observe", "act", "is_done")


@dataclass(frozen=True, kw_only=True, eq=False)
class Seen:
    """An environment's current report. Pictures by the names of the policy's cameras.

    `base_from_tool` has the tool's z axis along the fingers; `gripper_open` is 0 closed to 1
    open. Depth is in metres, 0 or NaN for none.
    """

    base_from_tool: Float64[np.ndarray, "4 4"]
    gripper_open: float
    rgb: Mapping[str, np.ndarray] = field(default_factory=dict)
    depth_m: Mapping[str, np.ndarray] = field(default_factory=dict)
    joint_position_rad: Float64[np.ndarray, " j"] = field(default_factory=lambda: np.zeros(0))
    joint_names: tuple[str, ...] = ()


@runtime_checkable
class Environment(Protocol):
    """A simulator with one arm. Its time advances only in `act`, by `control_s` per call."""

    name: str
    control_s: float
    time_out_s: float

    def reset(self, seed: int) -> str:
        """Begin the episode with this seed; returns the instruction for its task."""
        ...

    def observe(self, *, pictures: bool) -> Seen:
        """The current observation; without `pictures` only the arm."""
        ...

    def act(self, base_from_tool: Float64[np.ndarray, "4 4"], gripper_open: float) -> None:
        """Follow this target (base frame, metres; 0 closed to 1 open) for `control_s`."""
        ...

    def is_done(self) -> bool:
        """Whether the task is currently done."""
        ...


@lru_cache(maxsize=1)
def environment_of(name: str) -> Environment:
    """The environment that `module:function` makes. Raises `ConfigError`."""
    if not code_is_permitted():
        raise ConfigError(f"environment {name!r} would run code: allow it with {OPTION}")
    module, _, function = name.rpartition(":")
    if not (module and function):
        raise ConfigError(f"environment {name!r}; expected module:function or file.py:function")
    try:
        make = getattr(_imported(module), function)
    except (ImportError, AttributeError, OSError) as error:
        raise ConfigError(f"environment {name!r}: {error}") from error
    found = make()
    if missing := [member for member in _MEMBERS if not hasattr(found, member)]:
        raise ConfigError(f"environment {name!r} lacks {', '.join(missing)}")
    for member in ("control_s", "time_out_s"):
        if not getattr(found, member) > 0:
            raise ConfigError(
                f"environment {name!r}: {member} is {getattr(found, member)}, expected seconds "
                "above 0"
            )
    return found


def _imported(module: str) -> ModuleType:
    if not module.endswith(".py"):
        return importlib.import_module(module)
    spec = spec_from_file_location(Path(module).stem, module)
    assert spec is not None
    assert spec.loader is not None
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


class OutsideArm:
    """An environment's arm on the closed loop's clock, which ticks faster than the arm acts."""

    def __init__(self, environment: Environment) -> None:
        self._environment, self._owed_s = environment, 0.0
        self.time_s = 0.0
        seen = environment.observe(pictures=False)
        self._target, self._gripper_open = seen.base_from_tool, seen.gripper_open

    def state(self, stamp_ns: int) -> RobotState:
        return robot_state(self._environment, self._environment.observe(pictures=False), stamp_ns)

    def command(self, base_from_tool: Float[np.ndarray, "4 4"], gripper_open: float) -> None:
        self._target, self._gripper_open = np.array(base_from_tool), float(gripper_open)

    def step(self, seconds: float) -> None:
        """Advance time; the environment acts whenever its control period is over."""
        self.time_s += seconds
        self._owed_s += seconds
        while self._owed_s > self._environment.control_s - 1e-6:
            self._environment.act(self._target, self._gripper_open)
            self._owed_s -= self._environment.control_s


class OutsideSight:
    """Observations of a foreign environment without perception (ours: `SimulatedPerception`)."""

    def __init__(self, environment: Environment, arm: OutsideArm, shown: ObservationSpec) -> None:
        self._environment, self._arm = environment, arm
        self._history, self._step_s = shown.steps - 1, shown.step_s
        self._pictures = PictureHistory(shown)
        self._states = History(keep_s=shown.steps * shown.step_s + _REMEMBERED_S)
        self.note()

    @property
    def now_ns(self) -> int:
        return START_NS + round(self._arm.time_s * NS_PER_S)

    def note(self) -> bool:
        """Add the arm's report."""
        self._states.add(self._arm.state(self.now_ns))
        return True

    def see(self, *, depth: bool, lost: tuple[str, ...]) -> Observation:
        """Raises `ConfigError` if the environment lacks a camera of the policy."""
        stamp_ns, seen = self.now_ns, self._environment.observe(pictures=True)
        for camera in self._pictures.cameras:
            if camera.name in lost:
                continue
            if camera.name not in seen.rgb:
                raise ConfigError(
                    f"{self._environment.name} has no camera {camera.name!r}, which the policy "
                    f"needs; it has {sorted(seen.rgb)}"
                )
            has_depth = depth and camera.has_depth and camera.name in seen.depth_m
            rgb = np.asarray(seen.rgb[camera.name])
            if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3:
                raise ConfigError(
                    f"{self._environment.name}: the picture of {camera.name!r} is {rgb.dtype} of "
                    f"shape {rgb.shape}, expected uint8 [height, width, 3]"
                )
            self._pictures.add(
                camera.name,
                Frame(
                    stamp_ns=stamp_ns,
                    frame_id=camera.name,
                    rgb=rgb.copy(),
                    depth_m=np.array(seen.depth_m[camera.name], np.float32) if has_depth else None,
                ),
            )
        unseen = blind(
            robot_state(self._environment, seen, stamp_ns),
            stamp_ns=stamp_ns,
            base_from_camera=np.eye(4),
            history=self._states.before(stamp_ns, count=self._history, step_s=self._step_s),
        )
        return replace(unseen, pictures=self._pictures.pictures)


def robot_state(environment: Environment, seen: Seen, stamp_ns: int) -> RobotState:
    """The arm in an environment's report, copied: the environment may overwrite its arrays.

    Raises `ConfigError` for an invalid pose, opening or number of joints.
    """
    pose, joints = np.array(seen.base_from_tool, float), np.array(seen.joint_position_rad, float)
    is_pose = pose.shape == (4, 4) and np.isfinite(pose).all()
    if not is_pose or abs(np.linalg.det(pose[:3, :3]) - 1) > _NO_ROTATION:
        raise ConfigError(
            f"{environment.name}: base_from_tool is {quoted(pose.tolist())}, expected a 4×4 "
            "matrix of a rotation and a position in m"
        )
    if not -_ROUNDING <= seen.gripper_open <= 1 + _ROUNDING:
        raise ConfigError(
            f"{environment.name}: gripper_open is {seen.gripper_open}, expected 0 (closed) to 1"
        )
    if joints.shape != (len(seen.joint_names),) or not np.isfinite(joints).all():
        raise ConfigError(
            f"{environment.name}: joint_position_rad is {quoted(joints.tolist())}, expected "
            f"{len(seen.joint_names)} finite numbers, one for each of joint_names"
        )
    return RobotState(
        stamp_ns=stamp_ns,
        joint_position_rad=joints,
        base_from_tool=pose,
        gripper_open=float(np.clip(seen.gripper_open, 0.0, 1.0)),
        joint_names=seen.joint_names,
    )


def judge_outside(
    name: str, policy: BundledPolicy, *, seed: int, number: int, latency_s: float
) -> Outcome:
    """One episode of an outside simulator. Raises `ConfigError` for policies without pictures."""
    shown = policy.manifest.observation
    if shown is None or needs_perception(policy.manifest):
        raise ConfigError(
            f"{policy.manifest.policy_id} needs perception, which outside simulators do not have; "
            "give a policy that sees pictures alone"
        )
    environment = environment_of(name)
    words = environment.reset(episode_seed(seed, number))
    if not isinstance(words, str):
        raise ConfigError(
            f"{environment.name}: reset returned {quoted(words)}, expected the instruction"
        )
    arm = OutsideArm(environment)
    sight = OutsideSight(environment, arm, shown)
    loop = ClosedLoop(sight, arm, policy, words, delays=Delays(latency_s=latency_s))
    start_m = arm.state(START_NS).base_from_tool[:3, 3]
    succeeded = _run(environment, arm, loop)
    moved_m = float(np.linalg.norm(arm.state(START_NS).base_from_tool[:3, 3] - start_m))
    decision = loop.decision
    return Outcome(
        condition=name,
        number=number,
        kind=environment.name,
        words=words,
        success=succeeded,
        first_touched=None,
        moved_m=round(moved_m, 4),
        time_s=round(arm.time_s, 2),
        seen=None,
        pointed=None,
        starved=loop.record.starved,
        jump=jump_ratio(loop.record),
        commands=loop.record.commands,
        interventions=loop.record.interventions,
        last_hold=decision.hold_reason if decision else "",
    )


def _run(environment: Environment, arm: OutsideArm, loop: ClosedLoop) -> bool:
    """Run until the task has been done for a while, or its time is up; returns which."""
    since_s: float | None = None
    while arm.time_s < environment.time_out_s:
        if loop.advance() is not None:
            continue
        if not environment.is_done():
            since_s = None
            continue
        since_s = arm.time_s if since_s is None else since_s
        if arm.time_s - since_s >= SUCCESS_S - 1e-6:
            return True
    return False


def episode_seed(seed: int, number: int) -> int:
    """A distinct seed for each episode of an evaluation."""
    return int(np.random.SeedSequence((seed, number)).generate_state(1)[0])
