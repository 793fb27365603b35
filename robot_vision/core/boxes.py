"""Boxes as arrays: conversion between corners and centre/size, and pairwise overlap."""

import numpy as np
from jaxtyping import Float

MIN_SIZE_PX = 1e-3
MAX_COORDINATE_PX = 1e6


def xyxy_to_cxcywh(box_xyxy_px: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Centre and size of boxes, clipped to ±1e6 px; corners may be in any order."""
    corners = np.clip(box_xyxy_px, -MAX_COORDINATE_PX, MAX_COORDINATE_PX).astype(np.float64)
    low, high = corners[:, :2], corners[:, 2:]
    size = np.maximum(np.abs(high - low), MIN_SIZE_PX)
    return np.concatenate([(low + high) / 2, size], axis=1)


def cxcywh_to_xyxy(box_cxcywh_px: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, "n 4"]:
    """Corners of boxes given by centre and size; a size that is not positive becomes tiny."""
    half = np.maximum(box_cxcywh_px[:, 2:], MIN_SIZE_PX) / 2
    centre = box_cxcywh_px[:, :2]
    return np.concatenate([centre - half, centre + half], axis=1)


def expand(
    box_xyxy_px: Float[np.ndarray, "n 4"], margin_px: Float[np.ndarray, "n 2"]
) -> Float[np.ndarray, "n 4"]:
    """Boxes expanded by a margin on each side, per axis."""
    return np.concatenate([box_xyxy_px[:, :2] - margin_px, box_xyxy_px[:, 2:] + margin_px], axis=1)


def intersection_px2(
    a_xyxy_px: Float[np.ndarray, "n 4"], b_xyxy_px: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection area of each box of `a` with each box of `b`."""
    # One axis at a time: arrays of pairs are large, and contiguous ones are fast.
    return _shared_px(a_xyxy_px[:, ::2], b_xyxy_px[:, ::2]) * _shared_px(
        a_xyxy_px[:, 1::2], b_xyxy_px[:, 1::2]
    )


def area_px2(box_xyxy_px: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Areas of boxes."""
    side = box_xyxy_px[:, 2:] - box_xyxy_px[:, :2]
    return side[:, 0] * side[:, 1]


def pairwise_iou(
    a_xyxy_px: Float[np.ndarray, "n 4"], b_xyxy_px: Float[np.ndarray, "m 4"]
) -> Float[np.ndarray, "n m"]:
    """Intersection over union of each box of `a` with each box of `b`."""
    shared = intersection_px2(a_xyxy_px, b_xyxy_px)
    union = area_px2(a_xyxy_px)[:, None] + area_px2(b_xyxy_px)[None, :] - shared
    return shared / np.maximum(union, MIN_SIZE_PX**2)


def _shared_px(
    a_px: Float[np.ndarray, "n 2"], b_px: Float[np.ndarray, "m 2"]
) -> Float[np.ndarray, "n m"]:
    """Overlap length of intervals."""
    shared = np.minimum.outer(a_px[:, 1], b_px[:, 1])
    shared -= np.maximum.outer(a_px[:, 0], b_px[:, 0])
    return np.maximum(shared, 0.0, out=shared)


def oriented_corners(oriented_box: Float[np.ndarray, "n 5"]) -> Float[np.ndarray, "n 4 2"]:
    """Corners, in order, of boxes given by centre, size and the angle (rad) of the width axis."""
    centre, size, angle_rad = np.split(oriented_box, [2, 4], axis=1)
    width = size[:, :1] * np.concatenate([np.cos(angle_rad), np.sin(angle_rad)], axis=1) / 2
    height = size[:, 1:] * np.concatenate([-np.sin(angle_rad), np.cos(angle_rad)], axis=1) / 2
    corners = (-width - height, width - height, width + height, height - width)
    return np.stack([centre + corner for corner in corners], axis=1)
