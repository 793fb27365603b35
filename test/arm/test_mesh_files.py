"""Triangles of STL and OBJ files, and words for files that have none."""

from pathlib import Path

import numpy as np
import pytest
from arm_meshes import binary_stl, box_corners, box_triangles, obj, text_stl, write

from robot_vision.arm.meshes import read_mesh

SIZE, AT = (0.2, 0.4, 0.8), (1.0, 0.0, -1.0)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.stl", binary_stl(box_triangles(SIZE, AT))),
        ("a.STL", text_stl(box_triangles(SIZE, AT))),
        ("a.obj", obj(box_corners(SIZE, AT))),
    ],
)
def test_all_triangles_of_a_file_are_read(name: str, data: bytes, tmp_path: Path) -> None:
    triangles = read_mesh(write(tmp_path / name, data))
    np.testing.assert_allclose(triangles, box_triangles(SIZE, AT), atol=1e-6)


def test_faces_of_an_obj_may_count_from_the_end(tmp_path: Path) -> None:
    data = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf -3 -2 -1\nv 9 9 9\n"
    triangles = read_mesh(write(tmp_path / "a.obj", data))
    np.testing.assert_array_equal(triangles, [[[0, 0, 0], [1, 0, 0], [0, 1, 0]]])


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("a.stl", b"", "no triangles"),
        ("a.stl", b"vertex 1 2\n", "expected three numbers"),
        ("a.stl", b"vertex 1 2 3\n", "expected three for each triangle"),
        ("a.stl", b"\xff\xfe", "cannot be read"),
        ("a.stl", text_stl(np.full((1, 3, 3), np.nan)), "not finite"),
        ("a.stl", text_stl(np.full((1, 3, 3), 1e300)), "beyond 1e\\+06"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", "no triangles"),
        ("a.obj", b"v 0 0 0\nf 1 2 3\n", "a face has the corner 2 of 1"),
        ("a.obj", b"v 0 0 0\nf\nf 0 0 0\n", "a face has the corner 0 of 1"),
        ("a.obj", b"v 0 0 0\nf a b c\n", "a"),
    ],
)
def test_a_damaged_file_is_an_error(name: str, data: bytes, why: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=why):
        read_mesh(write(tmp_path / name, data))
