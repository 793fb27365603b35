"""The robot's links in a picture: where they are, how far, and which are the robot's."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from arm_meshes import binary_stl, box_corners, box_triangles, obj, write
from arm_views import BOX, CAMERA, FOCAL_PX, HEIGHT_PX, WIDTH_PX, filter_of, urdf
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.arm.urdf import Shape, read_urdf
from robot_vision.core import quaternions
from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.core.errors import ConfigError
from robot_vision.self_filter.solids import solid_of

SPHERE = '<visual><geometry><sphere radius="0.06"/></geometry></visual>'
CYLINDER = '<visual><geometry><cylinder radius="0.05" length="0.2"/></geometry></visual>'
SHAPES = {"box": BOX, "cylinder": CYLINDER, "sphere": SPHERE}


def test_a_box_covers_the_pixels_that_it_covers() -> None:
    view = filter_of(urdf()).view(CAMERA, base_from_camera=np.eye(4), joints={"slide": 0.1})
    rows, columns = np.flatnonzero(view.mask.any(axis=1)), np.flatnonzero(view.mask.any(axis=0))
    # Its near face, 0.1 m high and wide, is 0.9 m away.
    half_px, middle_px = FOCAL_PX * 0.05 / 0.9, 207.5 + FOCAL_PX * 0.1 / 0.9
    assert np.abs(rows[[0, -1]] - [159.5 - half_px, 159.5 + half_px]).max() <= 1
    assert abs(columns[-1] - (middle_px + half_px)) <= 1
    assert abs(float(view.depth_m[40, round(middle_px / 4)]) - 0.9) < 1e-3
    assert np.isinf(view.depth_m[0]).all()


@pytest.mark.parametrize("shape", SHAPES)
@given(
    place=st.tuples(*[st.floats(-0.4, 0.4)] * 3),
    turn=st.tuples(*[st.floats(-3, 3)] * 3),
    bent=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_every_point_of_a_shape_is_in_the_mask_and_has_a_depth(
    shape: str, place: tuple[float, ...], turn: tuple[float, ...], bent: bool
) -> None:
    camera = replace(CAMERA, distortion=np.array([-0.15, 0.03, 0, 0, 0])) if bent else CAMERA
    text = urdf(SHAPES[shape])
    ahead = np.array([0.0, 0.0, 1.0])
    base_from_hand = quaternions.pose_matrix(ahead, quaternions.exp(np.zeros(3)))
    camera_from_hand = quaternions.pose_matrix(
        np.array(place) + ahead, quaternions.exp(np.array(turn))
    )
    view = filter_of(text, padding_m=0.01).view(
        camera,
        base_from_camera=base_from_hand @ invert_transform(camera_from_hand),
        joints={"slide": 0.0},
    )
    (drawn,) = read_urdf(text).links["hand"].visual
    body = solid_of(drawn, padding_m=0.0, read_mesh=_no_mesh)
    pixels = project(transform_points(camera_from_hand, body.points_m), camera=camera)
    x, y = np.rint(pixels).astype(int).T
    seen = (x >= 0) & (x < WIDTH_PX) & (y >= 0) & (y < HEIGHT_PX)
    assert view.mask[y[seen], x[seen]].all()
    assert np.isfinite(view.depth_m[y[seen] // 4, x[seen] // 4]).all()


def test_what_is_behind_the_camera_or_around_it_is_not_drawn() -> None:
    robot = filter_of(urdf())
    for z in (1.0, 1.5, 3.0):
        pose = np.eye(4)
        pose[2, 3] = z
        view = robot.view(CAMERA, base_from_camera=pose, joints={"slide": 0.0})
        assert not view.mask.any()


def test_a_link_that_reaches_behind_the_camera_is_cut() -> None:
    long = '<visual><geometry><box size="0.1 0.1 4"/></geometry></visual>'
    pose = np.eye(4)
    pose[0, 3] = 0.1
    view = filter_of(urdf(long)).view(CAMERA, base_from_camera=pose, joints={"slide": 0.0})
    assert view.mask[159, :100].all()
    assert not view.mask[:, 210:].any()


def test_a_link_without_joints_is_left_out() -> None:
    view = filter_of(urdf()).view(CAMERA, base_from_camera=np.eye(4), joints={})
    assert not view.mask.any()


def test_the_table_is_not_a_link_of_the_robot() -> None:
    table = '<visual><origin xyz="0 0 1.1"/><geometry><box size="2 2 0.1"/></geometry></visual>'
    view = filter_of(urdf(table=table)).view(
        CAMERA, base_from_camera=np.eye(4), joints={"slide": 0.0}
    )
    assert 0 < view.mask.mean() < 0.05


def test_padding_makes_links_larger() -> None:
    sizes = [
        filter_of(urdf(), padding_m=padding_m)
        .view(CAMERA, base_from_camera=np.eye(4), joints={"slide": 0.0})
        .mask.sum()
        for padding_m in (0.0, 0.01, 0.05)
    ]
    assert sizes == sorted(set(sizes))


def test_a_mesh_is_read_where_its_package_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "share/some_arm/meshes"
    write(folder / "hand.obj", obj(box_corners((100, 100, 100), (0, 0, 0))))
    write(folder / "hand.stl", binary_stl(box_triangles((100, 100, 100))))
    monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{tmp_path}")
    masks = []
    for name in ("hand.obj", "hand.stl"):
        mesh = f'<mesh filename="package://some_arm/meshes/{name}" scale=".001 .001 .002"/>'
        robot = filter_of(urdf(f"<visual><geometry>{mesh}</geometry></visual>"))
        assert not robot.unseen
        masks.append(robot.view(CAMERA, base_from_camera=np.eye(4), joints={"slide": 0.0}).mask)
    box = filter_of(urdf()).view(CAMERA, base_from_camera=np.eye(4), joints={"slide": 0.0}).mask
    assert all((mask == box).all() for mask in masks)


@pytest.mark.parametrize(
    ("file", "why"),
    [
        ("package://some_arm/hand.stl", "is in no package of AMENT_PREFIX_PATH"),
        ("package://../../etc/hand.stl", "is in no package of AMENT_PREFIX_PATH"),
        ("package://some_arm/hand.dae", "is in no package of AMENT_PREFIX_PATH"),
        ("file:///etc/hostname", "is none of .stl, .obj"),
        ("file:///nowhere/hand.stl", "is not a file here"),
        ("https://example.org/hand.stl", "is not a package:// or file:// address, nor a path"),
    ],
)
def test_a_link_whose_mesh_cannot_be_had_is_reported(file: str, why: str) -> None:
    mesh = f'<visual><geometry><mesh filename="{file}"/></geometry></visual>'
    more = f"""<link name="finger">{mesh}</link>
      <joint name="f" type="fixed"><parent link="hand"/><child link="finger"/></joint>"""
    robot = filter_of(urdf(more=more))
    assert why in robot.unseen["finger"]
    collision = more.replace("</link>", f"{BOX.replace('visual', 'collision')}</link>")
    assert not filter_of(urdf(more=collision)).unseen
    with pytest.raises(ConfigError, match="no shape of a moving link that can be drawn: 'hand'"):
        filter_of(urdf(mesh))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"base_link": "bse"}, "self_filter.base_link is 'bse'; links of robot_description"),
        ({"ignored_links": ["tabel"]}, "self_filter.ignored_links has 'tabel'"),
        ({"ignored_links": ["hand"]}, "no shape of a moving link that can be drawn"),
    ],
)
def test_links_that_are_not_there_are_errors(options: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        filter_of(urdf(), **options)


def test_a_shape_without_size_is_an_error() -> None:
    flat = Shape(kind="box", link_from_shape=np.eye(4), size_m=(0.1, 0.0, 0.1))
    with pytest.raises(ValueError, match="expected sizes above 0"):
        solid_of(flat, padding_m=0.01, read_mesh=_no_mesh)


def _no_mesh(uri: str) -> np.ndarray:
    raise ValueError(uri)
