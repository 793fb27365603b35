"""The only conversion from `sensor_msgs/CameraInfo` to a `Camera`, live and in replay.

K, D and P refer to the full resolution. A region of interest moves the principal point, binning
then divides, as in ROS's image_geometry (`PinholeCameraModel::fromCameraInfo`). Raw images use K
and D, rectified ones P and no distortion. docs/cameras.md lists the assumptions.
"""

import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float64

from robot_vision.core.cameras.camera_check import COUNTS, checked_camera
from robot_vision.core.cameras.lens import DistortionModel
from robot_vision.core.errors import CameraError
from robot_vision.core.files.foreign import quoted
from robot_vision.core.types import Camera

# Drivers may name these models without any distortion to report; other models distort even without
# coefficients.
_NO_MODEL = frozenset(
    {"", "none", "pinhole", "brown_conrady", "inverse_brown_conrady", "modified_brown_conrady"}
)
_FISHEYE = frozenset({"equidistant", "fisheye", "kannala_brandt4", "kannala_brandt"})
_FISHEYE_COUNT = 4
_RECTIFIED_WORDS = frozenset({"rect", "rectified", "undistorted"})
# A camera_info without a size is accepted if its principal point is near the image centre: that of
# an image of another size would not be.
_MIDDLE = (0.42, 0.58)
# When binning an odd image size, drivers round up or down.
_ROUNDING_PX = 1
_SAME = 1e-6
_MOST_MATRIX = 1e9
_LEAST_TURN_DEG = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Calibration:
    """The numbers of a `CameraInfo`; `roi` is x, y, width, height, `binning` is in x and y."""

    frame_id: str
    width_px: int
    height_px: int
    k: Float64[np.ndarray, "3 3"]
    d: Float64[np.ndarray, " k"]
    p: Float64[np.ndarray, "3 4"]
    r: Float64[np.ndarray, "3 3"] = field(default_factory=lambda: np.eye(3))
    distortion_model: str = ""
    binning: tuple[int, int] = (1, 1)
    roi: tuple[int, int, int, int] = (0, 0, 0, 0)

    def same_as(self, other: "Calibration") -> bool:
        """Whether both have the same numbers and names."""
        return (
            (self.frame_id, self.width_px, self.height_px, self.distortion_model)
            == (other.frame_id, other.width_px, other.height_px, other.distortion_model)
            and (self.binning, self.roi) == (other.binning, other.roi)
            and all(
                np.array_equal(mine, theirs, equal_nan=True)
                for mine, theirs in (
                    (self.k, other.k),
                    (self.d, other.d),
                    (self.p, other.p),
                    (self.r, other.r),
                )
            )
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class CameraReading:
    """A camera, and notes on what was assumed to obtain it."""

    camera: Camera
    notes: tuple[str, ...] = ()


def calibration_of(info: Any) -> Calibration:
    """The numbers of a `CameraInfo` message of ROS 2, or of ROS 1 (upper-case fields).

    Raises `CameraError` if a matrix has the wrong size.
    """
    matrices = {name: getattr(info, name, getattr(info, name.upper(), ())) for name in "kdpr"}
    try:
        k, d, p, r = (np.array(matrix, np.float64).ravel() for matrix in matrices.values())
    except (TypeError, ValueError):
        raise CameraError("ragged or non-numeric matrices; expected K, D, R and P") from None
    if (k.size, p.size, r.size) != (9, 12, 9):
        raise CameraError(
            f"K, P and R have {k.size}, {p.size} and {r.size} numbers; expected 9, 12 and 9"
        )
    roi = info.roi
    return Calibration(
        frame_id=info.header.frame_id,
        width_px=int(info.width),
        height_px=int(info.height),
        k=k.reshape(3, 3),
        d=d,
        p=p.reshape(3, 4),
        r=r.reshape(3, 3),
        distortion_model=str(info.distortion_model),
        binning=(max(int(info.binning_x), 1), max(int(info.binning_y), 1)),
        roi=(int(roi.x_offset), int(roi.y_offset), int(roi.width), int(roi.height)),
    )


def is_rectified(topic: str, *, setting: str = "auto") -> bool:
    """Whether images of a topic are rectified: as configured, else by the topic's name.

    `image_rect`, `image_rect_color`, `…/rectified` and the like are. `roi.do_rectify` does not
    indicate it: it accompanies raw images and asks the rectifier to compute another region.
    """
    if setting != "auto":
        return setting == "yes"
    return not _RECTIFIED_WORDS.isdisjoint(re.split(r"[/_\-.]", topic.lower()))


def camera_of(
    calibration: Calibration,
    *,
    image_size_px: tuple[int, int] | None = None,
    rectified: bool = False,
) -> CameraReading:
    """The camera of an image of this width and height; None takes the stated size.

    Raises `CameraError` with the value and what was expected if the numbers contradict each other
    or no lens could have them.
    """
    notes: list[str] = []
    matrix, coefficients, model = _projection(calibration, rectified=rectified, notes=notes)
    size_px, offset_px = _region(calibration, matrix, image_size_px, notes)
    matrix = matrix.copy()
    matrix[:2, 2] -= offset_px
    matrix[:2] /= np.array(calibration.binning, np.float64)[:, None]
    camera = checked_camera(
        frame_id=calibration.frame_id,
        width_px=size_px[0],
        height_px=size_px[1],
        intrinsics_px=matrix,
        distortion=coefficients,
        distortion_model=model,
    )
    return CameraReading(camera=camera, notes=tuple(notes))


def _projection(
    calibration: Calibration, *, rectified: bool, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, DistortionModel]:
    """Matrix, coefficients and model for the image at full resolution."""
    k, p = calibration.k, calibration.p
    has_k, has_p = bool(k[0, 0]), bool(p[0, 0])
    if rectified and has_p:
        _check_p(p, notes)
        if calibration.d.any() or not np.allclose(k, p[:, :3], rtol=_SAME):
            notes.append("the image is rectified: P is used, without distortion")
        turn_deg = np.degrees(np.arccos(np.clip((np.trace(calibration.r) - 1) / 2, -1, 1)))
        if calibration.r.any() and turn_deg > _LEAST_TURN_DEG:
            notes.append("R rotates rectified images: points are in their axes, not the lens's")
        return p[:, :3], np.zeros(0), "plumb_bob"
    coefficients, model = _distortion(calibration, notes)
    is_bent = model == "equidistant" or coefficients.any()
    if rectified:
        if is_bent:
            raise CameraError(
                "P is all zeros, but the image is rectified; expected P (if the image is not "
                "rectified, set camera.rectified: no)"
            )
        notes.append("the image is rectified, but P is all zeros: K is used")
    elif not has_k and has_p:
        if is_bent:
            raise CameraError("K is all zeros, but there is a distortion; expected K")
        _check_p(p, notes)
        notes.append("K is all zeros: P is used")
        return p[:, :3], np.zeros(0), "plumb_bob"
    return k, coefficients, model


def _check_p(p: np.ndarray, notes: list[str]) -> None:
    if not np.isfinite(p).all() or np.abs(p).max() > _MOST_MATRIX:
        raise CameraError(f"P = {p.ravel().tolist()}; expected twelve finite numbers")
    if p[0, 3] or p[1, 3]:
        # P projects points of the first camera's frame, where this camera's centre is at −Tx/fx,
        # −Ty/fy.
        baseline_m = np.hypot(p[0, 3], p[1, 3]) / abs(p[0, 0])
        notes.append(
            f"P has a baseline of {baseline_m:.4g} m (second camera of a stereo pair): points "
            "are relative to its own centre, so frame_id must be its own"
        )


def _distortion(calibration: Calibration, notes: list[str]) -> tuple[np.ndarray, DistortionModel]:
    name = calibration.distortion_model.strip().lower().replace(" ", "_").replace("-", "_")
    d = calibration.d
    if name in _FISHEYE:
        if not d.any():
            notes.append(
                f"distortion_model {quoted(calibration.distortion_model)} without coefficients is "
                "a fisheye with r = f θ, as in OpenCV; image_geometry makes a pinhole of it"
            )
        return (d if d.size else np.zeros(_FISHEYE_COUNT)), "equidistant"
    if name in ("plumb_bob", "rational_polynomial"):
        return (d if d.any() else np.zeros(0)), name
    if name in _NO_MODEL and not d.any():
        return np.zeros(0), "plumb_bob"
    if name == "" and d.size != 4 and d.size in COUNTS["plumb_bob"]:
        notes.append(f"distortion_model is empty: {d.size} coefficients are taken as OpenCV's")
        return d, "plumb_bob"
    raise CameraError(
        f"distortion_model {quoted(calibration.distortion_model)} with {d.size} coefficients; "
        f"expected one of {', '.join(COUNTS)}"
    )


def _region(
    calibration: Calibration,
    matrix: np.ndarray,
    image_size_px: tuple[int, int] | None,
    notes: list[str],
) -> tuple[tuple[int, int], np.ndarray]:
    """Size of the image, and the position of its first pixel in the full-resolution image."""
    x, y, width, height = calibration.roi
    full_px = (calibration.width_px, calibration.height_px)
    if not any(calibration.roi):
        said_px = _binned(full_px, calibration.binning)
        return _agreed(said_px, image_size_px, calibration, matrix, notes), np.zeros(2)
    offset_px = np.array([x, y], np.float64)
    region_px = (width or full_px[0] - x, height or full_px[1] - y)
    said_px = _binned(region_px, calibration.binning)
    size_px = _agreed(said_px, image_size_px, calibration, matrix, notes)
    fits = x + region_px[0] <= full_px[0] and y + region_px[1] <= full_px[1]
    if not fits and 0 not in full_px:
        notes.append(_outside_words(calibration, matrix, offset_px, region_px))
    return size_px, offset_px


def _outside_words(
    calibration: Calibration,
    matrix: np.ndarray,
    offset_px: np.ndarray,
    region_px: tuple[int, int],
) -> str:
    """The note on a region outside its image: `width` and `height` are then those of the region.

    K then refers to the full resolution only if it is plausible for the region moved there.
    """
    centre_px = matrix[:2, 2]
    moved_px = centre_px - offset_px
    is_inside = (moved_px > 0).all() and (moved_px < region_px).all()
    if not is_inside or ((centre_px > 0).all() and (centre_px < region_px).all()):
        raise CameraError(
            f"roi {list(calibration.roi)} in an image of "
            f"{calibration.width_px}×{calibration.height_px} px, and cx, cy = "
            f"{centre_px[0]:g}, {centre_px[1]:g} px; expected a region within the image"
        )
    return "roi lies outside width and height: these are taken as the size of the region"


def _binned(size_px: tuple[int, int], binning: tuple[int, int]) -> tuple[int, int]:
    return size_px[0] // binning[0], size_px[1] // binning[1]


def _agreed(
    said_px: tuple[int, int],
    image_px: tuple[int, int] | None,
    calibration: Calibration,
    matrix: np.ndarray,
    notes: list[str],
) -> tuple[int, int]:
    if image_px is None or said_px == image_px:
        return said_px
    if said_px == (0, 0):
        share = matrix[:2, 2] / image_px
        if any(calibration.roi) or calibration.binning != (1, 1):
            raise CameraError(
                "a size of 0 together with a roi or binning; expected width and height"
            )
        if not ((share > _MIDDLE[0]) & (share < _MIDDLE[1])).all():
            raise CameraError(
                f"a size of {said_px[0]}×{said_px[1]} px, but cx, cy = {matrix[0, 2]:g}, "
                f"{matrix[1, 2]:g} px is not near the centre of the image of "
                f"{image_px[0]}×{image_px[1]}; expected width and height"
            )
        notes.append("camera_info has no size: the image's is used")
        return image_px
    is_rounded = calibration.binning != (1, 1) and all(
        0 <= came - said <= _ROUNDING_PX for came, said in zip(image_px, said_px, strict=True)
    )
    if is_rounded:
        return image_px
    return said_px
