"""Lifts 2-D detections to 3-D with the depth of the object in the box, not of the background. The
depth of a box is the nearest mode of its depths with a sufficient share of them; a mask, if any,
selects the pixels.

Filled depth is an estimate and is not used: only measured pixels count.
"""

from math import ceil

import numpy as np
from jaxtyping import Bool, Float, Float32

from robot_vision.core.cameras.geometry import rays_of
from robot_vision.core.types import Camera, Depth, Detections, Lifted

# The rim of a box shows mostly background; the object is in the middle share of each side.
_CORE_SHARE = 0.7
_MAX_SAMPLES = 900
_MIN_SAMPLES = 4
# Bins of 3 % of the distance: finer than objects are deep, coarser than sensors are noisy.
_BIN_LOG = 0.03
# A nearer mode is the object if it holds this share of the largest mode's samples.
_MODE_SHARE = 0.35
# Structured-light and stereo noise grows with the square of distance: σ = 3 mm at 1 m.
_DEPTH_NOISE_PER_M = 0.003
# A box's centre is known to this share of its size, and to a pixel at best.
_CENTRE_SHARE = 0.05
# Error of depth from colour alone, as a share of the distance (σ; `bench depth-fill`).
_ROUGH_SHARE = 0.2


def lift(detections: Detections, *, depth: Depth, camera: Camera, rough: bool = False) -> Lifted:
    """Position, covariance and size of each detection in camera coordinates.

    The position is that of the visible surface on the ray through the box's centre. Width and
    height are those of the box at that distance, the third size is the visible surface's extent
    along the axis. Rows are NaN if nothing was measured in the box; all rows are if the intrinsics
    are invalid. `rough` also lifts from depth estimated from colour alone, with a larger
    covariance.
    """
    count = len(detections)
    if count == 0 or not _is_projective(camera):
        return _unknown(count)
    is_rough = rough and depth.source == "model"
    trusted = np.isfinite(depth.depth_m) & (is_rough | depth.measured)
    ranges = [
        object_range(_samples(detections, row, depth.depth_m, trusted, camera))
        for row in range(count)
    ]
    middle_m, extent_m, spread_m = np.array(ranges).T
    if is_rough:
        spread_m = np.hypot(spread_m, _ROUGH_SHARE * middle_m)
    rays = _rays(detections.box_xyxy_px, camera)
    middle_m[np.isnan(rays.sum(axis=(1, 2)))] = np.nan  # the lens has no inverse there
    extent_m = np.where(np.isnan(middle_m), np.nan, extent_m)
    across_m = (rays[:, 2, :2] - rays[:, 1, :2]) * middle_m[:, None]
    size_m = np.concatenate([across_m, extent_m[:, None]], axis=1)
    return Lifted(
        position_in_camera_m=(rays[:, 0] * middle_m[:, None]).astype(np.float32),
        covariance_m2=_covariance(rays[:, 0], middle_m, spread_m, across_m, camera),
        size_m=size_m.astype(np.float32),
    )


def object_range(depth_m: Float32[np.ndarray, " n"]) -> tuple[float, float, float]:
    """Middle, extent and spread (σ) of the object's depths among those of its box, in metres.

    All NaN if there are too few.
    """
    if depth_m.size < _MIN_SAMPLES:
        return np.nan, np.nan, np.nan
    depth_m = np.sort(depth_m)
    log_depth = np.log(depth_m)
    mode = _nearest_mode(log_depth)
    first, last = log_depth.searchsorted((mode - 2 * _BIN_LOG, mode + 2 * _BIN_LOG))
    near = depth_m[first:last]
    low, middle, high = (near[int(share * (near.size - 1))] for share in (0.05, 0.5, 0.95))
    deviation = np.sort(np.abs(near - middle))
    spread = 1.4826 * deviation[deviation.size // 2]
    return float(middle), float(high - low), float(spread)


def _nearest_mode(log_depth: Float[np.ndarray, " n"]) -> float:
    """Centre of the nearest bin that is a peak and not an outlier; `log_depth` is sorted."""
    first = log_depth[0]
    bins = ((log_depth - first) / _BIN_LOG).astype(np.int64)
    # Two empty bins on either side, so that every bin has neighbours and these have some too.
    count = np.bincount(bins + 2, minlength=bins[-1] + 5)
    mass = count[:-2] + 2 * count[1:-1] + count[2:]
    mass[0] = mass[-1] = 0
    middle = mass[1:-1]
    peak = (middle >= mass[:-2]) & (middle > mass[2:]) & (middle >= _MODE_SHARE * mass.max())
    return float(first + (peak.argmax() + 0.5) * _BIN_LOG)


def _samples(
    detections: Detections, index: int, depth_m: np.ndarray, trusted: np.ndarray, camera: Camera
) -> Float32[np.ndarray, " n"]:
    """Trusted depths that belong to a detection: under its mask, or in the core of its box."""
    height, width = depth_m.shape
    x0, y0, x1, y1 = detections.box_xyxy_px[index].tolist()
    mask = None if detections.mask is None else detections.mask[index]
    if mask is None or not mask.any():
        mask = None
        x0, x1 = _core(x0, x1)
        y0, y1 = _core(y0, y1)
    scale_x, scale_y = width / camera.width_px, height / camera.height_px
    left, right = _span(x0 * scale_x, x1 * scale_x, width)
    top, bottom = _span(y0 * scale_y, y1 * scale_y, height)
    # Subsampled to bound the work.
    thin = max(1, round(((right - left) * (bottom - top) / _MAX_SAMPLES) ** 0.5))
    rows, columns = slice(top, bottom, thin), slice(left, right, thin)
    patch = depth_m[rows, columns]
    chosen = trusted[rows, columns] & (patch > 0)
    if mask is not None:
        chosen &= _mask_at(mask, rows, columns, height=height, width=width)
    return patch[chosen]


def _core(low: float, high: float) -> tuple[float, float]:
    middle, half = (low + high) / 2, (high - low) / 2 * _CORE_SHARE
    return middle - half, middle + half


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """Cells from `low` to `high`, at least one of `limit`."""
    first = int(min(max(low, 0), limit - 1))
    return first, int(min(max(ceil(high), first + 1), limit))


def _mask_at(
    mask: Bool[np.ndarray, "hm wm"], rows: slice, columns: slice, *, height: int, width: int
) -> Bool[np.ndarray, "h w"]:
    """The mask, on its own grid over the same view, at cells of the depth grid."""
    mask_rows = np.arange(rows.start, rows.stop, rows.step) * mask.shape[0] // height
    mask_columns = np.arange(columns.start, columns.stop, columns.step) * mask.shape[1] // width
    return mask[mask_rows[:, None], mask_columns]


def _rays(box_xyxy_px: Float32[np.ndarray, "n 4"], camera: Camera) -> Float[np.ndarray, "n 3 3"]:
    """Per box, the rays (x, y, 1) through its centre, its top left and its bottom right."""
    box = box_xyxy_px.astype(np.float64)
    pixels = np.stack([(box[:, :2] + box[:, 2:]) / 2, box[:, :2], box[:, 2:]], axis=1)
    rays = rays_of(pixels.reshape(-1, 2), camera=camera).reshape(-1, 3, 2)
    return np.concatenate([rays, np.ones((*rays.shape[:2], 1))], axis=2)


def _covariance(
    ray: Float[np.ndarray, "n 3"],
    middle_m: Float[np.ndarray, " n"],
    spread_m: Float[np.ndarray, " n"],
    size_m: Float[np.ndarray, "n 2"],
    camera: Camera,
) -> Float32[np.ndarray, "n 3 3"]:
    """Errors of the box's centre and of the depth, propagated to the point on the ray."""
    pixel = np.array([1 / camera.fx_px, 1 / camera.fy_px])
    across_m = np.maximum(_CENTRE_SHARE * size_m, pixel * middle_m[:, None])
    along_m = np.hypot(_DEPTH_NOISE_PER_M * middle_m**2, spread_m)
    covariance = ray[:, :, None] * ray[:, None, :] * along_m[:, None, None] ** 2
    covariance[:, (0, 1), (0, 1)] += across_m**2
    return covariance.astype(np.float32)


def _unknown(count: int) -> Lifted:
    nan = np.float32(np.nan)
    return Lifted(
        position_in_camera_m=np.full((count, 3), nan),
        covariance_m2=np.full((count, 3, 3), nan),
        size_m=np.full((count, 3), nan),
    )


def _is_projective(camera: Camera) -> bool:
    return bool(np.isfinite(camera.intrinsics_px).all() and camera.fx_px > 0 and camera.fy_px > 0)
