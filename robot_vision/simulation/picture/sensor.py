"""Sensor models applied to an ideal picture: noisy colour, depth like an active stereo pair.

Depth follows published properties of RealSense-class cameras (Keselman et al. 2017, "Intel
RealSense Stereoscopic Depth Cameras"; Nguyen et al. 2012 for edges and grazing angles): disparity
carries the noise and the quantisation, so that the range error grows with the square of the range;
pixels that the second imager cannot see, dark, shiny and grazing surfaces return nothing.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Float32, UInt8


@dataclass(frozen=True, kw_only=True)
class DepthSensor:
    """A stereo depth camera. Defaults resemble a RealSense D435 at 640×480."""

    baseline_m: float = 0.05
    noise_px: float = 0.06
    step_px: float = 1 / 32
    min_m: float = 0.25
    max_m: float = 6.0
    edge_px: float = 1.0
    grain_px: float = 1.2
    hole_share: float = 1.0


@dataclass(frozen=True, kw_only=True)
class ColorSensor:
    """Exposure, colour cast, blur and grain of a picture."""

    exposure: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vignette: float = 0.0
    blur_px: float = 0.0
    motion_px: float = 0.0
    motion_rad: float = 0.0
    read_noise: float = 0.004
    shot_noise: float = 0.008
    jpeg_quality: int = 90


def draw_depth_sensor(rng: np.random.Generator) -> DepthSensor:
    """A random sensor of the class."""
    return DepthSensor(
        baseline_m=rng.uniform(0.045, 0.07),
        noise_px=rng.uniform(0.03, 0.12),
        step_px=float(rng.choice([1 / 8, 1 / 16, 1 / 32])),
        min_m=rng.uniform(0.2, 0.4),
        max_m=rng.uniform(3.0, 8.0),
        edge_px=rng.uniform(0.5, 2.0),
        hole_share=rng.uniform(0.3, 1.6),
    )


def draw_color_sensor(rng: np.random.Generator) -> ColorSensor:
    """A random camera: mostly well exposed and sharp."""
    return ColorSensor(
        exposure=float(np.exp(rng.normal(0, 0.3))),
        white_balance=tuple(np.exp(rng.normal(0, 0.06, 3)).tolist()),
        vignette=rng.uniform(0, 0.3),
        blur_px=max(0.0, rng.normal(0.2, 0.45)),
        motion_px=rng.uniform(2, 7) if rng.random() < 0.12 else 0.0,
        motion_rad=rng.uniform(0, np.pi),
        read_noise=rng.uniform(0.001, 0.012),
        shot_noise=rng.uniform(0.002, 0.03),
        jpeg_quality=int(rng.integers(60, 97)),
    )


def sense_color(
    rgb: UInt8[np.ndarray, "h w 3"], *, sensor: ColorSensor, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture a camera would return, before JPEG; automatic exposure is applied before
    `exposure`."""
    image = rgb.astype(np.float32) / 255
    image *= _auto_exposure(image) * sensor.exposure
    image *= np.array(sensor.white_balance, np.float32)
    image *= _vignette(image.shape[:2], sensor.vignette)
    image = _blur(image, sensor)
    sigma = np.sqrt(sensor.read_noise**2 + sensor.shot_noise**2 * np.clip(image, 0, 1))
    image += sigma * rng.standard_normal(image.shape, dtype=np.float32)
    return (np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8)


def _auto_exposure(image: Float32[np.ndarray, "h w 3"]) -> float:
    """Gain towards a mid-grey mean, as far as a camera would go."""
    return float(np.clip(0.42 / max(float(image.mean()), 1e-3), 0.75, 2.6))


def _vignette(shape: tuple[int, int], strength: float) -> Float32[np.ndarray, "h w 1"]:
    rows, columns = np.linspace(-1, 1, shape[0]), np.linspace(-1, 1, shape[1])
    squared = (rows[:, None] ** 2 + columns[None, :] ** 2) / 2
    return (1 - strength * squared)[..., None].astype(np.float32)


def _blur(
    image: Float32[np.ndarray, "h w 3"], sensor: ColorSensor
) -> Float32[np.ndarray, "h w 3"]:
    if sensor.blur_px > 0.2:
        image = cv2.GaussianBlur(image, (0, 0), sensor.blur_px)
    if sensor.motion_px > 1:
        size = int(np.ceil(sensor.motion_px)) | 1
        kernel = np.zeros((size, size), np.float32)
        half = size // 2
        reach = np.array([np.cos(sensor.motion_rad), np.sin(sensor.motion_rad)]) * half
        ends = np.rint([half - reach, half + reach]).astype(int)
        cv2.line(kernel, ends[0].tolist(), ends[1].tolist(), 1.0)
        image = cv2.filter2D(image, -1, kernel / kernel.sum())
    return image


def sense_depth(
    depth_m: Float32[np.ndarray, "h w"],
    *,
    rgb: UInt8[np.ndarray, "h w 3"],
    shine: Float[np.ndarray, "h w"],
    focal_px: float,
    sensor: DepthSensor,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "h w"]:
    """Depth in metres as the sensor returns it, 0 for none.

    `depth_m` is exact (0: nothing there), `shine` is 0 for matt to 1 for mirror-like surfaces.
    """
    known = depth_m > 0
    safe_m = np.where(known, depth_m, sensor.max_m * 4).astype(np.float32)
    bent_m = _bend_edges(safe_m, sensor, rng)
    disparity_px = focal_px * sensor.baseline_m / bent_m
    occluded = _hidden_from_second_imager(focal_px * sensor.baseline_m / safe_m)
    disparity_px = disparity_px + sensor.noise_px * _grain(depth_m.shape, sensor.grain_px, rng)
    disparity_px = np.round(disparity_px / sensor.step_px) * sensor.step_px
    measured_m = focal_px * sensor.baseline_m / np.maximum(disparity_px, 1e-3)
    weak = _weak_return(safe_m, rgb=rgb, shine=shine, focal_px=focal_px)
    lost = weak * sensor.hole_share > _patchy(depth_m.shape, rng)
    lost |= occluded | ~known | _blobs(depth_m.shape, sensor, rng)
    lost |= (measured_m < sensor.min_m) | (measured_m > sensor.max_m)
    return np.where(lost, 0, measured_m).astype(np.float32)


def _bend_edges(
    depth_m: Float32[np.ndarray, "h w"], sensor: DepthSensor, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """Depth edges deviate from colour edges: matching windows shift them by about a pixel."""
    height, width = depth_m.shape
    shift = sensor.edge_px * rng.standard_normal((2, height // 4 + 1, width // 4 + 1))
    dy, dx = (cv2.resize(s.astype(np.float32), (width, height)) for s in shift)
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return cv2.remap(
        depth_m, columns + dx, rows + dy, cv2.INTER_NEAREST, None, cv2.BORDER_REPLICATE
    )


def _hidden_from_second_imager(
    disparity_px: Float[np.ndarray, "h w"],
) -> Bool[np.ndarray, "h w"]:
    """Pixels occluded in the right imager by something nearer to their right."""
    width = disparity_px.shape[1]
    seen_at = np.arange(width) - disparity_px
    nearest_right = np.minimum.accumulate(seen_at[:, ::-1], axis=1)[:, ::-1]
    return seen_at > nearest_right + 1.0


def _weak_return(
    depth_m: Float32[np.ndarray, "h w"],
    *,
    rgb: UInt8[np.ndarray, "h w 3"],
    shine: Float[np.ndarray, "h w"],
    focal_px: float,
) -> Float[np.ndarray, "h w"]:
    """Probability that a surface returns nothing: dark, shiny, or seen at a grazing angle."""
    # channel by channel and pair by pair: NumPy is slow along short axes
    red, green, blue = cv2.split(cv2.GaussianBlur(rgb, (0, 0), 2))
    light = np.maximum(np.maximum(red, green), blue) / 255.0
    dark = np.clip((0.10 - light) / 0.10, 0, 1) * 0.8
    glare = np.clip((light - 0.9) / 0.1, 0, 1) * np.clip(shine, 0.15, 1) * 0.8
    shiny = np.clip(shine - 0.6, 0, 1) * 0.6
    slope = np.hypot(
        cv2.Sobel(depth_m, cv2.CV_32F, 1, 0, scale=0.125),
        cv2.Sobel(depth_m, cv2.CV_32F, 0, 1, scale=0.125),
    )
    tangent = slope * focal_px / depth_m  # cosine of the angle between view ray and surface normal
    grazing = np.clip((np.arctan(tangent) - np.deg2rad(76)) / np.deg2rad(10), 0, 1) * 0.9
    weak = np.maximum(np.maximum(dark, glare), np.maximum(shiny, grazing))
    return np.maximum(weak, 0.01)


def _grain(
    shape: tuple[int, int], size_px: float, rng: np.random.Generator
) -> Float32[np.ndarray, "h w"]:
    """Spatially correlated noise of unit deviation, as from shared matching windows."""
    noise = cv2.GaussianBlur(rng.standard_normal(shape, dtype=np.float32), (0, 0), size_px)
    return noise / noise.std()


def _patchy(shape: tuple[int, int], rng: np.random.Generator) -> Float[np.ndarray, "h w"]:
    """Smooth noise with uniform values in 0…1, so that holes come in patches."""
    height, width = shape
    coarse = rng.standard_normal((height // 6 + 1, width // 6 + 1)).astype(np.float32)
    fine = rng.standard_normal((height // 2 + 1, width // 2 + 1)).astype(np.float32)
    total = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    total += 0.5 * cv2.resize(fine, (width, height))
    total /= total.std()
    return 1 / (1 + np.exp(-1.702 * total))  # the logistic stand-in for the normal's integral


def _blobs(
    shape: tuple[int, int], sensor: DepthSensor, rng: np.random.Generator
) -> Bool[np.ndarray, "h w"]:
    """Random patches without depth."""
    mask = np.zeros(shape, np.uint8)
    for _ in range(rng.poisson(2.0 * sensor.hole_share)):
        centre = (int(rng.integers(shape[1])), int(rng.integers(shape[0])))
        axes = np.maximum(rng.gamma(2.0, 0.012, 2) * shape[1], 1).astype(int)
        cv2.ellipse(mask, centre, axes.tolist(), rng.uniform(0, 180), 0, 360, 1, -1)
    return mask > 0
