"""Camera calibration as YAML, as ROS's camera_calibration writes it and drivers load it.

Format: https://docs.ros.org/en/rolling/p/camera_calibration_parsers.
"""

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from robot_vision.core.cameras.camera_info import Calibration, camera_of
from robot_vision.core.errors import ConfigError, RobotVisionError
from robot_vision.core.files.foreign import read_yaml
from robot_vision.core.types import Camera


def read_camera_file(path: Path, *, frame_id: str) -> Calibration:
    """Raises `ConfigError` naming the invalid field."""
    try:
        content = read_yaml(path)
        calibration = Calibration(
            frame_id=frame_id,
            width_px=int(_field(content, "image_width")),
            height_px=int(_field(content, "image_height")),
            distortion_model=str(content.get("distortion_model", "plumb_bob")),
            k=_numbers(content, "camera_matrix", 9).reshape(3, 3),
            d=_numbers(content, "distortion_coefficients", None),
            r=_numbers(content, "rectification_matrix", 9).reshape(3, 3),
            p=_numbers(content, "projection_matrix", 12).reshape(3, 4),
        )
        camera_of(calibration)
    except (RobotVisionError, ValueError, TypeError, AttributeError) as error:
        raise ConfigError(
            f"{path} is not a camera calibration: {error}; expected the YAML that ROS's "
            "camera_calibration writes"
        ) from error
    return calibration


def camera_file_text(camera: Camera) -> str:
    """The YAML of a camera, named after its frame; P of the rectified image equals K."""
    projection = np.concatenate([camera.intrinsics_px, np.zeros((3, 1))], axis=1)
    content = {
        "image_width": camera.width_px,
        "image_height": camera.height_px,
        "camera_name": camera.frame_id,
        "camera_matrix": _matrix(camera.intrinsics_px),
        "distortion_model": camera.distortion_model,
        "distortion_coefficients": _matrix(camera.distortion[None]),
        "rectification_matrix": _matrix(np.eye(3)),
        "projection_matrix": _matrix(projection),
    }
    return yaml.safe_dump(content, sort_keys=False, default_flow_style=None)


def _matrix(values: np.ndarray) -> dict[str, Any]:
    rows, columns = values.shape
    return {"rows": rows, "cols": columns, "data": [float(value) for value in values.ravel()]}


def _field(content: Any, name: str) -> Any:
    if not isinstance(content, dict) or name not in content:
        raise ValueError(f"{name} is missing")
    return content[name]


def _numbers(content: Any, field: str, length: int | None) -> np.ndarray:
    numbers = [float(value) for value in _field(_field(content, field), "data")]
    if length is not None and len(numbers) != length:
        raise ValueError(f"{field} has {len(numbers)} numbers; expected {length}")
    return np.array(numbers, np.float64)
