"""Intrinsics from a file of camera_calibration, as a message."""

from pathlib import Path

from sensor_msgs.msg import CameraInfo

from robot_vision.core.cameras.camera_file import read_camera_file


def read_calibration(path: Path, *, frame_id: str) -> CameraInfo:
    """The file as a message; raises `ConfigError` that names the wrong field."""
    calibration = read_camera_file(path, frame_id=frame_id)
    message = CameraInfo()
    message.header.frame_id = frame_id
    message.width, message.height = calibration.width_px, calibration.height_px
    message.distortion_model = calibration.distortion_model
    message.k, message.d = calibration.k.ravel(), calibration.d.tolist()
    message.r, message.p = calibration.r.ravel(), calibration.p.ravel()
    return message
