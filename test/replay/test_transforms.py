"""The transform tree answers as rigid geometry says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation, Slerp

from robot_vision.sync.transforms import TransformBuffer

S = 1_000_000_000
unit = st.floats(-1, 1)
rotations = st.tuples(unit, unit, unit, unit).filter(lambda q: np.linalg.norm(q) > 0.1)
places = st.tuples(*[st.floats(-10, 10)] * 3)


def add(buffer: TransformBuffer, parent: str, child: str, stamp_ns: int, **pose: object) -> None:
    move = pose.get("move", (0.0, 0.0, 0.0))
    turn = pose.get("turn", (0.0, 0.0, 0.0, 1.0))
    buffer.add(
        parent=parent,
        child=child,
        stamp_ns=stamp_ns,
        translation_m=np.array(move, np.float64),
        quaternion_xyzw=np.array(turn, np.float64),
        is_static=bool(pose.get("static", False)),
    )


@given(rotations, rotations, places, places, st.floats(0, 1))
def test_between_samples_it_follows_the_shortest_arc(first, second, here, there, share) -> None:
    buffer = TransformBuffer()
    add(buffer, "odom", "camera", 0, turn=first, move=here)
    add(buffer, "odom", "camera", S, turn=second, move=there)
    at_ns = round(share * S)
    found = buffer.lookup(target="odom", source="camera", stamp_ns=at_ns)
    assert found is not None
    expected = Slerp([0, 1], Rotation.from_quat([first, second]))(at_ns / S).as_matrix()
    # Half a turn has two shortest arcs.
    half_turn = abs(np.dot(first, second)) / np.linalg.norm(first) / np.linalg.norm(second) < 1e-3
    if not half_turn:
        np.testing.assert_allclose(found[:3, :3], expected, atol=1e-5)
    line = np.array(here) + at_ns / S * (np.array(there) - np.array(here))
    np.testing.assert_allclose(found[:3, 3], line, atol=1e-6)


@given(rotations, rotations, places, places)
def test_there_and_back_is_nothing(first, second, here, there) -> None:
    buffer = TransformBuffer()
    add(buffer, "base", "arm", 0, turn=first, move=here, static=True)
    add(buffer, "base", "camera", 0, turn=second, move=there)
    go = buffer.lookup(target="arm", source="camera", stamp_ns=0)
    back = buffer.lookup(target="camera", source="arm", stamp_ns=0)
    assert go is not None
    assert back is not None
    np.testing.assert_allclose(go @ back, np.eye(4), atol=1e-9)


def test_outside_of_the_samples_the_nearest_holds() -> None:
    buffer = TransformBuffer()
    add(buffer, "odom", "camera", S, move=(1, 0, 0))
    add(buffer, "odom", "camera", 2 * S, move=(2, 0, 0))
    for stamp_ns, x in ((0, 1.0), (9 * S, 2.0)):
        found = buffer.lookup(target="odom", source="camera", stamp_ns=stamp_ns)
        assert found is not None
        assert found[0, 3] == x


def test_memory_is_bounded_and_time_may_begin_anew() -> None:
    buffer = TransformBuffer(keep_s=1.0)
    for tick in range(5000):
        add(buffer, "odom", "camera", tick * S // 100, move=(tick, 0, 0))
    assert len(buffer._moving["camera"]) <= 102
    add(buffer, "odom", "camera", S, move=(7, 0, 0))
    found = buffer.lookup(target="odom", source="camera", stamp_ns=S)
    assert found is not None
    assert found[0, 3] == 7


def test_unknown_frames_loops_and_bad_values() -> None:
    buffer = TransformBuffer()
    add(buffer, "a", "b", 0)
    add(buffer, "b", "a", 0)
    assert buffer.lookup(target="c", source="a", stamp_ns=0) is None
    with pytest.raises(ValueError, match="not a rigid transform"):
        add(buffer, "a", "c", 0, turn=(0, 0, 0, 0))
    with pytest.raises(ValueError, match="not a rigid transform"):
        add(buffer, "a", "c", 0, move=(float("nan"), 0, 0))
