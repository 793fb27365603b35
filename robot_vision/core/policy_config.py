"""Parameters of the policy: what it may do with the arm, and when it must hold."""

from robot_vision.core.config import Params, param


class SafetyConfig(Params):
    """Limits of what is sent to the arm. What is beyond is cut to the limit, counted and told."""

    workspace_min_m: list[float] = param(
        [0.2, -0.45, 0.0], "lowest x y z of the tool in the base frame", unit="m"
    )
    workspace_max_m: list[float] = param(
        [0.8, 0.45, 0.6], "highest x y z of the tool in the base frame", unit="m"
    )
    max_speed_mps: float = param(0.4, "linear speed of the tool", unit="m/s", gt=0, le=5)
    max_acceleration_mps2: float = param(3.0, "linear acceleration", unit="m/s^2", gt=0, le=100)
    max_jerk_mps3: float = param(60.0, "linear jerk", unit="m/s^3", gt=0, le=10000)
    max_turn_radps: float = param(1.5, "angular speed of the tool", unit="rad/s", gt=0, le=20)
    max_turn_radps2: float = param(10.0, "angular acceleration", unit="rad/s^2", gt=0, le=500)
    max_turn_radps3: float = param(200.0, "angular jerk", unit="rad/s^3", gt=0, le=50000)
    max_step_m: float = param(0.05, "largest Δ of one step of a chunk", unit="m", gt=0, le=1)
    max_step_rad: float = param(0.25, "largest turn of one step of a chunk", unit="rad", gt=0)
    gripper_close_below: float = param(0.4, "an open gripper closes below this", ge=0, le=1)
    gripper_open_above: float = param(0.6, "a closed gripper opens above this", ge=0, le=1)


class WatchdogConfig(Params):
    """How old what the arm is led by may be; beyond, it holds. 0 switches a check off."""

    perception_s: float = param(0.5, "oldest perception", unit="s", ge=0, le=10)
    robot_state_s: float = param(0.2, "oldest state of the robot", unit="s", ge=0, le=10)
    heartbeat_s: float = param(
        0.0, "longest pause of the dead-man heartbeat; 0: none is needed", unit="s", ge=0, le=10
    )


class PolicyConfig(Params):
    """From perception to commands."""

    policy: str = param("policy-s", "policy bundle: a name in the store or a folder")
    threads: int = param(0, "threads of the policy on the CPU; 0 takes all cores", ge=0, le=256)
    command_hz: float = param(100.0, "rate of the command stream", unit="Hz", ge=50, le=100)
    blend: float = param(
        0.1, "weight exp(-blend · age in chunks) of older chunks where they overlap", ge=0, le=10
    )
    safety: SafetyConfig = SafetyConfig()
    watchdog: WatchdogConfig = WatchdogConfig()
