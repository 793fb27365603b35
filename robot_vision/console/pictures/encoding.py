"""Arrays to JPEG and PNG: colour, depth, the feature grid and attention. Pure functions."""

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from robot_vision.viz.overlay import colorize_depth

_DEPTH_WIDTH_PX = 320
_SCALE_STEP_M = 0.5
_SCALE_COLORS = 17
# Okabe and Ito's vermilion: visible on colour images with any colour vision.
_ATTENTION_RGB = (213, 94, 0)
_MOST_ALPHA = 200
_OPAQUE_ABOVE_MEAN = 4


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """An encoded image and its size."""

    data: bytes
    format: Literal["jpeg", "png"]
    width_px: int
    height_px: int


@dataclass(frozen=True, kw_only=True)
class DepthScale:
    """Colours of depth from `min_m` to `max_m` in even steps, as `#rrggbb`."""

    min_m: float
    max_m: float
    colors: tuple[str, ...]


def jpeg(rgb: UInt8[np.ndarray, "h w 3"], *, width_px: int, quality: int) -> Picture:
    """The image, scaled down to `width_px` if it is wider."""
    if rgb.shape[1] > width_px:
        height_px = max(1, round(rgb.shape[0] * width_px / rgb.shape[1]))
        rgb = cv2.resize(rgb, (width_px, height_px), interpolation=cv2.INTER_AREA)
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return _picture(data, "jpeg", rgb)


def png(pixels: UInt8[np.ndarray, "h w c"]) -> Picture:
    """RGB or RGBA, losslessly and quickly."""
    code = cv2.COLOR_RGBA2BGRA if pixels.shape[2] == 4 else cv2.COLOR_RGB2BGR
    bgr = cv2.cvtColor(pixels, code)
    _, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    return _picture(data, "png", pixels)


def labels_png(labels: UInt8[np.ndarray, "h w"]) -> Picture:
    """One number per pixel, losslessly."""
    _, data = cv2.imencode(".png", labels)
    return _picture(data, "png", labels)


def depth_picture(depth_m: Float32[np.ndarray, "h w"]) -> tuple[Picture, DepthScale]:
    """Depth in colour: near bright, far dark, unknown black; and the scale of the colours.

    The far end is the 95th percentile, rounded up so that the scale stays stable.
    """
    if depth_m.shape[1] > _DEPTH_WIDTH_PX:
        height_px = max(1, round(depth_m.shape[0] * _DEPTH_WIDTH_PX / depth_m.shape[1]))
        size = (_DEPTH_WIDTH_PX, height_px)
        depth_m = cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST)
    valid = depth_m[np.isfinite(depth_m)]
    far_m = float(np.percentile(valid, 95)) if len(valid) else _SCALE_STEP_M
    max_m = max(float(np.ceil(far_m / _SCALE_STEP_M)), 1.0) * _SCALE_STEP_M
    steps = np.linspace(0, max_m, _SCALE_COLORS, dtype=np.float32)[None]
    row = colorize_depth(steps, max_m=max_m)[0]
    colors = tuple("#{:02x}{:02x}{:02x}".format(*color) for color in row.tolist())
    scale = DepthScale(min_m=0.0, max_m=max_m, colors=colors)
    return png(colorize_depth(depth_m, max_m=max_m)), scale


def attention_picture(weight: Float32[np.ndarray, "h w"]) -> Picture:
    """Weights as the opacity of one colour; the largest is the most opaque.

    Unless all are similar: a policy that looks everywhere paints everything faintly.
    """
    finite = np.nan_to_num(weight, nan=0.0, posinf=0.0, neginf=0.0).clip(0)
    most = max(float(finite.max()), _OPAQUE_ABOVE_MEAN * float(finite.mean()), 1e-12)
    alpha = finite / most * _MOST_ALPHA
    pixels = np.empty((*weight.shape, 4), np.uint8)
    pixels[..., :3] = _ATTENTION_RGB
    pixels[..., 3] = alpha.astype(np.uint8)
    return png(pixels)


class FeatureColors:
    """The three strongest directions of the feature grid as red, green and blue.

    The covariance is a running mean and each basis is rotated as near as possible to the previous
    one (orthogonal Procrustes), so that colours keep their meaning from frame to frame.
    """

    _BLEND = 0.1

    def __init__(self) -> None:
        self._mean = np.zeros(0)
        self._covariance = np.zeros((0, 0))
        self._basis = np.zeros((0, 3))
        self._low = self._high = np.zeros(3)

    def paint(self, grid: Float32[np.ndarray, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
        """The grid as an image with one pixel per cell."""
        channels = grid.shape[0]
        cells = np.nan_to_num(grid.reshape(channels, -1).T.astype(np.float64))
        fresh = self._mean.shape != (channels,)
        self._learn(cells, fresh=fresh)
        values = (cells - self._mean) @ self._basis
        low, high = np.percentile(values, [2, 98], axis=0)
        blend = 1.0 if fresh else self._BLEND
        self._low = self._low + blend * (low - self._low)
        self._high = self._high + blend * (high - self._high)
        span = np.maximum(self._high - self._low, 1e-12)
        levels = np.clip(255 * (values - self._low) / span, 0, 255)
        return levels.astype(np.uint8).reshape(*grid.shape[1:], 3)

    def _learn(self, cells: np.ndarray, *, fresh: bool) -> None:
        mean = cells.mean(axis=0)
        covariance = np.atleast_2d(np.cov(cells.T))
        if fresh:
            self._mean, self._covariance = mean, covariance
        else:
            self._mean = self._mean + self._BLEND * (mean - self._mean)
            self._covariance = self._covariance + self._BLEND * (covariance - self._covariance)
        _, vectors = np.linalg.eigh(self._covariance)
        strongest = vectors[:, ::-1][:, :3]
        basis = np.zeros((len(mean), 3))
        basis[:, : strongest.shape[1]] = strongest
        if not fresh:
            left, _, right = np.linalg.svd(basis.T @ self._basis)
            basis = basis @ (left @ right)
        self._basis = basis


def _picture(data: np.ndarray, kind: Literal["jpeg", "png"], pixels: np.ndarray) -> Picture:
    return Picture(
        data=data.tobytes(), format=kind, width_px=pixels.shape[1], height_px=pixels.shape[0]
    )
