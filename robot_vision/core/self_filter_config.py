"""Parameters of the self-filter: how the robot's own links are kept out of what is seen."""

from robot_vision.core.params import Params, Uptake, param


class SelfFilterConfig(Params):
    """It works where a `robot_description` is received; without one nothing changes."""

    uptake = Uptake.CONFIGURE

    enabled: bool = param(True, "keep the links of robot_description out of detections and 3-D")
    base_link: str = param(
        "", "link that the camera's pose is known in, by tf or camera_pose; empty: the root"
    )
    ignored_links: list[str] = param([], "links that are not the robot's own, such as a table")
    padding_m: float = param(
        0.005, "links are taken as larger by this on every side", unit="m", ge=0, le=0.2
    )
    tolerance_m: float = param(
        0.015,
        "depth of the robot's surface and measured depth differ by no more",
        unit="m",
        gt=0,
        le=0.5,
    )
    removed_share: float = param(
        0.6,
        "a detection with this share of its mask (or box) on the robot is removed",
        gt=0,
        le=1,
    )
    max_joint_age_s: float = param(
        0.05, "without joints reported so near to the frame there is no mask", unit="s", gt=0, le=5
    )
    max_joint_speed: float = param(
        15.0,
        "a report of a joint that would have to be faster is not believed; 0: not checked",
        unit="rad/s or m/s",
        ge=0,
        le=1000,
    )
    description_bytes: int = param(
        4_000_000, "largest robot_description", unit="bytes", ge=1000, le=100_000_000
    )
