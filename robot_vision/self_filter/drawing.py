"""Draws convex bodies into a picture: their outline and the distance of their surface.

The outline is the hull of projected points (exact for a convex body without distortion). The depth
of a body along a ray is that of the furthest of the planes that face the camera (Kay and Kajiya
1986): 1/z is linear in the ray, so that all planes and rays are one product of matrices.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int32

from robot_vision.core.cameras.geometry import invert_transform, project, rays_of, scaled_camera
from robot_vision.core.types import Camera, RobotView
from robot_vision.self_filter.solids import Solid

# The depth's grid is so much coarser than the picture.
_COARSE = 4
_NEAR_M = 0.02
_SHIFT = 3  # bits of a pixel's fraction


class Drawing:
    """Bodies whose links move. A camera's rays are kept until the camera changes."""

    def __init__(self, solids: Sequence[Solid]) -> None:
        count = [len(solid.points_m) for solid in solids]
        faces = [len(solid.offset_m) for solid in solids]
        self._solids = solids
        self._of_point = np.repeat(np.arange(len(solids)), count)
        self._of_face = np.repeat(np.arange(len(solids)), faces)
        self._points = [
            slice(end - n, end) for n, end in zip(count, np.cumsum(count), strict=True)
        ]
        self._faces = [slice(end - n, end) for n, end in zip(faces, np.cumsum(faces), strict=True)]
        self._points_m = np.concatenate([solid.points_m for solid in solids])
        self._normal = np.concatenate([solid.normal for solid in solids])
        self._offset_m = np.concatenate([solid.offset_m for solid in solids])
        self._grid: tuple[Camera, Float32[np.ndarray, "h w 3"]] | None = None

    def view(
        self,
        camera: Camera,
        base_from_camera: Float64[np.ndarray, "4 4"],
        base_from_link: Sequence[Float64[np.ndarray, "4 4"] | None],
    ) -> RobotView:
        """The bodies as `camera` sees them; one whose link's pose is None is left out.

        So is a body around the camera itself: it is the camera's housing.
        """
        rays = self._rays(camera)
        camera_from_base = invert_transform(base_from_camera)
        known = [pose is not None for pose in base_from_link]
        poses = camera_from_base @ np.stack(
            [np.eye(4) if p is None else p for p in base_from_link]
        )
        turn, place_m = poses[:, :3, :3], poses[:, :3, 3]
        points_m = (turn[self._of_point] @ self._points_m[:, :, None])[:, :, 0]
        points_m += place_m[self._of_point]
        normal = (turn[self._of_face] @ self._normal[:, :, None])[:, :, 0]
        offset_m = self._offset_m + (normal * place_m[self._of_face]).sum(axis=1)
        in_front = points_m[:, 2] > _NEAR_M
        pixels = project(np.where(in_front[:, None], points_m, 1.0), camera=camera)
        mask = np.zeros((camera.height_px, camera.width_px), np.uint8)
        outline = _fixed_point(pixels, mask)
        # A plane through the camera is neither in front of nor behind it.
        facing = offset_m < 0
        apart_m = np.where(np.abs(offset_m) < 1e-9, 1e-9, offset_m)
        planes = (normal / apart_m[:, None]).astype(np.float32)
        nearness = np.zeros(rays.shape[:2], np.float32)
        for row, (points, faces) in enumerate(zip(self._points, self._faces, strict=True)):
            front = in_front[points]
            if not known[row] or not front.any() or not facing[faces].any():
                continue
            corners = outline[points]
            if not front.all():
                cut_px = project(_cut(points_m[points], front), camera=camera)
                corners = np.concatenate([corners[front], _fixed_point(cut_px, mask)])
            hull = cv2.convexHull(corners)[:, 0]
            cv2.fillConvexPoly(mask, hull, 1, shift=_SHIFT)
            _draw_nearness(nearness, rays, hull, planes[faces], facing[faces])
        # A border of one cell, so that no pixel of the outline is without depth.
        around = cv2.dilate(nearness, np.ones((3, 3), np.uint8))
        nearness = np.where(nearness > 0, nearness, around)
        with np.errstate(divide="ignore"):
            depth_m = np.where(nearness > 0, 1 / nearness, np.inf).astype(np.float32)
        return RobotView(mask=mask.astype(bool), depth_m=depth_m)

    def _rays(self, camera: Camera) -> Float32[np.ndarray, "h w 3"]:
        """Per cell of the coarse grid, the ray (x, y, 1) through its middle."""
        if self._grid is None or not self._grid[0].same_as(camera):
            width = max(camera.width_px // _COARSE, 1)
            height = max(camera.height_px // _COARSE, 1)
            coarse = scaled_camera(camera, width_px=width, height_px=height)
            x, y = np.meshgrid(np.arange(width, dtype=float), np.arange(height, dtype=float))
            across = rays_of(np.stack([x.ravel(), y.ravel()], axis=1), camera=coarse)
            rays = np.concatenate([np.nan_to_num(across), np.ones((len(across), 1))], axis=1)
            self._grid = camera, rays.reshape(height, width, 3).astype(np.float32)
        return self._grid[1]


def _cut(points_m: Float64[np.ndarray, "n 3"], front: np.ndarray) -> Float64[np.ndarray, "m 3"]:
    """Where lines between points in front of and behind the near plane cross it.

    Of all pairs: their hull is that of the cut body, whatever its edges are.
    """
    before, behind = points_m[front][:, None], points_m[~front][None]
    share = (before[..., 2] - _NEAR_M) / (before[..., 2] - behind[..., 2])
    crossing_m = before + share[..., None] * (behind - before)
    crossing_m[..., 2] = _NEAR_M
    return crossing_m.reshape(-1, 3)


def _fixed_point(pixels: Float64[np.ndarray, "n 2"], mask: np.ndarray) -> Int32[np.ndarray, "n 2"]:
    """Pixels with a fraction; those far outside, which would overflow, are pulled in."""
    limit = 4 * max(mask.shape)
    near = np.clip(np.nan_to_num(pixels), -limit, limit)
    return np.rint(near * 2**_SHIFT).astype(np.int32)


def _draw_nearness(
    nearness: Float32[np.ndarray, "h w"],
    rays: Float32[np.ndarray, "h w 3"],
    hull: Int32[np.ndarray, "n 2"],
    planes: Float32[np.ndarray, "p 3"],
    facing: Bool[np.ndarray, " p"],
) -> None:
    """Raise 1/z in the cells of the grid where the body is nearer than the present content."""
    left, top, width, height = (side >> _SHIFT for side in cv2.boundingRect(hull))
    rows = slice(max(top // _COARSE, 0), max((top + height) // _COARSE + 1, 0))
    columns = slice(max(left // _COARSE, 0), max((left + width) // _COARSE + 1, 0))
    window = rays[rows, columns]
    if not window.size:
        return
    inverse = planes @ window.reshape(-1, 3).T
    enter = inverse[facing].min(axis=0)
    leave = inverse[~facing].max(axis=0, initial=0)
    seen = np.where(enter >= leave, enter, 0).reshape(window.shape[:2])
    np.maximum(nearness[rows, columns], seen, out=nearness[rows, columns])
