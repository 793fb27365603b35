"""Small meshes as files: a box of any size as STL or OBJ."""

from pathlib import Path

import numpy as np

_TRIANGLE = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
_QUADS = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]


def box_corners(size: tuple[float, float, float], at: tuple[float, float, float]) -> np.ndarray:
    grid = np.stack(np.meshgrid([-0.5, 0.5], [-0.5, 0.5], [-0.5, 0.5], indexing="ij"), axis=-1)
    return grid.reshape(8, 3) * size + at


def box_triangles(
    size: tuple[float, float, float], at: tuple[float, float, float] = (0, 0, 0)
) -> np.ndarray:
    corners = box_corners(size, at)
    return np.array([corners[[a, *pair]] for a, b, c, d in _QUADS for pair in ((b, c), (c, d))])


def binary_stl(triangles: np.ndarray) -> bytes:
    rows = np.zeros(len(triangles), _TRIANGLE)
    rows["corners"] = triangles
    return bytes(80) + len(rows).to_bytes(4, "little") + rows.tobytes()


def text_stl(triangles: np.ndarray) -> bytes:
    facets = "".join(
        "facet normal 0 0 0\nouter loop\n"
        + "".join(f" vertex {x} {y} {z}\n" for x, y, z in triangle.tolist())
        + "endloop\nendfacet\n"
        for triangle in triangles
    )
    return f"solid box\n{facets}endsolid box\n".encode()


def obj(corners: np.ndarray) -> bytes:
    """Faces of four corners, as modellers write them: with textures and normals."""
    lines = [f"v {x} {y} {z}" for x, y, z in corners.tolist()]
    lines += ["f " + " ".join(f"{k + 1}/1/1" for k in quad) for quad in _QUADS]
    return "\n".join(["# a box", "vt 0 0", "vn 0 0 1", *lines, ""]).encode()


def write(path: Path, data: bytes) -> str:
    """The URI of a new file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path.as_uri()
