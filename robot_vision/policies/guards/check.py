"""A policy whose actions do not match what the robot expects does not start."""

import math

from robot_vision.core.errors import ConfigError
from robot_vision.core.interfaces import PointingPolicy, Policy
from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.core.parameters.groups.policy_config import PointingConfig

# Rates that differ by less count as equal.
_RATE_SHARE = 0.02


def check_spec(
    spec: ActionSpec,
    *,
    perception_model_id: str | None = None,
    frame_id: str | None = None,
    tool_frame_id: str | None = None,
    rotation: str | None = None,
    delta: str | None = None,
    gripper: str | None = None,
    names: tuple[str, ...] | None = None,
    step_s: float | None = None,
    horizon: int | None = None,
    statistics_sha256: str | None = None,
    identity: str | None = None,
    joint_names: tuple[str, ...] | None = None,
) -> None:
    """Compare a policy's spec with what the robot expects; None accepts anything.

    Raises `ConfigError` listing every difference and impossible statistics.
    """
    expected = {
        "perception_model_id": perception_model_id,
        "frame_id": frame_id,
        "tool_frame_id": tool_frame_id,
        "rotation": rotation,
        "delta": delta,
        "gripper": gripper,
        "names": names,
        "step_s": step_s,
        "horizon": horizon,
        "identity": identity,
        "joint_names": joint_names,
    }
    wrong = [
        f"{name} is {getattr(spec, name)!r}, expected {value!r}"
        for name, value in expected.items()
        if value is not None and getattr(spec, name) != value
    ]
    ours = spec.statistics.sha256
    if statistics_sha256 is not None and ours != statistics_sha256:
        wrong.append(f"the statistics' hash is {ours}, expected {statistics_sha256}")
    numbers = (*spec.statistics.mean, *spec.statistics.scale)
    if not all(map(math.isfinite, numbers)) or min(spec.statistics.scale) <= 0:
        wrong.append(
            f"statistics must be finite with scales above zero, got mean {spec.statistics.mean} "
            f"and scale {spec.statistics.scale}"
        )
    if wrong:
        raise ConfigError(f"the actions of {spec.model_id} do not fit: {'; '.join(wrong)}")


def foreign_perception(spec: ActionSpec, model_id: str) -> str:
    """Why a policy cannot use this perception; empty if it can."""
    wanted = spec.perception_model_id
    if model_id == wanted:
        return ""
    return f"perception runs {model_id}, but {spec.model_id} was trained on {wanted}"


def check_points(policy: Policy, pointing: PointingConfig) -> None:
    """Raises `ConfigError` where words are to have a say and the policy points at no tracks."""
    if pointing.grounded != "off" and not isinstance(policy, PointingPolicy):
        raise ConfigError(
            f"pointing.grounded is {pointing.grounded!r}, and {policy.spec.model_id} points at "
            "no tracks; expected 'off', or a policy of kind 'tokens'"
        )


def check_observation(
    spec: ActionSpec,
    observation: ObservationSpec | None,
    *,
    cameras: tuple[str, ...] | None = None,
    rate_hz: float | None = None,
) -> None:
    """Compare a policy's observation with the robot's cameras and rate; None accepts anything.

    The rate is that of the chunk's steps. Raises `ConfigError` listing every difference.
    """
    needed = () if observation is None else tuple(camera.name for camera in observation.cameras)
    wrong = [
        f"it uses camera {name!r}, which the robot does not have: expected one of "
        f"{', '.join(cameras)}"
        for name in needed
        if cameras is not None and name not in cameras
    ]
    ours_hz = 1.0 / spec.step_s
    if rate_hz is not None and abs(ours_hz - rate_hz) > _RATE_SHARE * rate_hz:
        wrong.append(f"it gives {ours_hz:g} actions per second, expected {rate_hz:g}")
    if wrong:
        raise ConfigError(f"the observation of {spec.model_id} does not fit: {'; '.join(wrong)}")
