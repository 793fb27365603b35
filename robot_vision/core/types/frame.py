"""A camera, its frames and its pictures."""

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from robot_vision.core.cameras.lens import DistortionModel


@dataclass(frozen=True, kw_only=True, eq=False)
class Camera:
    """A pinhole camera with a lens, for an image of this size, cropped and rotated as it is."""

    frame_id: str
    width_px: int
    height_px: int
    intrinsics_px: Float64[np.ndarray, "3 3"]
    distortion: Float64[np.ndarray, " k"] = field(default_factory=lambda: np.zeros(0))
    distortion_model: DistortionModel = "plumb_bob"

    @property
    def fx_px(self) -> float:
        return float(self.intrinsics_px[0, 0])

    @property
    def fy_px(self) -> float:
        return float(self.intrinsics_px[1, 1])

    @property
    def cx_px(self) -> float:
        return float(self.intrinsics_px[0, 2])

    @property
    def cy_px(self) -> float:
        return float(self.intrinsics_px[1, 2])

    def same_as(self, other: "Camera | None") -> bool:
        """Whether images of both have the same size, frame and projection."""
        return (
            other is not None
            and (self.frame_id, self.width_px, self.height_px)
            == (other.frame_id, other.width_px, other.height_px)
            and self.distortion_model == other.distortion_model
            and np.array_equal(self.intrinsics_px, other.intrinsics_px)
            and np.array_equal(self.distortion, other.distortion)
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class RobotView:
    """Where the robot's own links are in an image, according to its joints.

    `mask` is their outline, even where something is in front of it. `depth_m` is the depth of
    their surface on a coarser grid over the same view, infinite elsewhere.
    """

    mask: Bool[np.ndarray, "h w"]
    depth_m: Float32[np.ndarray, "hc wc"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Frame:
    """One colour image, with depth registered to it if available.

    `depth_m` is along the optical axis, NaN where invalid, of any size that covers the same view.
    `camera` is None while no intrinsics are known: detection continues without 3-D. Everything is
    rotated clockwise by `rotated_deg` from the camera's image, and `frame_id` is named
    accordingly. `robot` is None if the pose of the robot's links is unknown.
    """

    stamp_ns: int
    frame_id: str
    rgb: UInt8[np.ndarray, "h w 3"]
    camera: Camera | None = None
    depth_m: Float32[np.ndarray, "hd wd"] | None = None
    depth_stamp_ns: int | None = None
    fixed_from_camera: Float64[np.ndarray, "4 4"] | None = None
    rotated_deg: int = 0
    robot: RobotView | None = None

    @property
    def nbytes(self) -> int:
        """Size of its pixels in bytes."""
        return self.rgb.nbytes + (0 if self.depth_m is None else self.depth_m.nbytes)


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """A camera's image at a stamp, with depth (m, 0 or NaN where invalid) if it has any."""

    stamp_ns: int
    rgb: UInt8[np.ndarray, "h w 3"]
    depth_m: Float32[np.ndarray, "hd wd"] | None = None
