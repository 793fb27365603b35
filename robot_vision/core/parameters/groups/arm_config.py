"""Limits of plausible arm motion: state reports beyond them are rejected."""

from robot_vision.core.parameters.config import Params, param


class PlausibleArmConfig(Params):
    """Which arm states are accepted. 0 disables a limit where 0 is allowed."""

    max_speed_mps: float = param(
        2.0, "highest speed of the tool; a state that implies more is rejected", unit="m/s",
        gt=0, le=20,
    )  # fmt: skip
    max_turn_radps: float = param(
        8.0, "highest angular speed of the tool", unit="rad/s", gt=0, le=100
    )
    max_joint_speed: float = param(
        15.0, "highest speed of a joint; 0: not checked", unit="rad/s or m/s", ge=0, le=1000
    )
    slack_m: float = param(
        0.01,
        "distance that noise and stamp errors may add between two states",
        unit="m",
        ge=0,
        le=1,
    )
    slack_rad: float = param(
        0.1, "angle that they may add, for the tool and for a joint", unit="rad", ge=0, le=3
    )
    gap_s: float = param(
        0.1,
        "a gap without states allows a move of at most this duration at full speed, however long "
        "it was",
        unit="s",
        gt=0,
        le=5,
    )
    reach_m: float = param(
        5.0, "largest distance of the tool from the base", unit="m", gt=0, le=100
    )
    steady_samples: int = param(
        5,
        "consecutive states that must agree before they are accepted after a jump, and before "
        "commands start",
        ge=2,
        le=1000,
    )
    steady_s: float = param(0.1, "and the time they must span at least", unit="s", ge=0, le=10)
    consistent_m: float = param(
        0.05,
        "largest distance between the tool pose and forward kinematics by robot_description; 0: "
        "not compared",
        unit="m",
        ge=0,
        le=1,
    )
    consistent_rad: float = param(
        0.25, "largest angle between the two; 0: not compared", unit="rad", ge=0, le=3
    )
    description_bytes: int = param(
        1_000_000, "largest robot_description that is read", unit="bytes", gt=0, le=10**9
    )


class ArmConfig(PlausibleArmConfig):
    """Plausible states, and the conditions under which commands may start and continue."""

    steady_m: float = param(
        0.005,
        "commands start only while these states differ by at most this distance",
        unit="m",
        gt=0,
        le=1,
    )
    steady_rad: float = param(0.03, "and by at most this angle", unit="rad", gt=0, le=3)
    start_wait_s: float = param(
        1.0,
        "longest wait for that after ~/enable, and for an arm that does not follow; then "
        "~/enable must be called again",
        unit="s",
        gt=0, le=60,
    )  # fmt: skip
    outside_m: float = param(
        0.05, "commands may start this far outside the workspace, and then only move inwards",
        unit="m", ge=0, le=1,
    )  # fmt: skip
    restart_m: float = param(
        0.1,
        "commands resume after a gap in the arm's states if the tool is within this distance of "
        "its commanded pose; otherwise ~/enable must be called again",
        unit="m",
        gt=0,
        le=2,
    )
    restart_rad: float = param(0.6, "and within this angle", unit="rad", gt=0, le=3)
    frozen_s: float = param(
        0.2, "longest time all values may stay identical while commands move; 0: not checked",
        unit="s", ge=0, le=10,
    )  # fmt: skip
    frozen_m: float = param(
        0.02, "the arm need not follow commands that moved by less", unit="m", gt=0, le=1
    )
    frozen_rad: float = param(0.1, "nor commands that turned by less", unit="rad", gt=0)
    joints: list[str] = param(
        [],
        "joints of the arm, if robot_description does not name them; empty: the largest group "
        "reported together, and the gripper's",
    )
