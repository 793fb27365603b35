"""Outputs of a hand-eye calibration: YAML files, and a static_transform_publisher command."""

from shlex import quote
from typing import Any

import numpy as np
import yaml
from jaxtyping import Float64

from robot_vision.calibration.fitting.hand_eye import HandEye
from robot_vision.core.quaternions import from_matrix


def place_and_quaternion(a_from_b: Float64[np.ndarray, "4 4"]) -> tuple[list[float], list[float]]:
    """Position (m) and quaternion (x y z w) of a pose, rounded to more digits than matter."""
    quaternion = from_matrix(a_from_b[:3, :3])
    return a_from_b[:3, 3].round(7).tolist(), quaternion.round(9).tolist()


def hand_eye_text(fit: HandEye, *, parent: str, child: str) -> str:
    """A whole fit as YAML: parent_from_child, uncertainty, and each view's residuals."""
    place_m, quaternion = place_and_quaternion(fit.carrier_from_camera)
    content: dict[str, Any] = {
        "parent_frame": parent,
        "child_frame": child,
        "camera_on": fit.mount,
        "position_m": place_m,
        "quaternion_xyzw": quaternion,
        "standard_error": {
            "position_mm": round(fit.place_error_m * 1e3, 4),
            "rotation_deg": round(fit.turn_error_deg, 5),
        },
        "covariance_m_rad": fit.covariance.ravel().tolist(),
        "rms_px": round(fit.rms_px, 4),
        "board_scale": round(fit.board_scale, 5),
        "board_scale_error": round(fit.board_scale_error, 5),
        "views": [
            {
                "name": view.name,
                "kept": view.is_kept,
                "corners": view.corners,
                "rms_px": round(view.rms_px, 3),
                "position_mm": round(view.place_m * 1e3, 3),
                "rotation_deg": round(view.turn_deg, 4),
            }
            for view in fit.views
        ],
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)


def camera_pose_parameters(fit: HandEye) -> str:
    """The policy node's parameters for a camera beside the arm: `policy_params_file:=` takes it.

    Only for a camera on the base, with the pose base_from_camera.
    """
    place_m, quaternion = place_and_quaternion(fit.carrier_from_camera)
    pose = {"source": "parameters", "position_m": place_m, "quaternion_xyzw": quaternion}
    content = {"/**/policy": {"ros__parameters": {"camera_pose": pose}}}
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=99)


def static_transform_line(
    parent_from_child: Float64[np.ndarray, "4 4"], *, parent: str, child: str
) -> str:
    """The command that publishes the pose on /tf_static."""
    place_m, quaternion = place_and_quaternion(parent_from_child)
    names = ("x", "y", "z", "qx", "qy", "qz", "qw")
    numbers = " ".join(
        f"--{name} {value:.9g}" for name, value in zip(names, [*place_m, *quaternion], strict=True)
    )
    return (
        f"ros2 run tf2_ros static_transform_publisher {numbers} --frame-id {quote(parent)} "
        f"--child-frame-id {quote(child)}"
    )
