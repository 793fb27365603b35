"""Parameters of the policy: what it may do with the arm, and when it must hold.

The defaults suit an arm of about 0.85 m reach at the edge of a table.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from robot_vision.core.parameters.config import Params, param
from robot_vision.core.parameters.groups.arm_config import ArmConfig
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig

_Finite = Annotated[float, Field(allow_inf_nan=False)]
Point = list[_Finite]


def _point(default: list[float], description: str) -> Any:
    return param(default, description, unit="m", min_length=3, max_length=3)


class SafetyConfig(Params):
    """Limits of what is sent to the arm. Values beyond are cut to the limit, counted and
    reported."""

    workspace_min_m: Point = _point(
        [0.2, -0.45, 0.013], "smallest x y z of the tool in the base frame"
    )
    workspace_max_m: Point = _point(
        [0.8, 0.45, 0.6], "largest x y z of the tool in the base frame"
    )
    max_speed_mps: float = param(0.4, "linear speed of the tool", unit="m/s", gt=0, le=5)
    max_acceleration_mps2: float = param(3.0, "linear acceleration", unit="m/s^2", gt=0, le=100)
    max_jerk_mps3: float = param(60.0, "linear jerk", unit="m/s^3", gt=0, le=10000)
    max_turn_radps: float = param(1.5, "angular speed of the tool", unit="rad/s", gt=0, le=20)
    max_turn_radps2: float = param(10.0, "angular acceleration", unit="rad/s^2", gt=0, le=500)
    max_turn_radps3: float = param(200.0, "angular jerk", unit="rad/s^3", gt=0, le=50000)
    max_step_m: float = param(
        0.05, "largest translation of one step of a chunk", unit="m", gt=0, le=1
    )
    max_step_rad: float = param(
        0.25, "largest rotation of one step of a chunk", unit="rad", gt=0, le=3
    )
    gripper_close_below: float = param(
        0.4, "an open gripper closes if the command falls below this", ge=0, le=1
    )
    gripper_open_above: float = param(
        0.6, "a closed gripper opens if the command rises above this", ge=0, le=1
    )

    @model_validator(mode="after")
    def _check_together(self) -> "SafetyConfig":
        pairs = zip("xyz", self.workspace_min_m, self.workspace_max_m, strict=True)
        empty = [f"{axis}: {low} ≥ {high}" for axis, low, high in pairs if low >= high]
        if empty:
            raise ValueError(
                f"workspace_min_m must be below workspace_max_m, but {', '.join(empty)}"
            )
        if self.gripper_close_below > self.gripper_open_above:
            raise ValueError(
                f"gripper_close_below {self.gripper_close_below} must not be above "
                f"gripper_open_above {self.gripper_open_above}"
            )
        for jerk, acceleration in (
            ("max_jerk_mps3", "max_acceleration_mps2"),
            ("max_turn_radps3", "max_turn_radps2"),
        ):
            window_s = 2 * getattr(self, acceleration) / getattr(self, jerk)
            if window_s > 1.0:
                least = 2 * getattr(self, acceleration)
                raise ValueError(
                    f"{jerk} {getattr(self, jerk)} is too low for {acceleration} "
                    f"{getattr(self, acceleration)}: the arm would lag by {window_s / 2:.1f} s; "
                    f"expected at least {least}"
                )
        return self


class WatchdogConfig(Params):
    """Largest ages of the policy's inputs; beyond them the arm holds. 0 disables a check."""

    perception_s: float = param(0.5, "largest age of perception", unit="s", ge=0, le=10)
    depth_s: float = param(
        0.5,
        "longest time without measured depth; 0: the arm moves on colour alone, too",
        unit="s",
        ge=0,
        le=10,
    )
    robot_state_s: float = param(0.2, "largest age of the robot's state", unit="s", ge=0, le=10)
    heartbeat_s: float = param(
        0.0,
        "longest gap of the dead-man heartbeat; 0: no heartbeat is needed",
        unit="s",
        ge=0,
        le=10,
    )
    tracking_m: float = param(
        0.1, "largest distance between the measured and the commanded tool", unit="m", ge=0, le=2
    )
    tracking_rad: float = param(
        0.6, "largest angle between the measured and the commanded tool", unit="rad", ge=0, le=3
    )


class PointingConfig(Params):
    """Whether what words name in perception (`~/grounded`) has a say in what is pointed at."""

    grounded: Literal["off", "prefer", "require"] = param(
        "off",
        "the first phrase of perception's prompt names the target, the second the destination; "
        "where they name no track: prefer: the policy points by itself, require: it holds",
    )
    stale_s: float = param(
        0.5, "longest time since what words name was seen", unit="s", gt=0, le=10
    )
    min_overlap: float = param(
        0.5, "IoU of its box with a track's from which on both are the same", gt=0, le=1
    )


class PolicyConfig(Params):
    """The policy, from perception to commands."""

    policy: str = param("policy-s", "policy bundle: a name in the store or a folder")
    threads: int = param(1, "threads of the policy on the CPU; 0: all cores", ge=0, le=256)
    command_hz: float = param(100.0, "rate of the command stream", unit="Hz", ge=50, le=100)
    max_instruction_chars: int = param(
        500, "longer instructions are rejected", unit="characters", gt=0, le=100_000
    )
    blend_s: float = param(
        0.15,
        "time constant for blending overlapping chunks: one older by this weighs e times less",
        unit="s",
        gt=0,
        le=10,
    )
    follow_s: float = param(
        0.05, "time constant with which commands follow targets", unit="s", ge=0.04, le=1
    )
    pointing: PointingConfig = PointingConfig()
    safety: SafetyConfig = SafetyConfig()
    watchdog: WatchdogConfig = WatchdogConfig()
    arm: ArmConfig = ArmConfig()
    joint_space: JointSpaceConfig = JointSpaceConfig()
