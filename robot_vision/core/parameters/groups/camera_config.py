"""How to interpret the camera's calibration, depth and images."""

from typing import Literal

from robot_vision.core.parameters.params import Params, Uptake, param


class CameraConfig(Params):
    """Camera properties that messages leave out or get wrong."""

    uptake = Uptake.CONFIGURE

    rectified: Literal["auto", "yes", "no"] = param(
        "auto",
        "whether images are rectified, so that P applies instead of K and D; auto: by topic and "
        "roi",
    )
    depth_aligned: Literal["auto", "yes"] = param(
        "auto", "yes: depth is aligned to colour, whatever frames and camera_info say"
    )
    rotate: Literal[0, 90, 180, 270] = param(
        0,
        "rotate images clockwise before anything else, for a camera mounted on its side",
        unit="deg",
    )


class CameraPoseConfig(Params):
    """Where the camera stands: the pose of its optical frame in the base frame."""

    uptake = Uptake.CONFIGURE

    source: Literal["tf", "topic", "parameters"] = param(
        "tf", "tf: by tf2; topic: PoseStamped on camera_pose; parameters: the two below"
    )
    position_m: list[float] = param(
        [0.0, 0.0, 0.0], "of the camera in the base frame", unit="m", min_length=3, max_length=3
    )
    quaternion_xyzw: list[float] = param(
        [0.0, 0.0, 0.0, 1.0], "from the optical to the base frame", min_length=4, max_length=4
    )
