"""Self-collision: what shapes of links hold, how far apart they are, what is not looked at."""

from pathlib import Path

import numpy as np
import pytest
from arm_meshes import binary_stl, box_triangles, write
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.arm.bodies import body_of
from robot_vision.arm.hull_distance import hulls_apart
from robot_vision.arm.kinematics import read_chain
from robot_vision.arm.self_collision import SelfCollision
from robot_vision.arm.serial import SerialArm
from robot_vision.arm.urdf import Shape
from robot_vision.core import quaternions

MARGIN_M = 0.05
LENGTHS = st.floats(0.01, 0.5)
ANGLES = st.floats(-3, 3)
MESH = '<geometry><mesh filename="{}"/></geometry>'
# A post, a foot that slides along it and a hand that slides across: 0.3 m from the post at 0.
HAND = '<mesh filename="{uri}" scale="0.001 0.001 0.001"/>'
ARM = """<robot name="arm">
  <link name="post"><collision><geometry><box size="0.1 0.1 1"/></geometry></collision></link>
  <link name="foot"/>
  <link name="hand"><collision><geometry>{hand}</geometry></collision></link>
  <joint name="up" type="prismatic"><parent link="post"/><child link="foot"/>
    <axis xyz="0 0 1"/><limit lower="-1" upper="1" velocity="1" effort="1"/></joint>
  <joint name="out" type="prismatic"><parent link="foot"/><child link="hand"/>
    <origin xyz="0.4 0 0"/><axis xyz="1 0 0"/>
    <limit lower="-1" upper="1" velocity="1" effort="1"/></joint></robot>"""


def collision_of(hand: str, **changes: str) -> tuple[SelfCollision, SerialArm]:
    text = ARM.format(hand=hand)
    for old, new in changes.items():
        text = text.replace(f'<link name="{old}"/>', new)
    kinematics = read_chain(text, base_link="post", tool_link="hand")
    arm = SerialArm(kinematics)
    at_rest = arm.posture(np.zeros(2))
    return SelfCollision(kinematics.robot, arm, at_rest, margin_m=MARGIN_M), arm


def hand_of(folder: Path) -> str:
    """A plate of 100 by 400 by 20 mm."""
    mesh = binary_stl(box_triangles((100, 400, 20)))
    return HAND.format(uri=write(folder / "hand.stl", mesh))


@pytest.mark.parametrize(("out_m", "apart_m"), [(-0.26, 0.04), (-0.28, 0.02), (-0.299, 0.001)])
def test_a_mesh_is_as_near_as_its_hull(out_m: float, apart_m: float, tmp_path: Path) -> None:
    collision, arm = collision_of(hand_of(tmp_path))
    found_m, links = collision.nearest(arm.posture(np.array([0.0, out_m])))
    assert found_m == pytest.approx(apart_m, abs=1e-4)
    assert set(links) == {"post", "hand"}
    assert collision.uncovered == {}


def test_what_is_far_is_said_to_be_no_farther_than_it_is(tmp_path: Path) -> None:
    collision, arm = collision_of(hand_of(tmp_path))
    for out_m in np.linspace(-0.2, 0.5, 8):
        found_m, _ = collision.nearest(arm.posture(np.array([0.0, out_m])))
        assert MARGIN_M <= found_m <= 0.3 + out_m + 1e-6


def test_a_link_that_has_been_in_another_is_seen_to_leave_it(tmp_path: Path) -> None:
    collision, arm = collision_of(hand_of(tmp_path))
    assert collision.nearest(arm.posture(np.array([0.0, -0.33])))[0] < 0
    apart_m, _ = collision.nearest(arm.posture(np.array([0.0, -0.28])))
    assert apart_m == pytest.approx(0.02, abs=1e-4)


@pytest.mark.parametrize(
    ("foot", "why"),
    [
        (f"<collision>{MESH.format('file:///no.stl')}</collision>", "is not a file"),
        (f"<collision>{MESH.format('/a.dae')}</collision>", "is none of .stl"),
        ('<collision><geometry><box size="1 0 1"/></geometry></collision>', "sizes above 0"),
        (f"<visual>{MESH.format('/a.stl')}</visual>", "no collision shape"),
    ],
)
def test_links_without_a_shape_that_can_be_read_are_named(
    foot: str, why: str, tmp_path: Path
) -> None:
    collision, _ = collision_of(hand_of(tmp_path), foot=f'<link name="foot">{foot}</link>')
    assert list(collision.uncovered) == ["foot"]
    assert why in collision.uncovered["foot"]


@given(st.tuples(LENGTHS, LENGTHS, LENGTHS), st.tuples(ANGLES, ANGLES, ANGLES))
def test_capsules_hold_every_point_of_a_mesh(
    size: tuple[float, float, float], turn: tuple[float, float, float]
) -> None:
    triangles = box_triangles(size)
    # A step on the box, so that the mesh is not its hull.
    triangles = np.concatenate([triangles, box_triangles((0.02, 0.02, 0.6), (0.1, 0.1, 0.3))])
    pose = quaternions.pose_matrix(np.array(size), quaternions.exp(np.array(turn)))
    triangles = triangles @ pose[:3, :3].T + pose[:3, 3]
    shape = Shape(kind="mesh", link_from_shape=np.eye(4), size_m=(1.0, 1.0, 1.0), mesh="")
    body = body_of(shape, read_mesh=lambda _: triangles)
    weights = np.random.default_rng(0).dirichlet(np.ones(3), (len(triangles), 20))
    points = (weights @ triangles).reshape(-1, 3)
    beyond = np.full(len(points), np.inf)
    for start_m, end_m, radius_m in body.capsules:
        way = end_m - start_m
        share = np.clip((points - start_m) @ way / max(way @ way, 1e-12), 0, 1)
        away = np.linalg.norm(points - start_m - share[:, None] * way, axis=1)
        beyond = np.minimum(beyond, away - radius_m)
    assert beyond.max() < 1e-6


@given(st.integers(0, 10**6), st.floats(0.001, 0.5))
def test_hulls_are_as_far_apart_as_a_plane_between_them_says(seed: int, apart_m: float) -> None:
    """Of points on either side of a slab, with one of each on its sides: the answer is known."""
    rng = np.random.default_rng(seed)
    first, second = (rng.uniform(-0.3, 0.3, (int(rng.integers(4, 40)), 3)) for _ in range(2))
    first[:, 2], second[:, 2] = np.abs(first[:, 2]) + apart_m, -np.abs(second[:, 2])
    first[0], second[0] = (0, 0, apart_m), (0, 0, 0)
    pose = quaternions.pose_matrix(rng.normal(size=3), quaternions.exp(rng.normal(size=3)))
    turned = (second - pose[:3, 3]) @ pose[:3, :3]
    guess_m = rng.normal(size=3)
    found_m, way_m = hulls_apart(first, turned, pose, enough_m=np.inf, guess_m=guess_m)
    assert found_m == pytest.approx(apart_m, abs=2e-5)
    assert way_m / np.linalg.norm(way_m) == pytest.approx([0, 0, 1], abs=0.05)
    same = (first - pose[:3, 3]) @ pose[:3, :3]
    again_m, way_m = hulls_apart(first, same, pose, enough_m=np.inf, guess_m=guess_m)
    assert again_m <= 2e-5
    assert np.linalg.norm(way_m) > 0
