"""Shapes of a URDF as convex bodies: points that span their outline, and planes around them."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from robot_vision.arm.meshes import MeshReader
from robot_vision.arm.urdf import Shape
from robot_vision.core.cameras.geometry import transform_points

Points = Float64[np.ndarray, "n 3"]

_TURNS = 16
# More than the ends, because lens distortion bends straight edges.
_ALONG = np.linspace(-1, 1, 4)
_MOST_MESH_POINTS = 96


@dataclass(frozen=True, kw_only=True, eq=False)
class Solid:
    """A convex body in its link's frame: all p with `normal` · p ≤ `offset_m` in each row.

    `points_m` lie on its surface; the hull of their projections is its outline.
    """

    points_m: Points
    normal: Float64[np.ndarray, "p 3"]
    offset_m: Float64[np.ndarray, " p"]


def solid_of(shape: Shape, *, padding_m: float, read_mesh: MeshReader) -> Solid:
    """The body of a shape, larger by `padding_m` on every side; a mesh's is its convex hull.

    Raises `ValueError` for a shape without size, and what `read_mesh` raises.
    """
    if shape.kind == "mesh":
        solid = _around(read_mesh(shape.mesh).reshape(-1, 3) * shape.size_m, padding_m)
    else:
        if not min(shape.size_m) > 0:
            raise ValueError(f"a {shape.kind} of size {shape.size_m} m; expected sizes above 0")
        solid = _PRIMITIVES[shape.kind](shape.size_m, padding_m)
    turn, place_m = shape.link_from_shape[:3, :3], shape.link_from_shape[:3, 3]
    normal = solid.normal @ turn.T
    return Solid(
        points_m=transform_points(shape.link_from_shape, solid.points_m),
        normal=normal,
        offset_m=solid.offset_m + normal @ place_m,
    )


def _box(size_m: tuple[float, ...], padding_m: float) -> Solid:
    half_m = np.array(size_m) / 2 + padding_m
    grid = np.stack(np.meshgrid(_ALONG, _ALONG, _ALONG), axis=-1).reshape(-1, 3)
    on_edges = (np.abs(grid) == 1).sum(axis=1) >= 2
    return Solid(
        points_m=grid[on_edges] * half_m,
        normal=np.concatenate([np.eye(3), -np.eye(3)]),
        offset_m=np.tile(half_m, 2),
    )


def _cylinder(size_m: tuple[float, ...], padding_m: float) -> Solid:
    radius_m, half_m = size_m[0] + padding_m, size_m[1] / 2 + padding_m
    angle = np.linspace(0, 2 * np.pi, _TURNS, endpoint=False)
    around = np.stack([np.cos(angle), np.sin(angle), np.zeros(_TURNS)], axis=1)
    up = np.array([0.0, 0.0, 1.0])
    # Corners placed so that half of the ring is outside the circle, half inside.
    ring_m = around * radius_m * 2 / (1 + np.cos(np.pi / _TURNS))
    return Solid(
        points_m=np.concatenate([ring_m + share * half_m * up for share in _ALONG]),
        normal=np.concatenate([around, [up, -up]]),
        offset_m=np.array([radius_m] * _TURNS + [half_m] * 2),
    )


def _sphere(size_m: tuple[float, ...], padding_m: float) -> Solid:
    radius_m = size_m[0] + padding_m
    directions = _directions(_MOST_MESH_POINTS)
    return Solid(
        points_m=directions * radius_m,
        normal=directions,
        offset_m=np.full(len(directions), radius_m),
    )


def _around(points_m: Points, padding_m: float) -> Solid:
    """The hull of points: those furthest in many directions, and the planes through them."""
    if len(points_m) < 4 or not np.isfinite(points_m).all():
        raise ValueError(f"a mesh of {len(points_m)} points; expected at least 4, all finite")
    furthest = np.unique((points_m @ _directions(_MOST_MESH_POINTS).T).argmax(axis=0))
    middle_m = (points_m.min(axis=0) + points_m.max(axis=0)) / 2
    outward = points_m[furthest] - middle_m
    outward /= np.maximum(np.linalg.norm(outward, axis=1, keepdims=True), 1e-9)
    normal = _directions(_TURNS * 2)
    return Solid(
        points_m=points_m[furthest] + padding_m * outward,
        normal=normal,
        offset_m=(points_m @ normal.T).max(axis=0) + padding_m,
    )


def _directions(count: int) -> Points:
    """Unit vectors spread evenly: a spiral over the sphere."""
    index = np.arange(count) + 0.5
    z, angle = 1 - 2 * index / count, np.pi * (1 + 5**0.5) * index
    across = np.sqrt(1 - z**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


_PRIMITIVES = {"box": _box, "cylinder": _cylinder, "sphere": _sphere}
