import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from robot_vision.simulation.content import assets, distractors
from robot_vision.simulation.content.meshes import Mesh, cuboid, revolve

MAKERS = {**assets.MAKERS, **distractors.MAKERS}


def volume_m3(mesh: Mesh) -> float:
    a, b, c = (mesh.vertices_m[mesh.faces[:, i]] for i in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


@pytest.mark.parametrize("name", sorted(MAKERS))
@given(seed=st.integers(0, 2**31))
@settings(max_examples=5, deadline=None)
def test_shapes_are_solid_and_of_table_size(name: str, seed: int) -> None:
    shape = MAKERS[name](np.random.default_rng(seed))
    assert shape.colliders
    assert 0.01 < shape.half_size_m.max() < 0.25
    for part in shape.parts:
        mesh = part.mesh
        assert np.isfinite(mesh.vertices_m).all()
        assert mesh.faces.max() < len(mesh.vertices_m)
        assert mesh.face_uv.max() < len(mesh.uv)
        assert mesh.uv.min() >= 0
        assert mesh.uv.max() <= 1
        if not part.metal:  # a can's lid is a sheet
            assert volume_m3(mesh) > 1e-7


def test_volumes_are_those_of_the_solids() -> None:
    assert volume_m3(cuboid((0.1, 0.2, 0.3))) == pytest.approx(0.006)
    cylinder = revolve([(0, 0), (0.1, 0), (0.1, 0.5), (0, 0.5)], segments=200)
    assert volume_m3(cylinder) == pytest.approx(np.pi * 0.01 * 0.5, rel=1e-3)


@pytest.mark.parametrize("name", sorted(assets.MAKERS))
def test_colliders_lie_within_what_is_seen(name: str) -> None:
    for seed in range(5):
        shape = assets.make_shape(name, np.random.default_rng(seed))
        for collider in shape.colliders:
            beyond = np.abs(collider.position_m) - shape.half_size_m
            assert beyond.max() < 0.005, (name, collider)
