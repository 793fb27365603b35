"""Procedural textures. Some families are reserved for the val and test splits."""

from collections.abc import Callable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from robot_vision.simulation.content.palette import Split

Rgb = Float[np.ndarray, "3"]
Blend = Float[np.ndarray, "h w"]
HELD_OUT_TEXTURE_SHARE = 0.5


def fractal_noise(size_px: int, rng: np.random.Generator, *, coarsest: int = 4) -> Blend:
    """Smooth noise in 0…1 of several octaves."""
    total = np.zeros((size_px, size_px), np.float32)
    weight, cells = 1.0, coarsest
    while cells <= size_px // 2:
        grid = rng.random((cells, cells), dtype=np.float32)
        total += weight * cv2.resize(grid, (size_px, size_px), interpolation=cv2.INTER_CUBIC)
        weight, cells = weight * 0.5, cells * 2
    return ((total - total.min()) / np.ptp(total)).astype(np.float64)


def _coordinates(size_px: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[:size_px, :size_px] / size_px
    return rows, columns


def _plain(size_px: int, rng: np.random.Generator) -> Blend:
    return 0.3 * fractal_noise(size_px, rng, coarsest=16)


def _marble(size_px: int, rng: np.random.Generator) -> Blend:
    return fractal_noise(size_px, rng, coarsest=int(rng.integers(2, 9)))


def _wood(size_px: int, rng: np.random.Generator) -> Blend:
    rows, _ = _coordinates(size_px)
    wobble = fractal_noise(size_px, rng, coarsest=2)
    grain = np.sin(2 * np.pi * (rng.uniform(6, 18) * rows + rng.uniform(0.5, 2.5) * wobble))
    fine = cv2.resize(rng.random((size_px, 8)), (size_px, size_px))
    return 0.35 * (grain + 1) + 0.3 * fine


def _checker(size_px: int, rng: np.random.Generator) -> Blend:
    rows, columns = _coordinates(size_px)
    cells = int(rng.integers(2, 9))
    return (np.floor(rows * cells) + np.floor(columns * cells)) % 2


def _stripes(size_px: int, rng: np.random.Generator) -> Blend:
    rows, columns = _coordinates(size_px)
    across = rows if rng.random() < 0.5 else columns
    return (np.sin(2 * np.pi * int(rng.integers(2, 11)) * across) > rng.uniform(-0.6, 0.6)) * 1.0


def _speckle(size_px: int, rng: np.random.Generator) -> Blend:
    grains = cv2.GaussianBlur(rng.random((size_px, size_px)), (0, 0), rng.uniform(0.6, 2.0))
    return (grains > np.quantile(grains, rng.uniform(0.7, 0.95))) * 1.0


def _tiles(size_px: int, rng: np.random.Generator) -> Blend:
    rows, columns = _coordinates(size_px)
    cells, joint = int(rng.integers(2, 7)), rng.uniform(0.03, 0.1)
    shifted = columns * cells + 0.5 * (np.floor(rows * 2 * cells) % 2)
    in_joint = ((rows * 2 * cells) % 1 < joint) | (shifted % 1 < joint)
    return np.where(in_joint, 1.0, 0.3 * fractal_noise(size_px, rng))


def _dots(size_px: int, rng: np.random.Generator) -> Blend:
    rows, columns = _coordinates(size_px)
    cells = int(rng.integers(3, 10))
    off = np.hypot((rows * cells) % 1 - 0.5, (columns * cells) % 1 - 0.5)
    return (off < rng.uniform(0.15, 0.4)) * 1.0


def _weave(size_px: int, rng: np.random.Generator) -> Blend:
    rows, columns = _coordinates(size_px)
    threads = int(rng.integers(8, 24))
    over = (np.floor(rows * threads) + np.floor(columns * threads)) % 2
    bulge = np.where(over > 0, np.sin(np.pi * rows * threads), np.sin(np.pi * columns * threads))
    return 0.25 + 0.5 * np.abs(bulge) + 0.15 * over


Pattern = Callable[[int, np.random.Generator], Blend]
TRAIN_PATTERNS: dict[str, Pattern] = {
    "plain": _plain,
    "marble": _marble,
    "wood": _wood,
    "checker": _checker,
    "stripes": _stripes,
    "speckle": _speckle,
}
HELD_OUT_PATTERNS: dict[str, Pattern] = {"tiles": _tiles, "dots": _dots, "weave": _weave}


def draw_pattern(size_px: int, *, split: Split, rng: np.random.Generator) -> Blend:
    """A random pattern, as blend weights in 0…1, of the families that `split` may use."""
    held_out = split != "train" and rng.random() < HELD_OUT_TEXTURE_SHARE
    families = HELD_OUT_PATTERNS if held_out else TRAIN_PATTERNS
    name = str(rng.choice(list(families)))
    return np.clip(families[name](size_px, rng), 0, 1)


def blend(base: Rgb, second: Rgb, weight: Blend) -> UInt8[np.ndarray, "h w 3"]:
    """Texture that goes from `base` (weight 0) to `second` (weight 1)."""
    rgb = base + (second - base) * weight[..., None]
    return (np.clip(rgb, 0, 1) * 255).astype(np.uint8)


def surface_texture(
    size_px: int, *, split: Split, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """For tables, walls and floors: mostly muted pairs of colours in any pattern."""
    base = rng.uniform(0.1, 0.95) * (1 + rng.uniform(-1, 1, 3) * rng.choice([0.06, 0.25, 0.6]))
    second = base * rng.uniform(0.5, 1.4) if rng.random() < 0.7 else rng.uniform(0.05, 1, 3)
    weight = draw_pattern(size_px, split=split, rng=rng) * rng.uniform(0.15, 1.0)
    return blend(base, second, weight)


def object_texture(
    size_px: int, color: Rgb, *, split: Split, rng: np.random.Generator
) -> UInt8[np.ndarray, "h w 3"]:
    """For an object of a named colour: that colour dominates, marks and labels vary."""
    kind = rng.choice(["plain", "pattern", "label"], p=[0.45, 0.25, 0.3])
    shade = np.clip(color * rng.uniform(0.75, 1.2), 0, 1)
    weight = fractal_noise(size_px, rng, coarsest=4) * rng.uniform(0.1, 0.6)
    if kind == "pattern":
        weight = draw_pattern(size_px, split=split, rng=rng) * rng.uniform(0.3, 1.0)
    texture = blend(color, shade, weight)
    if kind == "label":
        _paint_label(texture, rng)
    return texture


def _paint_label(texture: UInt8[np.ndarray, "h w 3"], rng: np.random.Generator) -> None:
    """Paint a paper label with lines of "print" on part of the surface, in place."""
    size_px = len(texture)
    height = int(size_px * rng.uniform(0.12, 0.3))
    top = int(rng.uniform(0.2, 0.75) * (size_px - height))
    left, right = sorted(rng.choice(np.linspace(0, size_px, 9, dtype=int), 2, replace=False))
    paper = rng.uniform(0.3, 1, 3) * 255
    texture[top : top + height, left:right] = paper
    for line in range(top + 3, top + height - 3, max(4, height // 5)):
        end = left + int(rng.uniform(0.3, 0.95) * (right - left))
        texture[line : line + 2, min(left + 3, end) : end] = rng.uniform(0, 0.4, 3) * 255
