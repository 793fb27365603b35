"""Captured messages become a `Frame`; what is wrong with depth or intrinsics costs only these."""

import numpy as np
from jaxtyping import Float32, Float64
from sensor_msgs.msg import CameraInfo

from robot_vision.core.config import NodeConfig
from robot_vision.core.errors import ConfigError, EncodingError
from robot_vision.core.frame_check import OTHER_FRAME, OTHER_SIZE, frame_problem, size_problem
from robot_vision.core.types import Camera, Frame
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import (
    camera_from_info,
    depth_from_message,
    rgb_from_message,
)
from robot_vision.ros.perception.inputs import Capture


class FrameBuilder:
    """Decodes captures; keeps the camera of the last `CameraInfo`."""

    def __init__(self, config: NodeConfig, health: Health) -> None:
        self._health = health
        self._info: CameraInfo | None = None
        self._camera: Camera | None = None
        self.use(config)

    def use(self, config: NodeConfig) -> None:
        """Take up new parameters."""
        self._raw_unit_m = config.depth.raw_unit_m
        self._limits = config.limits
        self._wants_depth = config.input.depth_transport != "none"

    def build(
        self, capture: Capture, *, fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    ) -> Frame:
        """The frame of a capture; raises `EncodingError` if its colour image cannot be read."""
        rgb = rgb_from_message(capture.rgb, limits=self._limits)
        depth_m = self._depth(capture)
        return Frame(
            stamp_ns=capture.stamp_ns,
            frame_id=capture.rgb.header.frame_id,
            rgb=rgb,
            camera=self._camera_of(capture.camera_info, rgb.shape[1], rgb.shape[0]),
            depth_m=depth_m,
            depth_stamp_ns=None if depth_m is None else capture.depth_stamp_ns,
            fixed_from_camera=fixed_from_camera,
        )

    def _depth(self, capture: Capture) -> Float32[np.ndarray, "h w"] | None:
        if capture.depth is None:
            if self._wants_depth:
                self._health.noted(f"depth {capture.why_no_depth}".replace("no_depth", "absent"))
            return None
        rgb_frame, depth_frame = capture.rgb.header.frame_id, capture.depth.header.frame_id
        if problem := frame_problem(rgb_frame=rgb_frame, depth_frame=depth_frame):
            self._health.noted(OTHER_FRAME, problem)
        try:
            return depth_from_message(
                capture.depth, raw_unit_m=self._raw_unit_m, limits=self._limits
            )
        except EncodingError as error:
            self._health.noted("depth unreadable", str(error))
            return None

    def _camera_of(self, info: CameraInfo | None, width_px: int, height_px: int) -> Camera | None:
        if info is None:
            return None
        if info is not self._info:
            self._info, read = info, self._read(info)
            # Drivers repeat it with every image: as the same object it is known for the same.
            if read is None or not read.same_as(self._camera):
                self._camera = read
        camera = self._camera
        if camera is None:
            return None
        if problem := size_problem(camera, width_px=width_px, height_px=height_px):
            self._health.noted(OTHER_SIZE, problem)
            return None
        return camera

    def _read(self, info: CameraInfo) -> Camera | None:
        try:
            return camera_from_info(info)
        except ConfigError as error:
            self._health.noted("intrinsics invalid", f"camera_info has {error}")
            return None
