"""Makes the images and calibrations of a frame fit together, the same way live and in a replay."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, UInt8

from robot_vision.core.cameras.camera_info import Calibration, camera_of, is_rectified
from robot_vision.core.cameras.frame_check import ASSUMED, INVALID, OTHER_SIZE, size_problem
from robot_vision.core.cameras.rotation import (
    original_from_rotated,
    rotated_camera,
    rotated_frame,
    rotated_image,
)
from robot_vision.core.errors import CameraError
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.parameters.groups.camera_config import CameraConfig
from robot_vision.core.types import Camera
from robot_vision.sync.alignment import DepthAligner, Report, depth_in_metres


@dataclass(frozen=True, kw_only=True, eq=False)
class DepthOrigin:
    """Where depth comes from. `color_from_depth` is called where the frames differ."""

    frame_id: str
    calibration: Calibration | None
    color_from_depth: Callable[[], Float64[np.ndarray, "4 4"] | None]


@dataclass(frozen=True, kw_only=True, eq=False)
class ColorView:
    """What depth is aligned to; `camera` is that of the image as received, before any rotation."""

    frame_id: str
    size_px: tuple[int, int]
    camera: Camera | None


class Views:
    """Cameras of colour and depth, depth on colour's view, everything rotated as configured.

    `report` gets each problem or assumption: a short text, by which it is counted, and an example.
    """

    def __init__(
        self, config: ServiceConfig, *, rgb_topic: str, depth_topic: str, report: Report
    ) -> None:
        self._report = report
        self.rotate_deg = config.camera.rotate
        self._is_aligned = config.camera.depth_aligned == "yes"
        self._color = _CameraReader(
            config.camera, topic=rgb_topic, of="camera_info", report=report
        )
        self._depth = _CameraReader(
            config.camera, topic=depth_topic, of="depth's camera_info", report=report
        )
        self._aligner = DepthAligner(report)
        self._turned: tuple[Camera, Camera | None] | None = None
        self.use(config)

    def use(self, config: ServiceConfig) -> None:
        """Apply new limits of depth; the interpretation of the camera stays."""
        self._config = config

    def color_view(
        self, frame_id: str, *, size_px: tuple[int, int], calibration: Calibration | None
    ) -> ColorView:
        """The view of a colour image of this size; reports a reason if it has no camera."""
        is_damaged = 0 in size_px  # decoding it says so
        camera = None if is_damaged else self._color.read(calibration, size_px=size_px)
        return ColorView(frame_id=frame_id, size_px=size_px, camera=camera)

    def depth(
        self, depth_m: Float32[np.ndarray, "h w"], *, view: ColorView, origin: DepthOrigin
    ) -> Float32[np.ndarray, "hd wd"] | None:
        """Depth on the rotated view, in metres; None, with a report, where that is impossible."""
        depth = depth_in_metres(depth_m, self._config, self._report)
        if depth is not None and not self._is_aligned:
            size_px = (depth.shape[1], depth.shape[0])
            depth = self._aligner.aligned(
                depth,
                depth_frame=origin.frame_id,
                depth_camera=self._depth.read(origin.calibration, size_px=size_px),
                rgb_frame=view.frame_id,
                rgb_size_px=view.size_px,
                rgb_camera=view.camera,
                color_from_depth=origin.color_from_depth,
            )
        return None if depth is None else rotated_image(depth, self.rotate_deg)

    def rgb(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "ht wt 3"]:
        """The image, rotated."""
        return rotated_image(rgb, self.rotate_deg)

    def camera(self, view: ColorView) -> Camera | None:
        """The camera of the rotated image."""
        if view.camera is None or self.rotate_deg == 0:
            return view.camera
        if self._turned is None or self._turned[0] is not view.camera:
            self._turned = (view.camera, self._turn(view.camera))
        return self._turned[1]

    def frame_id(self, frame_id: str) -> str:
        """The frame of the rotated image's optical axes."""
        return rotated_frame(frame_id, self.rotate_deg)

    def pose(
        self, fixed_from_camera: Float64[np.ndarray, "4 4"] | None
    ) -> Float64[np.ndarray, "4 4"] | None:
        """The pose of the rotated camera, from that of the camera."""
        if fixed_from_camera is None or self.rotate_deg == 0:
            return fixed_from_camera
        return fixed_from_camera @ original_from_rotated(self.rotate_deg)

    def _turn(self, camera: Camera) -> Camera | None:
        try:
            return rotated_camera(camera, self.rotate_deg)
        except CameraError as error:
            self._report(INVALID, f"camera_info has {error}")
            return None


class _CameraReader:
    """Reads the calibrations of one topic's images; equal numbers give the same object."""

    def __init__(self, config: CameraConfig, *, topic: str, of: str, report: Report) -> None:
        self._rectified = is_rectified(topic, setting=config.rectified)
        self._of = of
        self._report = report
        self._read_of: tuple[Calibration, tuple[int, int]] | None = None
        self._camera: Camera | None = None
        self._problem = ("", "")

    def read(self, calibration: Calibration | None, *, size_px: tuple[int, int]) -> Camera | None:
        """The camera of an image of this size; if there is none, reports why, in every frame."""
        if calibration is None:
            return None
        known = self._read_of
        if known is None or known[1] != size_px or not calibration.same_as(known[0]):
            self._read_of = (calibration, size_px)
            self._camera, self._problem = self._read(calibration, size_px)
        if self._problem[0]:
            self._report(*self._problem)
        return self._camera

    def _read(
        self, calibration: Calibration, size_px: tuple[int, int]
    ) -> tuple[Camera | None, tuple[str, str]]:
        try:
            reading = camera_of(calibration, image_size_px=size_px, rectified=self._rectified)
        except CameraError as error:
            return None, (INVALID, f"{self._of} has {error}")
        camera, (width_px, height_px) = reading.camera, size_px
        if problem := size_problem(camera, width_px=width_px, height_px=height_px):
            return None, (OTHER_SIZE, problem)
        for note in reading.notes:
            self._report(ASSUMED, f"{self._of}: {note}")
        return camera, ("", "")
