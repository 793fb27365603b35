"""The space that URDF shapes fill: bounding capsules, quick to compare, and hulls.

A capsule is all points within a radius of a segment. A mesh is cut across its longest axis into
slabs, and each slab gets the smallest capsule along one of three axes. Its triangles are cut, not
its hull, so a bent link stays bent.
"""

from itertools import pairwise, product
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import Float64

from robot_vision.arm.meshes import MeshReader, Triangles
from robot_vision.arm.urdf import Shape
from robot_vision.core.cameras.geometry import transform_points

Points = Float64[np.ndarray, "n 3"]
# More of them cost time in every step; fewer enclose more than the mesh.
_SLABS = 4


class Capsule(NamedTuple):
    """The ends of its segment and its radius."""

    start_m: Float64[np.ndarray, "3"]
    end_m: Float64[np.ndarray, "3"]
    radius_m: float

    def moved(self, a_from_b: Float64[np.ndarray, "4 4"]) -> "Capsule":
        """The same in another frame."""
        ends_m = transform_points(a_from_b, np.stack([self.start_m, self.end_m]))
        return Capsule(ends_m[0], ends_m[1], self.radius_m)


class Body(NamedTuple):
    """A shape lies within its `capsules`, and within `radius_m` of the hull of `corners_m`.

    All in the link's frame.
    """

    capsules: tuple[Capsule, ...]
    corners_m: Points
    radius_m: float

    def moved(self, a_from_b: Float64[np.ndarray, "4 4"]) -> "Body":
        """The same in another frame."""
        ends_m = (
            transform_points(a_from_b, np.stack([c.start_m, c.end_m])) for c in self.capsules
        )
        capsules = tuple(
            Capsule(start_m, end_m, capsule.radius_m)
            for (start_m, end_m), capsule in zip(ends_m, self.capsules, strict=True)
        )
        return Body(capsules, transform_points(a_from_b, self.corners_m), self.radius_m)


def body_of(shape: Shape, *, read_mesh: MeshReader) -> Body:
    """The body of a shape; for a mesh, of its convex hull.

    Raises `ValueError` for a shape without size, and what `read_mesh` raises.
    """
    if shape.kind == "mesh":
        triangles_m = read_mesh(shape.mesh) * shape.size_m
        corners_m = np.unique(triangles_m.reshape(-1, 3), axis=0)
        body = Body(_around_mesh(triangles_m), corners_m, 0.0)
    elif min(shape.size_m) > 0:
        body = _PRIMITIVES[shape.kind](shape.size_m)
    else:
        raise ValueError(f"a {shape.kind} of size {shape.size_m} m; expected sizes above 0")
    return body.moved(shape.link_from_shape)


def _sphere(size_m: tuple[float, ...]) -> Body:
    middle_m = np.zeros(3)
    return Body((Capsule(middle_m, middle_m, size_m[0]),), middle_m[None], size_m[0])


def _cylinder(size_m: tuple[float, ...]) -> Body:
    radius_m, end_m = size_m[0], np.array([0.0, 0.0, size_m[1] / 2])
    return Body((Capsule(-end_m, end_m, radius_m),), np.stack([-end_m, end_m]), radius_m)


def _box(size_m: tuple[float, ...]) -> Body:
    corners_m = np.array(list(product([-0.5, 0.5], repeat=3))) * size_m
    return Body((_around_points(corners_m),), corners_m, 0.0)


def _around_mesh(triangles_m: Triangles) -> tuple[Capsule, ...]:
    mesh_from_axes = _axes(triangles_m)
    along_m = triangles_m @ mesh_from_axes  # the last coordinate is along the longest axis
    cuts_m = np.linspace(along_m[..., 2].min(), along_m[..., 2].max(), _SLABS + 1)
    slabs = [_slab(along_m, low_m, high_m) for low_m, high_m in pairwise(cuts_m)]
    return tuple(
        Capsule(mesh_from_axes @ start_m, mesh_from_axes @ end_m, radius_m)
        for start_m, end_m, radius_m in (_around_points(slab) for slab in slabs if len(slab))
    )


def _axes(triangles_m: Triangles) -> Float64[np.ndarray, "3 3"]:
    """Principal axes of the surface as columns, the longest one last."""
    first, second, third = np.moveaxis(triangles_m, 1, 0)
    area = np.linalg.norm(np.cross(second - first, third - first), axis=1) + 1e-12
    middle_m = triangles_m.mean(axis=1)
    away_m = middle_m - np.average(middle_m, axis=0, weights=area)
    return np.linalg.eigh((away_m * area[:, None]).T @ away_m)[1]


def _slab(triangles_m: Triangles, low_m: float, high_m: float) -> Points:
    """Corners of the part between two planes across the last coordinate: ends of cut edges."""
    start_m = triangles_m.reshape(-1, 3)
    way_m = np.roll(triangles_m, -1, axis=1).reshape(-1, 3) - start_m
    from_m, to_m = start_m[:, 2], start_m[:, 2] + way_m[:, 2]
    inside = (np.maximum(from_m, to_m) >= low_m) & (np.minimum(from_m, to_m) <= high_m)
    rise_m = np.where(from_m == to_m, np.inf, to_m - from_m)
    shares = ((np.clip(z_m, low_m, high_m) - from_m) / rise_m for z_m in (from_m, to_m))
    return np.concatenate([(start_m + share[:, None] * way_m)[inside] for share in shares])


def _around_points(points_m: Points) -> Capsule:
    """The smallest of the capsules along each axis that hold all points."""
    return min((_along(points_m, axis) for axis in range(3)), key=_volume)


def _volume(capsule: Capsule) -> float:
    length_m = float(np.linalg.norm(capsule.end_m - capsule.start_m))
    return capsule.radius_m**2 * (length_m + 4 / 3 * capsule.radius_m)


def _along(points_m: Points, axis: int) -> Capsule:
    """A capsule along an axis, around the smallest circle that holds the points across it."""
    across_m = np.delete(points_m, axis, axis=1)
    middle_m = np.array(cv2.minEnclosingCircle(across_m.astype(np.float32))[0], np.float64)
    off_m = np.linalg.norm(across_m - middle_m, axis=1)
    radius_m = float(off_m.max())
    # How far along the axis from a point the centre of a ball that touches it may be.
    spare_m = np.sqrt(np.maximum(radius_m**2 - off_m**2, 0))
    first_m = float((points_m[:, axis] + spare_m).min())
    last_m = float((points_m[:, axis] - spare_m).max())
    if first_m > last_m:  # one ball holds them all
        first_m = last_m = (first_m + last_m) / 2
    start_m, end_m = (np.insert(middle_m, axis, along_m) for along_m in (first_m, last_m))
    return Capsule(start_m, end_m, radius_m)


_PRIMITIVES = {"box": _box, "cylinder": _cylinder, "sphere": _sphere}
