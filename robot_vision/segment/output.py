"""Segments as JSON: box, score, area, outlines and run lengths."""

from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from robot_vision.core.errors import ConfigError
from robot_vision.segment.masks import Segment
from robot_vision.viz.outlines import outlines_px
from robot_vision.viz.palette import color_of

MOST_LABELS = 255
_OPACITY = 0.5


def described(segment: Segment, *, run_lengths: bool = False) -> dict[str, Any]:
    """One segment as JSON; `run_lengths` adds its mask as COCO's uncompressed counts."""
    height_px, width_px = segment.mask.shape
    said: dict[str, Any] = {
        "score": round(segment.score, 6),
        "stability": round(segment.stability, 6),
        "area_px": segment.area_px,
        "box_xyxy_px": [round(float(value), 1) for value in segment.box_xyxy_px],
        "outline_px": outlines_px(segment.mask, width_px=width_px, height_px=height_px),
    }
    if run_lengths:
        said["run_lengths"] = {"size": [height_px, width_px], "counts": runs_of(segment.mask)}
    return said


def runs_of(mask: Bool[np.ndarray, "h w"]) -> list[int]:
    """Run lengths of outside, inside, outside … down the columns: COCO's `counts`."""
    flat = mask.T.ravel()
    edges = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff(np.concatenate([[0], edges, [flat.size]])).tolist()
    return [0, *runs] if flat.size and flat[0] else runs


def label_image(segments: list[Segment]) -> UInt8[np.ndarray, "h w"]:
    """A label map: 1 is the first segment, 0 is none; small ones lie over large ones.

    Raises `ConfigError` for more than 255, which 8 bits cannot hold.
    """
    if not segments:
        raise ConfigError("no segments: a label map needs at least one")
    if len(segments) > MOST_LABELS:
        raise ConfigError(f"{len(segments)} segments; a mask of 8 bits holds {MOST_LABELS}")
    labels = np.zeros(segments[0].mask.shape, np.uint8)
    for row in sorted(range(len(segments)), key=lambda n: -segments[n].area_px):
        labels[segments[row].mask] = row + 1
    return labels


def painted(
    rgb: UInt8[np.ndarray, "h w 3"], segments: list[Segment]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with each segment in its own colour, small ones over large ones."""
    drawn = rgb.astype(np.float32)
    for row in sorted(range(len(segments)), key=lambda n: -segments[n].area_px):
        color = np.array(color_of(row), np.float32)
        inside = segments[row].mask
        drawn[inside] += _OPACITY * (color - drawn[inside])
    return drawn.astype(np.uint8)
