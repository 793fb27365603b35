"""Parameters of joint-space commands: how joints follow the stream of tool poses."""

from typing import Literal

from pydantic import model_validator

from robot_vision.core.params import Params, param


class JointSpaceConfig(Params):
    """Inverse kinematics within the limits of `robot_description`, with room to spare."""

    enabled: bool = param(False, "command joints as well, by robot_description")
    output: Literal["topic", "action"] = param(
        "topic",
        "topic: joint trajectories and velocities; action: goals of FollowJointTrajectory too "
        "(needs control_msgs)",
    )
    action: str = param(
        "joint_trajectory_controller/follow_joint_trajectory",
        "name of the FollowJointTrajectory action",
        min_length=1,
    )
    goal_period_s: float = param(
        0.1, "time between two goals; the arm is behind by as much", unit="s", ge=0.02, le=1
    )
    base_link: str = param("", "link that tool poses are relative to; empty: frames.base")
    tool_link: str = param("", "link that is commanded; empty: frames.tool")
    velocity_scale: float = param(0.8, "share of the URDF's velocity limits in use", gt=0, le=1)
    unlimited_velocity: float = param(
        1.0, "velocity limit of joints whose URDF has none", unit="rad/s or m/s", gt=0, le=20
    )
    max_acceleration: list[float] = param(
        [8.0],
        "acceleration limit: one for all joints, or one a joint from base to tool (the URDF "
        "has none)",
        unit="rad/s^2 or m/s^2",
        min_length=1,
        max_length=32,
    )
    position_margin: float = param(
        0.03, "distance kept from the URDF's position limits", unit="rad or m", ge=0, le=1
    )
    rest: list[float] = param(
        [],
        "posture that spare joints tend to, from base to tool; empty: the middle of the limits",
        unit="rad or m",
        max_length=32,
    )
    rest_rate: float = param(
        0.5, "how fast spare joints go there; 0: not at all", unit="1/s", ge=0, le=10
    )
    damping: float = param(
        0.05, "largest damping of the inverse, at a singularity", unit="m", gt=0, le=1
    )
    damped_below: float = param(
        0.06, "damp where the Jacobian's smallest singular value is below", unit="m", gt=0, le=1
    )
    singular_below: float = param(
        0.01, "hold rather than bring it below this; 0: not checked", unit="m", ge=0, le=1
    )
    self_collision_m: float = param(
        0.01,
        "hold rather than bring links nearer to each other than this; 0: not checked",
        unit="m",
        ge=0,
        le=1,
    )
    lag_m: float = param(
        0.03, "hold where the joints fall behind the stream by more", unit="m", gt=0, le=1
    )
    lag_rad: float = param(0.05, "or turn behind it by more", unit="rad", gt=0, le=3)
    reach_s: float = param(
        0.05,
        "a trajectory's first point is due so long after its stamp: what the way to the "
        "controller may take",
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
            raise ValueError("output 'action' commands joints: expected enabled: true as well")
        if not all(abs(place) <= 100 for place in self.rest):
            raise ValueError(f"rest {self.rest}: expected finite positions within ±100")
        return self
