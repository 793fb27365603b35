"""A policy whose actions mean something else than the robot takes does not start."""

import math

from robot_vision.core.action_spec import ActionSpec
from robot_vision.core.errors import ConfigError


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
) -> None:
    """Compare a policy's spec with what the other side expects; None takes anything.

    Raises `ConfigError` that lists every difference, and statistics that no action can have.
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
    }
    wrong = [
        f"{name} is {getattr(spec, name)!r}, expected {value!r}"
        for name, value in expected.items()
        if value is not None and getattr(spec, name) != value
    ]
    ours = spec.statistics.sha256
    if statistics_sha256 is not None and ours != statistics_sha256:
        wrong.append(f"statistics have the hash {ours}, expected {statistics_sha256}")
    numbers = (*spec.statistics.mean, *spec.statistics.scale)
    if not all(map(math.isfinite, numbers)) or min(spec.statistics.scale) <= 0:
        wrong.append(
            f"statistics must be finite with scales above zero, got mean {spec.statistics.mean} "
            f"and scale {spec.statistics.scale}"
        )
    if wrong:
        raise ConfigError(f"the actions of {spec.model_id} do not fit: {'; '.join(wrong)}")
