"""The visible surface of an object above the table: its position, orientation and shape.

Depth in the object's box becomes points of the base frame; those above the table that are not the
gripper's belong to the object. The base frame's origin lies in the table top.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32

from robot_vision.core.cameras.geometry import deproject, transform_points
from robot_vision.core.types import Camera
from robot_vision.policies.observing.sampling import looked_up, spread_over

HEIGHT_CELLS = 8
CELL_M = 0.022
_SAMPLES = 24
_LEAST_POINTS = 10
_EDGE = 0.03  # share of points that may lie beyond an object's estimated end
_ABOVE_TABLE_M = 0.007
_HIGHEST_M = 0.6
# The hand is a block behind the fingertips, in the tool's frame.
_HAND_BEHIND_M = -0.03
_HAND_REACH_M = 0.13


@dataclass(frozen=True, kw_only=True, eq=False)
class SurfaceView:
    """The visible surface of an object, in base axes.

    `centre_m` is the median. `axis` is (cos 2θ, sin 2θ) of the longer side's direction θ seen from
    above, times the elongation (0 round, 1 a line); `extent_m` the longer and shorter side;
    `sides_m` its extent to −x, +x, −y, +y of the centre; `spread_m` standard deviations in x and y
    and the signed root of their covariance. `heights_m` is the highest point in cells around the
    centre, 0 where empty. `color` is the median RGB in 0…1.
    """

    centre_m: Float[np.ndarray, "3"]
    top_m: float
    low_m: float
    spread_m: Float[np.ndarray, "3"]
    axis: Float[np.ndarray, "2"]
    extent_m: Float[np.ndarray, "2"]
    sides_m: Float[np.ndarray, "4"]
    heights_m: Float32[np.ndarray, "c c"]


def see_surface(
    box_px: Float32[np.ndarray, "4"],
    *,
    mask: Bool[np.ndarray, "hm wm"] | None,
    depth_m: Float32[np.ndarray, "hd wd"],
    camera: Camera,
    base_from_camera: Float[np.ndarray, "4 4"],
    tool_from_base: Float[np.ndarray, "4 4"],
) -> SurfaceView | None:
    """The surface in a box (pixels of the camera), or None if too little of it is measured.

    `depth_m` and `mask` are maps over the same view, of any size.
    """
    size_px = camera.width_px, camera.height_px
    u, v = spread_over(box_px[:2], box_px[2:], size_px=size_px, side=_SAMPLES)
    z = looked_up(depth_m, u, v, size_px=size_px).astype(np.float64)
    z[~np.isfinite(z)] = 0
    seen = deproject(np.column_stack([u, v]), z, camera=camera)
    point = transform_points(base_from_camera, seen)
    chosen = (z > 0) & (point[:, 2] > _ABOVE_TABLE_M) & (point[:, 2] < _HIGHEST_M)
    in_tool = transform_points(tool_from_base, point)
    hand = (in_tool[:, 2] < _HAND_BEHIND_M) & (np.abs(in_tool[:, :2]) < _HAND_REACH_M).all(axis=1)
    chosen &= ~hand
    if mask is not None:
        masked = chosen & looked_up(mask, u, v, size_px=size_px)
        chosen = masked if masked.sum() >= _LEAST_POINTS else chosen
    if chosen.sum() < _LEAST_POINTS:
        return None
    return _describe(point[chosen])


def _describe(point_m: Float[np.ndarray, "n 3"]) -> SurfaceView:
    # One sort serves all quantiles: NumPy's quantiles would take longer than everything else here.
    ordered = np.sort(point_m, axis=0)
    centre = _quantile(ordered, 0.5)
    offset = point_m[:, :2] - centre[:2]
    from_mean = offset - offset.mean(axis=0)
    covariance = from_mean.T @ from_mean / (len(offset) - 1)
    spread = np.sqrt(np.diag(covariance))
    mixed = float(covariance[0, 1])
    variance, direction = np.linalg.eigh(covariance)
    along = np.sort(offset @ direction[:, ::-1], axis=0)
    elongation = 1 - np.sqrt(max(variance[0], 0) / max(variance[1], 1e-9))
    angle = 2 * np.arctan2(direction[1, 1], direction[0, 1])
    low, high = _quantile(ordered, _EDGE), _quantile(ordered, 1 - _EDGE)
    return SurfaceView(
        centre_m=centre,
        top_m=float(high[2]),
        low_m=float(low[2]),
        spread_m=np.array([*spread, np.sign(mixed) * np.sqrt(abs(mixed))]),
        axis=elongation * np.array([np.cos(angle), np.sin(angle)]),
        extent_m=_quantile(along, 1 - _EDGE) - _quantile(along, _EDGE),
        sides_m=np.stack([low[:2] - centre[:2], high[:2] - centre[:2]], axis=1).ravel(),
        heights_m=_height_map(offset, point_m[:, 2]),
    )


def _quantile(ordered: Float[np.ndarray, "n k"], share: float) -> Float[np.ndarray, " k"]:
    """Quantile of sorted columns, interpolated between the two nearest rows."""
    place = share * (len(ordered) - 1)
    row = min(int(place), len(ordered) - 2)
    return ordered[row] + (place - row) * (ordered[row + 1] - ordered[row])


def _height_map(
    offset_m: Float[np.ndarray, "n 2"], height_m: Float[np.ndarray, " n"]
) -> Float32[np.ndarray, "c c"]:
    cell = np.floor(offset_m / CELL_M).astype(int) + HEIGHT_CELLS // 2
    inside = ((cell >= 0) & (cell < HEIGHT_CELLS)).all(axis=1)
    heights = np.zeros((HEIGHT_CELLS, HEIGHT_CELLS), np.float32)
    np.maximum.at(heights, (cell[inside, 0], cell[inside, 1]), height_m[inside])
    return heights
