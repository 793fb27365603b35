"""`CameraInfo` of a camera seen through an image of another resolution."""

from typing import Any

import numpy as np

from robot_vision.core.cameras.geometry import scaled_camera
from robot_vision.core.types import Camera
from robot_vision.topics.messages import Messages, new_header

_PLUMB_BOB_COEFFICIENTS = 5


def new_info(
    messages: Messages, camera: Camera, *, stamp_ns: int, width_px: int, height_px: int
) -> Any:
    """`CameraInfo` for images of `width_px` × `height_px`."""
    seen = scaled_camera(camera, width_px=width_px, height_px=height_px)
    fx_px, fy_px, cx_px, cy_px = seen.fx_px, seen.fy_px, seen.cx_px, seen.cy_px
    info = messages.new("sensor_msgs/msg/CameraInfo")
    info.header = new_header(messages, stamp_ns, camera.frame_id)
    info.width, info.height = width_px, height_px
    info.distortion_model = _model_name(camera)
    info.d = messages.floats(camera.distortion.tolist())
    info.k = np.array([fx_px, 0, cx_px, 0, fy_px, cy_px, 0, 0, 1], np.float64)
    info.r = np.eye(3).reshape(9)
    info.p = np.array([fx_px, 0, cx_px, 0, 0, fy_px, cy_px, 0, 0, 0, 1, 0], np.float64)
    return info


def _model_name(camera: Camera) -> str:
    """REP 104's name of OpenCV's model, by the number of coefficients: up to five, or more."""
    if camera.distortion_model == "equidistant":
        return camera.distortion_model
    few = camera.distortion.size <= _PLUMB_BOB_COEFFICIENTS
    return "plumb_bob" if few else "rational_polynomial"


class InfoWriter:
    """One `CameraInfo` message, made again when the camera or the resolution changes."""

    def __init__(self, messages: Messages) -> None:
        self._messages = messages
        self._made_for: tuple[Camera, int, int] | None = None
        self._message: Any = None

    def write(self, camera: Camera, *, stamp_ns: int, width_px: int, height_px: int) -> Any:
        """`CameraInfo` of `camera` at a resolution; valid until the next call."""
        wanted = (camera, width_px, height_px)
        if self._made_for != wanted:
            self._made_for = wanted
            self._message = new_info(
                self._messages, camera, stamp_ns=stamp_ns, width_px=width_px, height_px=height_px
            )
        self._message.header = new_header(self._messages, stamp_ns, camera.frame_id)
        return self._message
