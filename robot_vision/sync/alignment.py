"""Brings depth to what a `Frame` needs: on the view of colour, in metres, or none."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float32, Float64

from robot_vision.core.cameras.frame_check import OTHER_FRAME, frame_problem, same_frame
from robot_vision.core.cameras.geometry import scaled_camera
from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.core.types import Camera
from robot_vision.sync.registration import Registration

Report = Callable[[str, str], object]
"""The problem (its text is the key it is counted by), and an example."""

REGISTERED = "depth registered to colour"
NOT_ALIGNED = "depth not aligned"
OTHER_UNIT = "depth not in metres"
OUT_OF_RANGE = "depth out of range"

# A view that was only scaled keeps its aspect ratio, except for rounding.
_ASPECT = 0.02
# Differences that factory calibration and resizing leave between two descriptions of one camera.
_FOCAL, _CENTRE_PX = 0.005, 1.0
# Further than any robot's depth camera measures: these are millimetres.
_FARTHEST_MEDIAN_M = 100.0
_LEAST_SHARE = 0.5
_EVERY_PX = 8


class DepthAligner:
    """Decides from frames, sizes and intrinsics how to align depth with colour, and does it."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self._registration: Registration | None = None

    def aligned(
        self,
        depth_m: Float32[np.ndarray, "h w"],
        *,
        depth_frame: str,
        depth_camera: Camera | None,
        rgb_frame: str,
        rgb_size_px: tuple[int, int],
        rgb_camera: Camera | None,
        color_from_depth: Callable[[], Float64[np.ndarray, "4 4"] | None],
    ) -> Float32[np.ndarray, "hd wd"] | None:
        """Depth on the view of colour; None where that is impossible, which is reported.

        Cameras are those of the images as received. `color_from_depth` is called only if the
        frames differ, and returns None while no transform is known.
        """
        shares_frame = same_frame(rgb_frame, depth_frame)
        if shares_frame and (depth_camera is None or rgb_camera is None):
            return self._of_same_aspect(depth_m, rgb_size_px)
        problem = frame_problem(rgb_frame=rgb_frame, depth_frame=depth_frame)
        if rgb_camera is None or depth_camera is None:
            missing = "colour" if rgb_camera is None else "depth"
            self._report(OTHER_FRAME, f"{problem}, or have the camera_info of {missing} published")
            return None
        if shares_frame and _see_the_same(depth_camera, rgb_camera):
            return depth_m
        move = np.eye(4) if shares_frame else color_from_depth()
        if move is None:
            self._report(OTHER_FRAME, f"{problem}, or publish the static transform between them")
            return None
        why = problem.partition(":")[0] or "depth has other intrinsics than colour"
        self._report(REGISTERED, why)
        return self._registered(depth_m, depth_camera, rgb_camera, move)

    def _of_same_aspect(
        self, depth_m: np.ndarray, rgb_size_px: tuple[int, int]
    ) -> Float32[np.ndarray, "h w"] | None:
        (height_px, width_px), (rgb_width_px, rgb_height_px) = depth_m.shape, rgb_size_px
        ratio = (width_px / height_px) / (rgb_width_px / rgb_height_px)
        if abs(ratio - 1) <= _ASPECT:
            return depth_m
        self._report(
            NOT_ALIGNED,
            f"depth of {width_px}×{height_px} px shows another view than colour of "
            f"{rgb_width_px}×{rgb_height_px}: use the driver's depth that is aligned to colour, "
            "or have both camera_info published",
        )
        return None

    def _registered(
        self, depth_m: np.ndarray, depth_camera: Camera, rgb_camera: Camera, move: np.ndarray
    ) -> np.ndarray:
        known = self._registration
        if known is None or not known.is_for(depth_camera, rgb_camera, move):
            known = self._registration = Registration(depth_camera, rgb_camera, move)
        return known(depth_m)


def _see_the_same(depth_camera: Camera, rgb_camera: Camera) -> bool:
    """Whether both, scaled to the same size, map every pixel alike."""
    size = {"width_px": rgb_camera.width_px, "height_px": rgb_camera.height_px}
    scaled = scaled_camera(depth_camera, **size)
    focal = abs(scaled.fx_px / rgb_camera.fx_px - 1), abs(scaled.fy_px / rgb_camera.fy_px - 1)
    centre_px = abs(scaled.cx_px - rgb_camera.cx_px), abs(scaled.cy_px - rgb_camera.cy_px)
    return (
        max(focal) <= _FOCAL
        and max(centre_px) <= _CENTRE_PX
        and scaled.distortion_model == rgb_camera.distortion_model
        and np.array_equal(scaled.distortion, rgb_camera.distortion)
    )


def depth_in_metres(
    depth_m: Float32[np.ndarray, "h w"], config: ServiceConfig, report: Report
) -> Float32[np.ndarray, "h w"] | None:
    """The depth, if its values can be metres; if they cannot, reports that and returns None.

    Also reports when most of it lies outside `depth.min_m` to `depth.max_m`.
    """
    sample = depth_m[::_EVERY_PX, ::_EVERY_PX]
    sample = sample[np.isfinite(sample)]
    if sample.size == 0:
        return depth_m
    median_m = float(np.median(sample))
    limits = config.depth
    if median_m > max(_FARTHEST_MEDIAN_M, limits.max_m):
        report(
            OTHER_UNIT,
            f"a median of {median_m:.0f} m: 32-bit depth is in metres (REP 118), this looks like "
            "millimetres: set depth.float_unit_m: 0.001",
        )
        return None
    outside = np.count_nonzero((sample < limits.min_m) | (sample > limits.max_m)) / sample.size
    if outside > _LEAST_SHARE:
        report(
            OUT_OF_RANGE,
            f"{outside:.0%} of it is not between depth.min_m {limits.min_m:g} and depth.max_m "
            f"{limits.max_m:g} m; its median is {median_m:.3g} m",
        )
    return depth_m
