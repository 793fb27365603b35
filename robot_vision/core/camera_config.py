"""How the camera's calibration, its depth and its images are to be understood."""

from typing import Literal

from robot_vision.core.params import Params, param


class CameraConfig(Params):
    """What messages leave open about a camera, or say wrongly."""

    rectified: Literal["auto", "yes", "no"] = param(
        "auto",
        "whether images are rectified, so that P holds and not K and D; auto: by topic and roi",
    )
    depth_aligned: Literal["auto", "yes"] = param(
        "auto", "yes: depth shows what colour shows, whatever frames and camera_info say"
    )
    rotate: Literal[0, 90, 180, 270] = param(
        0, "turn images clockwise before anything else, for a camera on its side", unit="deg"
    )
