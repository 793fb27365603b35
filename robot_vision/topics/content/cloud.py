"""Measured depth as points in the camera's optical frame, by NumPy alone."""

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8

from robot_vision.core.cameras.geometry import rays_of, scaled_camera
from robot_vision.core.types import Camera, Depth, Frame, Perception, TrackState

POINT = np.dtype([(name, "<f4") for name in ("x", "y", "z", "rgb")])
"""Metres, and colour as RViz and PCL expect it: the bits 0x00RRGGBB of a float."""
OBJECT_POINT = np.dtype([*POINT.descr, ("id", "<u4"), ("class_id", "<u4")])

# As many as fit in the cache: all at once take four times as long.
_BAND_PX = 1 << 14
# Apparent thickness of a flat surface to a sensor, as a share of its distance.
_LEAST_EXTENT = 0.03


class Rays:
    """Rays through the pixels of a grid, cached until the camera changes: undistorting is slow."""

    def __init__(self) -> None:
        self._made_for: tuple[Camera, tuple[int, int], int] | None = None
        self._x = self._y = np.zeros((0, 0), np.float32)

    def of(
        self, camera: Camera, shape: tuple[int, int], stride: int
    ) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
        """x and y of the rays (x, y, 1) of every `stride`-th pixel of a view of `shape`.

        NaN outside the lens's range.
        """
        made = self._made_for
        if made is None or made[1:] != (shape, stride) or not camera.same_as(made[0]):
            self._x, self._y = _rays(camera, shape, stride)
            self._made_for = camera, shape, stride
        return self._x, self._y


def _rays(
    camera: Camera, shape: tuple[int, int], stride: int
) -> tuple[Float32[np.ndarray, "h w"], Float32[np.ndarray, "h w"]]:
    height_px, width_px = shape
    seen = scaled_camera(camera, width_px=width_px, height_px=height_px)
    v, u = np.mgrid[0:height_px:stride, 0:width_px:stride]
    pixels = np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64)
    bands = np.array_split(pixels, -(-len(pixels) // _BAND_PX))
    rays = np.concatenate([rays_of(band, camera=seen) for band in bands])
    x, y = rays.astype(np.float32).T.reshape(2, *u.shape)
    return np.ascontiguousarray(x), np.ascontiguousarray(y)


def cloud_shape(depth: Depth, stride: int) -> tuple[int, int]:
    """Rows and columns of the cloud of `depth`."""
    height_px, width_px = depth.depth_m.shape
    return -(-height_px // stride), -(-width_px // stride)


def fill_cloud(
    out: Float32[np.ndarray, "h w 4"], *, frame: Frame, depth: Depth, rays: Rays, stride: int
) -> None:
    """Points of `depth` into `out`, whose last axis is a `POINT`.

    NaN where no sensor measured, or where the lens has no ray. The camera must be known.
    """
    assert frame.camera is not None
    shape = depth.depth_m.shape
    x, y = rays.of(frame.camera, (shape[0], shape[1]), stride)
    every = slice(None, None, stride)
    is_point = depth.measured[every, every] & np.isfinite(x)
    z_m = np.where(is_point, depth.depth_m[every, every], np.float32(np.nan))
    color = _packed(frame.rgb, (shape[0], shape[1]), stride)
    cv2.merge([x * z_m, y * z_m, z_m, color], out)


def _packed(
    rgb: UInt8[np.ndarray, "h w 3"], shape: tuple[int, int], stride: int
) -> Float32[np.ndarray, "hp wp"]:
    """Colour at the cells of the depth, as the bits of floats.

    Alpha is 0: with 255, red from 128 on would make a NaN of the float, and readers that skip
    NaN would lose the point.
    """
    if rgb.shape[:2] != shape:
        rgb = cv2.resize(rgb, shape[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    if stride > 1:
        rgb = np.ascontiguousarray(rgb[::stride, ::stride])
    bits = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGRA).view("<u4")[..., 0]
    bits &= 0x00FFFFFF
    return bits.view(np.float32)


def object_points(
    cloud: Float32[np.ndarray, "h w 4"], perception: Perception, *, stride: int
) -> np.ndarray:
    """`OBJECT_POINT`s of the confirmed tracks that were detected in this frame.

    Points under a detection's mask; without a mask those in its box at the object's depth. A
    point that two detections cover appears for both.
    """
    tracks = perception.tracks
    found: list[np.ndarray] = [np.zeros(0, OBJECT_POINT)]
    for row in np.flatnonzero(tracks.state == TrackState.CONFIRMED).tolist():
        detection = int(tracks.detection_index[row])
        if detection < 0:
            continue
        points = _points_of(cloud, perception, detection, stride=stride)
        one = np.zeros(len(points), OBJECT_POINT)
        for column, name in enumerate(POINT.names or ()):
            one[name] = points[:, column]
        one["id"] = tracks.track_id[row] % 2**32
        one["class_id"] = tracks.class_id[row]
        found.append(one)
    return np.concatenate(found)


def _points_of(
    cloud: Float32[np.ndarray, "h w 4"], perception: Perception, detection: int, *, stride: int
) -> Float32[np.ndarray, "n 4"]:
    box_px = perception.detections.box_xyxy_px[detection].astype(np.float64)
    rows, columns = _cells(box_px, perception, stride)
    patch = cloud[rows, columns]
    z_m = patch[..., 2]
    mask = _mask(perception, detection, rows, columns, stride=stride)
    chosen = _at_depth(z_m, perception, detection) if mask is None else mask
    return patch[chosen & np.isfinite(z_m)]


def _cells(
    box_px: Float[np.ndarray, "4"], perception: Perception, stride: int
) -> tuple[slice, slice]:
    """Rows and columns of the cloud within a box of the camera's image."""
    assert perception.depth is not None
    height_px, width_px = perception.depth.depth_m.shape
    full_height_px, full_width_px = perception.frame.rgb.shape[:2]
    scale = np.tile([width_px / full_width_px, height_px / full_height_px], 2)
    bounds = np.tile([width_px, height_px], 2)
    left, top, right, bottom = np.ceil(np.clip(box_px * scale, 0, bounds) / stride).astype(int)
    return slice(top, bottom), slice(left, right)


def _mask(
    perception: Perception, detection: int, rows: slice, columns: slice, *, stride: int
) -> Bool[np.ndarray, "h w"] | None:
    """The detection's mask at cells of the cloud; None where it has none."""
    masks = perception.detections.mask
    if masks is None or not masks[detection].any():
        return None
    assert perception.depth is not None
    height_px, width_px = perception.depth.depth_m.shape
    mask = masks[detection]
    mask_rows = np.arange(rows.start, rows.stop) * stride * mask.shape[0] // height_px
    mask_columns = np.arange(columns.start, columns.stop) * stride * mask.shape[1] // width_px
    return mask[mask_rows[:, None], mask_columns]


def _at_depth(
    z_m: Float32[np.ndarray, "h w"], perception: Perception, detection: int
) -> Bool[np.ndarray, "h w"]:
    """Points at the depth that `lift` found for the object, rather than behind it."""
    if perception.lifted is None:
        return np.zeros(z_m.shape, bool)
    middle_m = perception.lifted.position_in_camera_m[detection, 2]
    extent_m = np.fmax(perception.lifted.size_m[detection, 2], _LEAST_EXTENT * middle_m)
    return np.abs(z_m - middle_m) <= extent_m
