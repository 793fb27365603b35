"""Parameters of what an arm can plausibly do: reports of its state beyond them are refused."""

from robot_vision.core.config import Params, param


class PlausibleArmConfig(Params):
    """Which states of the arm are believed. 0 switches a limit off where it is allowed."""

    max_speed_mps: float = param(
        2.0, "fastest that the tool can move; a state that needs more is refused", unit="m/s",
        gt=0, le=20,
    )  # fmt: skip
    max_turn_radps: float = param(
        8.0, "fastest that the tool can turn", unit="rad/s", gt=0, le=100
    )
    max_joint_speed: float = param(
        15.0, "fastest that a joint can move; 0: not checked", unit="rad/s or m/s", ge=0, le=1000
    )
    slack_m: float = param(
        0.01, "what noise and stamps may add to a move between two states", unit="m", ge=0, le=1
    )
    slack_rad: float = param(
        0.1, "what they may add to a turn, and to a joint's move", unit="rad", ge=0, le=3
    )
    gap_s: float = param(
        0.1,
        "silence longer than this allows no larger move than this: who was away comes back near",
        unit="s",
        gt=0,
        le=5,
    )
    reach_m: float = param(
        5.0, "farthest from the base that the tool can be", unit="m", gt=0, le=100
    )
    steady_samples: int = param(
        5,
        "states in a row that must agree to be believed after a jump, and for commands to start",
        ge=2,
        le=1000,
    )
    steady_s: float = param(0.1, "and over so long at least", unit="s", ge=0, le=10)
    consistent_m: float = param(
        0.05,
        "largest distance of the tool pose from that of the joints by robot_description; "
        "0: not compared",
        unit="m",
        ge=0,
        le=1,
    )
    consistent_rad: float = param(
        0.25, "largest turn between the two; 0: not compared", unit="rad", ge=0, le=3
    )
    description_bytes: int = param(
        1_000_000, "longest robot_description that is read", unit="bytes", gt=0, le=10**9
    )


class ArmConfig(PlausibleArmConfig):
    """The same, and from which of them commands may start and go on."""

    steady_m: float = param(
        0.005, "commands start while these states differ by no more", unit="m", gt=0, le=1
    )
    steady_rad: float = param(0.03, "and turn by no more", unit="rad", gt=0, le=3)
    start_wait_s: float = param(
        1.0,
        "longest wait for that after ~/enable, and for an arm that does not follow; then "
        "~/enable is asked for again",
        unit="s",
        gt=0, le=60,
    )  # fmt: skip
    outside_m: float = param(
        0.05, "commands may start so far outside the workspace; they only go inwards", unit="m",
        ge=0, le=1,
    )  # fmt: skip
    restart_m: float = param(
        0.1,
        "commands go on after a gap in the arm's states if the tool is so near to the commanded "
        "one; else ~/enable is asked for again",
        unit="m",
        gt=0,
        le=2,
    )
    restart_rad: float = param(0.6, "and is turned from it by no more", unit="rad", gt=0, le=3)
    frozen_s: float = param(
        0.2, "longest that all values may stay the same while commands move; 0: not checked",
        unit="s", ge=0, le=10,
    )  # fmt: skip
    frozen_m: float = param(
        0.02, "commands that moved by less need not be followed", unit="m", gt=0, le=1
    )
    frozen_rad: float = param(0.1, "commands that turned by less need not be", unit="rad", gt=0)
    joints: list[str] = param(
        [],
        "joints of the arm, if robot_description does not name them; empty: those reported "
        "with most others, and the gripper's",
    )
