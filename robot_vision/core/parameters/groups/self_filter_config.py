"""Parameters of the self-filter: how the robot's own links are removed from perception."""

from robot_vision.core.parameters.params import Params, Uptake, param


class SelfFilterConfig(Params):
    """Active once a `robot_description` is received; without one nothing changes."""

    uptake = Uptake.CONFIGURE

    enabled: bool = param(True, "keep the links of robot_description out of detections and 3-D")
    base_link: str = param(
        "", "link relative to which tf or camera_pose gives the camera's pose; empty: the root"
    )
    ignored_links: list[str] = param([], "links that are not part of the robot, such as a table")
    padding_m: float = param(
        0.005, "links are enlarged by this on every side", unit="m", ge=0, le=0.2
    )
    tolerance_m: float = param(
        0.015,
        "largest difference between measured depth and the depth of the robot's surface",
        unit="m",
        gt=0,
        le=0.5,
    )
    removed_share: float = param(
        0.6,
        "detections with at least this share of their mask (or box) on the robot are removed",
        gt=0,
        le=1,
    )
    max_joint_age_s: float = param(
        0.05,
        "largest time between a frame and the joint states for its mask; otherwise there is "
        "no mask",
        unit="s",
        gt=0,
        le=5,
    )
    max_joint_speed: float = param(
        15.0,
        "joint states that imply a higher joint speed are rejected; 0: not checked",
        unit="rad/s or m/s",
        ge=0,
        le=1000,
    )
    description_bytes: int = param(
        4_000_000, "largest robot_description that is read", unit="bytes", ge=1000, le=100_000_000
    )
