"""Random but legal numbers of `CameraInfo`, and where OpenCV says that a point is seen by them."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

SIZES = ((640, 480), (848, 480), (1280, 720), (1936, 1216), (480, 640), (320, 240))
BINNINGS = ((0, 0), (1, 1), (2, 2), (4, 4), (2, 1), (1, 2), (0, 2))
# One standard deviation of each coefficient, wilder than most lenses are.
BROWN = [0.3, 0.1, 2e-3, 2e-3, 0.05, 0.2, 0.05, 0.02, 3e-3, 3e-3, 3e-3, 3e-3, 0.02, 0.02]
FISHEYE = [0.05, 0.02, 5e-3, 2e-3]
COUNTS = {"plumb_bob": (4, 5), "rational_polynomial": (8, 12, 14), "equidistant": (4,)}


@dataclass(frozen=True, kw_only=True)
class Case:
    """A message, what it is used for, and the size of the image that comes with it."""

    info: Any
    rectified: bool
    image_size_px: tuple[int, int]


def message(
    *,
    width: int,
    height: int,
    k: Any,
    d: Any = (),
    p: Any = None,
    r: Any = None,
    model: str = "plumb_bob",
    binning: tuple[int, int] = (0, 0),
    roi: tuple[int, int, int, int] = (0, 0, 0, 0),
    do_rectify: bool = False,
) -> Any:
    """Fields as a `CameraInfo` of ROS 2 has them; `p` is made of `k` where it is not given."""
    k = np.asarray(k, np.float64).reshape(3, 3)
    p = np.hstack([k, np.zeros((3, 1))]) if p is None else np.asarray(p, np.float64)
    x, y, roi_width, roi_height = roi
    return SimpleNamespace(
        header=SimpleNamespace(frame_id="cam"),
        width=width,
        height=height,
        distortion_model=model,
        d=np.asarray(d, np.float64),
        k=k.ravel(),
        r=np.eye(3).ravel() if r is None else np.asarray(r, np.float64).ravel(),
        p=p.ravel(),
        binning_x=binning[0],
        binning_y=binning[1],
        roi=SimpleNamespace(
            x_offset=x, y_offset=y, width=roi_width, height=roi_height, do_rectify=do_rectify
        ),
    )


def random_case(rng: np.random.Generator) -> Case:
    width, height = SIZES[rng.integers(len(SIZES))]
    k = _matrix(rng, width, height)
    model = str(rng.choice(list(COUNTS)))
    scale = np.array(FISHEYE if model == "equidistant" else BROWN)
    d = rng.normal(0, scale)[: rng.choice(COUNTS[model])]
    if rng.random() < 0.15:
        d = np.zeros(rng.choice([0, len(d)]))
    binning = BINNINGS[rng.integers(len(BINNINGS))]
    roi = _region(rng, width, height, binning) if rng.random() < 0.5 else (0, 0, 0, 0)
    seen_px = roi[2:] if any(roi) else (width, height)
    rectified = bool(rng.random() < 0.4)
    shift = np.zeros((3, 1))
    if rng.random() < 0.2:
        shift[rng.integers(2)] = rng.uniform(-200, 200)
    p = np.hstack([_matrix(rng, width, height), shift])
    if not d.any() and model != "equidistant" and rng.random() < 0.3:
        k, p = np.zeros((3, 3)), np.hstack([k, shift])
    info = message(
        width=width,
        height=height,
        k=k,
        d=d,
        p=p,
        model=model,
        binning=binning,
        roi=roi,
        do_rectify=bool(rng.random() < 0.5),
    )
    size = (seen_px[0] // max(binning[0], 1), seen_px[1] // max(binning[1], 1))
    return Case(info=info, rectified=rectified, image_size_px=size)


def seen_at(case: Case, point_m: np.ndarray) -> np.ndarray:
    """Pixels [N, 2] of points [N, 3], by OpenCV and image_geometry's region and binning."""
    info = case.info
    k, p = info.k.reshape(3, 3), info.p.reshape(3, 4)
    if case.rectified or not k.any():
        # P takes points of the first camera of a pair, where this one's centre is at −Tx/fx.
        first_m = point_m - [p[0, 3] / p[0, 0], p[1, 3] / p[1, 1], 0]
        flat = np.hstack([first_m, np.ones((len(point_m), 1))]) @ p.T
        full_px = flat[:, :2] / flat[:, 2:]
    elif info.distortion_model == "equidistant":
        zero = np.zeros(3)
        d = info.d if info.d.size else np.zeros(4)
        full_px, _ = cv2.fisheye.projectPoints(point_m[:, None], zero, zero, k, d)
        full_px = full_px[:, 0]
    else:
        full_px, _ = cv2.projectPoints(point_m[:, None], np.zeros(3), np.zeros(3), k, info.d)
        full_px = full_px[:, 0]
    offset_px = [info.roi.x_offset, info.roi.y_offset]
    return (full_px - offset_px) / [max(info.binning_x, 1), max(info.binning_y, 1)]


def is_unfolded(case: Case, point_m: np.ndarray) -> np.ndarray:
    """Whether points on the way from the axis are seen ever farther out, up to each point."""
    way = np.linspace(0, 1, 60)[:, None, None] * (point_m * [1, 1, 0]) + [0, 0, 1]
    pixel_px = seen_at(case, way.reshape(-1, 3)).reshape(len(way), -1, 2)
    outward = np.hypot(*np.moveaxis(pixel_px - pixel_px[:1], 2, 0))
    least = 0.2 * np.hypot(*np.moveaxis(point_m[:, :2], 1, 0)) / 59
    focal_px = np.abs(pixel_px[1] - pixel_px[0]).max(axis=1) / np.maximum(
        np.abs(way[1] - way[0]).max(axis=1), 1e-12
    )
    return (np.diff(outward, axis=0) > least * focal_px).all(axis=0)


def _matrix(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    focal_px = rng.uniform(0.5, 1.6) * max(width, height)
    centre_px = [width, height] * rng.uniform(0.4, 0.6, 2)
    fy_px = focal_px * rng.uniform(0.95, 1.05)
    return np.array([[focal_px, 0, centre_px[0]], [0, fy_px, centre_px[1]], [0, 0, 1.0]])


def _region(
    rng: np.random.Generator, width: int, height: int, binning: tuple[int, ...]
) -> tuple[int, int, int, int]:
    x, y = (int(v) for v in rng.uniform(0, [width / 2, height / 2]))
    most = [width - x, height - y]
    region = (np.array(most) * rng.uniform(0.5, 1.0, 2)).astype(int)
    step = np.maximum(binning, 1)
    region = region // step * step
    return x, y, int(region[0]), int(region[1])
