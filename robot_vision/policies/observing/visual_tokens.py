"""Tokens of the whole picture: the pooled feature grid, and the place seen at each cell."""

import numpy as np
from jaxtyping import Float, Float32

from robot_vision.core.cameras.geometry import deproject, transform_points
from robot_vision.core.types import Camera, Observation, Perception
from robot_vision.policies.observing.tokens import (
    VISUAL_COLUMNS,
    VISUAL_ROWS,
    VISUAL_SLICES,
    VISUAL_WIDTH,
)


def measured_depth(perception: Perception) -> Float32[np.ndarray, "h w"] | None:
    """Depth where a sensor measured it, else NaN: filled-in depth is too coarse for surfaces.

    None if nothing was measured.
    """
    depth_m = perception.frame.depth_m
    if depth_m is None and perception.depth is not None:
        depth = perception.depth
        depth_m = np.where(depth.measured, depth.depth_m, np.float32(np.nan))
    return depth_m if depth_m is not None and np.isfinite(depth_m).any() else None


def visual_tokens(observation: Observation) -> Float32[np.ndarray, "cells v"]:
    """The feature grid pooled to a few cells, each with the position seen at its centre."""
    perception = observation.perception
    tokens = np.zeros((VISUAL_ROWS, VISUAL_COLUMNS, VISUAL_WIDTH), np.float32)
    if perception.features is not None:
        grid = perception.features.grid
        rows = _shares(VISUAL_ROWS, grid.shape[1])
        columns = _shares(VISUAL_COLUMNS, grid.shape[2])
        pooled = (rows @ grid) @ columns.T
        tokens[..., VISUAL_SLICES["features"]] = pooled.transpose(1, 2, 0)
    depth, camera = measured_depth(perception), perception.frame.camera
    if depth is not None and camera is not None:
        place = _cell_places(depth, camera, observation.base_from_camera)
        seen = np.isfinite(place).all(axis=-1, keepdims=True)
        tokens[..., VISUAL_SLICES["place"]] = np.where(seen, place, 0)
        tokens[..., VISUAL_SLICES["has_place"]] = seen
    return tokens.reshape(VISUAL_ROWS * VISUAL_COLUMNS, VISUAL_WIDTH)


def _shares(coarse: int, fine: int) -> Float32[np.ndarray, "coarse fine"]:
    """Share of each coarse cell covered by each fine cell, along one axis; rows sum to one."""
    edge = np.arange(coarse + 1) * (fine / coarse)
    cell = np.arange(fine)
    share = np.minimum(edge[1:, None], cell + 1) - np.maximum(edge[:-1, None], cell)
    return (np.clip(share, 0, None) * (coarse / fine)).astype(np.float32)


def _cell_places(
    depth_m: Float32[np.ndarray, "h w"], camera: Camera, base_from_camera: np.ndarray
) -> Float[np.ndarray, "r c 3"]:
    """The base-frame point seen at the centre of each cell; NaN without depth."""
    rows = ((np.arange(VISUAL_ROWS) + 0.5) / VISUAL_ROWS * depth_m.shape[0]).astype(int)
    columns = ((np.arange(VISUAL_COLUMNS) + 0.5) / VISUAL_COLUMNS * depth_m.shape[1]).astype(int)
    z = depth_m[np.ix_(rows, columns)].astype(np.float64)
    u = (columns + 0.5) * camera.width_px / depth_m.shape[1] - 0.5
    v = (rows + 0.5) * camera.height_px / depth_m.shape[0] - 0.5
    pixel = np.stack(np.meshgrid(u, v), axis=-1).reshape(-1, 2)
    point = deproject(pixel, z.ravel(), camera=camera)
    return transform_points(base_from_camera, point).reshape(*z.shape, 3)
