"""Intrinsics from a file as camera_calibration writes it.

Format: https://docs.ros.org/en/rolling/p/camera_calibration_parsers (YAML).
"""

from pathlib import Path
from typing import Any

from sensor_msgs.msg import CameraInfo

from robot_vision.core.camera_info import calibration_of, camera_of
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.foreign import read_yaml

_MATRICES = {
    "k": ("camera_matrix", 9),
    "d": ("distortion_coefficients", None),
    "r": ("rectification_matrix", 9),
    "p": ("projection_matrix", 12),
}


def read_calibration(path: Path, *, frame_id: str) -> CameraInfo:
    """The file as a message; raises `ConfigError` that names the field that does not fit."""
    try:
        content = read_yaml(path)
        message = CameraInfo()
        message.header.frame_id = frame_id
        message.width = int(_field(content, "image_width"))
        message.height = int(_field(content, "image_height"))
        message.distortion_model = str(content.get("distortion_model", "plumb_bob"))
        for name, (field, length) in _MATRICES.items():
            setattr(message, name, _numbers(content, field, length))
        camera_of(calibration_of(message))
    except (RobotVisionError, ValueError, TypeError, AttributeError, AssertionError) as error:
        raise ConfigError(
            f"{path} is no calibration of a camera: {error}; expected the YAML that ROS's "
            "camera_calibration writes"
        ) from error
    return message


def _field(content: Any, name: str) -> Any:
    if not isinstance(content, dict) or name not in content:
        raise ValueError(f"it has no {name}")
    return content[name]


def _numbers(content: Any, field: str, length: int | None) -> list[float]:
    numbers = [float(value) for value in _field(_field(content, field), "data")]
    if length is not None and len(numbers) != length:
        raise ValueError(f"{field} has {len(numbers)} numbers; expected {length}")
    return numbers
