"""Parameters of joint-space commands: how joints follow the stream of tool poses."""

from typing import Literal

from pydantic import model_validator

from robot_vision.core.parameters.params import Params, param


class JointSpaceConfig(Params):
    """Inverse kinematics within the limits of `robot_description`, with room to spare."""

    enabled: bool = param(False, "also command joints, using robot_description")
    output: Literal["topic", "action"] = param(
        "topic",
        "topic: joint trajectories and velocities; action: also goals of FollowJointTrajectory "
        "(needs control_msgs)",
    )
    action: str = param(
        "joint_trajectory_controller/follow_joint_trajectory",
        "name of the FollowJointTrajectory action",
        min_length=1,
    )
    goal_period_s: float = param(
        0.1, "time between two goals; the arm lags by as much", unit="s", ge=0.02, le=1
    )
    base_link: str = param("", "link that tool poses are relative to; empty: frames.base")
    tool_link: str = param("", "link that is commanded; empty: frames.tool")
    velocity_scale: float = param(0.8, "share of the URDF's velocity limits to use", gt=0, le=1)
    unlimited_velocity: float = param(
        1.0, "velocity limit of joints whose URDF has none", unit="rad/s or m/s", gt=0, le=20
    )
    max_acceleration: list[float] = param(
        [8.0],
        "acceleration limit: one for all joints, or one per joint from base to tool (URDFs have "
        "none)",
        unit="rad/s^2 or m/s^2",
        min_length=1,
        max_length=32,
    )
    position_margin: float = param(
        0.03, "margin to the URDF's position limits", unit="rad or m", ge=0, le=1
    )
    rest: list[float] = param(
        [],
        "posture that redundant joints drift to, from base to tool; empty: the middle of the "
        "limits",
        unit="rad or m",
        max_length=32,
    )
    rest_rate: float = param(
        0.5, "how fast redundant joints move there; 0: not at all", unit="1/s", ge=0, le=10
    )
    damping: float = param(
        0.05, "largest damping of the inverse, at a singularity", unit="m", gt=0, le=1
    )
    damped_below: float = param(
        0.06, "damp if the Jacobian's smallest singular value is below this", unit="m", gt=0, le=1
    )
    singular_below: float = param(
        0.01,
        "hold rather than reduce that singular value below this; 0: not checked",
        unit="m",
        ge=0,
        le=1,
    )
    self_collision_m: float = param(
        0.01,
        "hold rather than bring links closer to each other than this; 0: not checked",
        unit="m",
        ge=0,
        le=1,
    )
    lag_m: float = param(
        0.03,
        "hold if the joints lag the commanded tool by more than this distance",
        unit="m",
        gt=0,
        le=1,
    )
    lag_rad: float = param(0.05, "or by more than this angle", unit="rad", gt=0, le=3)
    reach_s: float = param(
        0.05,
        "a trajectory's first point is due this long after its stamp: allowance for the way to "
        "the controller",
        unit="s",
        ge=0.01,
        le=1,
    )

    @model_validator(mode="after")
    def _check_numbers(self) -> "JointSpaceConfig":
        if not all(0 < most <= 1000 for most in self.max_acceleration):
            raise ValueError(
                f"max_acceleration {self.max_acceleration}: expected numbers above 0, at most 1000"
            )
        if self.output == "action" and not self.enabled:
            raise ValueError("output 'action' commands joints; also set enabled: true")
        if not all(abs(place) <= 100 for place in self.rest):
            raise ValueError(f"rest {self.rest}: expected finite positions within ±100")
        return self
