"""Procedural triangle meshes with texture coordinates: revolved, swept, extruded."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int


@dataclass(frozen=True, kw_only=True, eq=False)
class Mesh:
    """Triangles wound counter-clockwise seen from outside; `uv` runs 0 to 1 per corner."""

    vertices_m: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    uv: Float[np.ndarray, "t 2"]
    face_uv: Int[np.ndarray, "f 3"]


def _grid_mesh(points_m: Float[np.ndarray, "rows columns 3"], *, v: np.ndarray) -> Mesh:
    """Rows of a ring each, joined; columns wrap around, texture coordinates do not."""
    rows, columns, _ = points_m.shape
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns), indexing="ij")
    right = (column + 1) % columns
    quad = [
        row * columns + column,
        row * columns + right,
        (row + 1) * columns + right,
        (row + 1) * columns + column,
    ]
    wide = columns + 1
    quad_uv = [
        row * wide + column,
        row * wide + column + 1,
        (row + 1) * wide + column + 1,
        (row + 1) * wide + column,
    ]
    u = np.linspace(0, 1, wide)
    return Mesh(
        vertices_m=points_m.reshape(-1, 3),
        faces=_split_quads(quad),
        uv=np.stack(np.broadcast_arrays(u[None, :], v[:, None]), axis=-1).reshape(-1, 2),
        face_uv=_split_quads(quad_uv),
    )


def _split_quads(quad: Sequence[np.ndarray]) -> np.ndarray:
    a, b, c, d = (corner.ravel() for corner in quad)
    return np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]).astype(np.int32)


def revolve(profile_rz_m: Sequence[tuple[float, float]], *, segments: int = 28) -> Mesh:
    """Surface swept by a profile of (radius, height), given from the bottom up outside.

    A profile that ends on the axis closes the body; one that comes back down inside makes a cup.
    """
    profile = np.array(profile_rz_m, np.float64)
    radius = np.maximum(profile[:, 0], 2e-4)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    points_m = np.stack(
        np.broadcast_arrays(
            radius[:, None] * np.cos(angle), radius[:, None] * np.sin(angle), profile[:, 1:2]
        ),
        axis=-1,
    )
    along = np.r_[0, np.cumsum(np.linalg.norm(np.diff(profile, axis=0), axis=1))]
    return _grid_mesh(points_m, v=along / along[-1])


def tube(
    path_m: Float[np.ndarray, "n 3"],
    radius_m: Float[np.ndarray, " n"],
    *,
    plane_normal: Sequence[float] = (0.0, 1.0, 0.0),
    segments: int = 12,
) -> Mesh:
    """Tube of varying radius along a path that lies in a plane of the given normal."""
    tangent = np.gradient(path_m, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.broadcast_to(np.asarray(plane_normal, np.float64), tangent.shape)
    normal = np.cross(tangent, across)
    angle = np.linspace(0, 2 * np.pi, segments, endpoint=False)[None, :, None]
    ring = np.cos(angle) * normal[:, None] - np.sin(angle) * across[:, None]
    points_m = path_m[:, None] + radius_m[:, None, None] * ring
    caps = [np.repeat(path_m[i][None, None], segments, axis=1) for i in (0, -1)]
    points_m = np.concatenate([caps[0], points_m, caps[1]])
    # identical points would be merged; a hair of radius keeps the rings apart
    points_m[[0, -1]] += 1e-4 * ring[[0, -1]]
    return _grid_mesh(points_m, v=np.linspace(0, 1, len(points_m)))


def cuboid(size_m: Sequence[float]) -> Mesh:
    """Box of full edge lengths `size_m`; each face shows one cell of a 3×2 texture atlas."""
    half = np.array(size_m, np.float64) / 2
    vertices, uv = [], []
    for axis in range(3):
        for side in (-1.0, 1.0):
            a, b = (axis + 1) % 3, (axis + 2) % 3
            for p, q in ((-1, -1), (1, -1), (1, 1), (-1, 1)):
                corner = np.zeros(3)
                corner[axis], corner[a], corner[b] = side, p * side, q
                vertices.append(corner * half)
                cell = (
                    axis + (p + 1) / 2 * 0.98 + 0.01,
                    (side + 1) / 2 + (q + 1) / 2 * 0.98 + 0.01,
                )
                uv.append((cell[0] / 3, cell[1] / 2))
    corners = np.arange(24).reshape(6, 4)
    faces = _split_quads([corners[:, i] for i in range(4)])
    return Mesh(vertices_m=np.array(vertices), faces=faces, uv=np.array(uv), face_uv=faces)


def extrude(outline_m: Float[np.ndarray, "n 2"], thickness_m: float) -> Mesh:
    """Prism over an outline (counter-clockwise, star-shaped around its mean) in x and y."""
    count = len(outline_m)
    lower = np.c_[outline_m, np.full(count, -thickness_m / 2)]
    upper = np.c_[outline_m, np.full(count, thickness_m / 2)]
    centre = outline_m.mean(axis=0)
    middle = np.array([[*centre, -thickness_m / 2], [*centre, thickness_m / 2]])
    # sides have vertices of their own, so that edges stay sharp
    vertices = np.concatenate([lower, upper, lower, upper, middle])
    i, j = np.arange(count), (np.arange(count) + 1) % count
    sides = _split_quads([i, j, count + j, count + i])
    bottom = np.stack([2 * count + j, 2 * count + i, np.full(count, 4 * count)], 1)
    top = np.stack([3 * count + i, 3 * count + j, np.full(count, 4 * count + 1)], 1)
    faces = np.concatenate([sides, bottom, top]).astype(np.int32)
    span = np.ptp(outline_m, axis=0)
    uv = (vertices[:, :2] - outline_m.min(axis=0)) / span
    return Mesh(vertices_m=vertices, faces=faces, uv=uv, face_uv=faces)


def moved(mesh: Mesh, offset_m: Sequence[float]) -> Mesh:
    """The mesh shifted by `offset_m`."""
    return replace(mesh, vertices_m=mesh.vertices_m + np.asarray(offset_m, np.float64))


def lying(mesh: Mesh) -> Mesh:
    """The mesh turned so that its z axis points along x."""
    x, y, z = mesh.vertices_m.T
    return replace(mesh, vertices_m=np.stack([z, y, -x], axis=1))
