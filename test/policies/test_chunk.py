"""Overlapping chunks give one target that never jumps, whatever their delay and noise."""

import numpy as np
import pytest
from controller_rig import DOWN, MS, START_NS, decision_of, moving, pose_of, robot_of, spec_of
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robot_vision.core.parameters.groups.policy_config import PolicyConfig, SafetyConfig
from robot_vision.core.types import ActionChunk
from robot_vision.policies.control.chunk import Ensemble, Target
from robot_vision.policies.guards.safety import admit

TICK_NS = 10 * MS
CURVE_M, CURVE_RADPS = 0.12, 1.5


def ensemble_of() -> Ensemble:
    return Ensemble(step_s=0.05, blend_s=PolicyConfig().blend_s)


def chunk_of(action: np.ndarray, pose: np.ndarray, stamp_ns: int = START_NS) -> ActionChunk:
    decision = decision_of(action, stamp_ns)
    chunk = admit(decision, robot=robot_of(pose), spec=spec_of(), safety=SafetyConfig()).chunk
    assert chunk is not None
    return chunk


def add(
    ensemble: Ensemble,
    action: np.ndarray,
    *,
    pose: np.ndarray | None = None,
    stamp_ns: int = START_NS,
) -> None:
    pose = pose_of() if pose is None else pose
    ensemble.add(chunk_of(action, pose, stamp_ns), base_from_tool=pose)


def at(ensemble: Ensemble, now_ns: int, lead_s: float = 0.0) -> Target:
    target = ensemble.target(now_ns, lead_s=lead_s)
    assert target is not None
    return target


def test_latency_is_trimmed_rows_count_from_the_stamp():
    ensemble = ensemble_of()
    add(ensemble, moving((0.2, 0, 0), (0, 0, 0.5)))
    for later_ms in (200, 230, 300, 425):
        target = at(ensemble, START_NS + later_ms * MS)
        passed_s = later_ms / 1000
        np.testing.assert_allclose(target.position_m, [0.45 + 0.2 * passed_s, 0, 0.2], atol=1e-6)
        expected = Rotation.from_rotvec([0, 0, 0.5 * passed_s]) * DOWN
        turned = Rotation.from_quat(target.quaternion) * expected.inv()
        assert turned.magnitude() < 1e-5


def test_a_lead_looks_ahead_for_the_pose_and_not_for_the_gripper():
    ensemble, action = ensemble_of(), moving((0.2, 0, 0), gripper=1.0)
    action[6:, 6] = 0.0
    add(ensemble, action)
    target = at(ensemble, START_NS + 290 * MS, lead_s=0.1)
    assert target.position_m[0] == pytest.approx(0.45 + 0.2 * 0.39)
    assert target.gripper_open == 1.0
    assert at(ensemble, START_NS + 310 * MS, lead_s=0.1).gripper_open == 0.0


def test_chunks_expire_and_their_last_row_holds_till_then():
    ensemble = ensemble_of()
    add(ensemble, moving((0.2, 0, 0)))
    assert ensemble.valid_until_ns == START_NS + 600 * MS
    last = at(ensemble, START_NS + 599 * MS, lead_s=0.3)
    assert last.position_m[0] == pytest.approx(0.45 + 0.2 * 0.6)
    assert ensemble.target(START_NS + 600 * MS, lead_s=0.0) is None
    assert ensemble.valid_until_ns == 0


def test_flushed_chunks_lead_nowhere():
    ensemble = ensemble_of()
    add(ensemble, moving())
    ensemble.flush()
    assert ensemble.target(START_NS + MS, lead_s=0.0) is None


@given(
    turns=st.lists(st.tuples(*[st.floats(-0.3, 0.3)] * 3), min_size=2, max_size=6),
    base=st.tuples(*[st.floats(-3, 3)] * 3),
)
def test_blended_rotations_are_rotations_between_those_of_the_chunks(turns, base):
    ensemble, middle = ensemble_of(), Rotation.from_rotvec(base)
    rotations = [Rotation.from_rotvec(turn) * middle for turn in turns]
    for k, rotation in enumerate(rotations):
        stamp_ns = START_NS + k * 33 * MS
        add(ensemble, moving(), pose=pose_of(rotation=rotation), stamp_ns=stamp_ns)
    blended = Rotation.from_quat(at(ensemble, stamp_ns + 50 * MS).quaternion)
    assert np.linalg.norm(at(ensemble, stamp_ns + 50 * MS).quaternion) == pytest.approx(1)
    spread = max((a * b.inv()).magnitude() for a in rotations for b in rotations)
    assert all((blended * one.inv()).magnitude() <= spread + 1e-6 for one in rotations)


def test_younger_chunks_weigh_more():
    ensemble = ensemble_of()
    add(ensemble, moving(), pose=pose_of((0.4, 0, 0.2)))
    add(ensemble, moving(), pose=pose_of((0.5, 0, 0.2)), stamp_ns=START_NS + 150 * MS)
    place = at(ensemble, START_NS + 300 * MS).position_m
    # One blend_s apart: e times the weight.
    assert place[0] == pytest.approx((0.4 + np.e * 0.5) / (1 + np.e))


@settings(max_examples=5)
@given(
    offset=st.tuples(*[st.floats(-0.05, 0.05)] * 3),
    delay_ms=st.sampled_from([0, 50, 100, 200]),
    count=st.integers(1, 8),
)
def test_a_chunk_that_says_otherwise_moves_the_target_gently_and_wins(offset, delay_ms, count):
    ensemble = ensemble_of()
    for k in range(count):
        add(ensemble, moving((0.1, 0, 0)), stamp_ns=START_NS + k * 33 * MS)
    stamp_ns = START_NS + count * 33 * MS
    now_ns = stamp_ns + delay_ms * MS
    before = at(ensemble, now_ns, lead_s=0.1)
    pose = pose_of(np.array([0.45, 0, 0.2]) + offset, Rotation.from_rotvec(offset) * DOWN)
    for k in range(250):
        if k % 4 == 0:
            add(ensemble, moving(), pose=pose, stamp_ns=stamp_ns + k * TICK_NS)
        after = at(ensemble, now_ns + (k + 1) * TICK_NS, lead_s=0.1)
        assert np.linalg.norm(after.position_m - before.position_m) <= 1.5 * 0.001 + 1e-9
        turned = Rotation.from_quat(after.quaternion) * Rotation.from_quat(before.quaternion).inv()
        assert turned.magnitude() <= 0.003 + 1e-9
        before = after
    np.testing.assert_allclose(before.position_m, pose[:3, 3], atol=1e-6)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10_000),
    delay_ms=st.sampled_from([50, 100, 200]),
    lost=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_the_step_at_chunk_boundaries_is_like_the_steps_inside(seed, delay_ms, lost):
    """Chunks along a curve, each a few millimetres and a tenth of the speed off the truth.

    At most five in a row are lost: after longer gaps a chunk of 0.6 s has truly ended.
    """
    generator, ensemble = np.random.default_rng(seed), ensemble_of()
    steps_m, before, inside_m, lost_in_a_row = [], None, 0.0, 0
    for tick in range(200):
        now_ns = START_NS + tick * TICK_NS
        stamp_ns = now_ns - delay_ms * MS
        is_due = tick % 4 == 0
        comes = tick == 0 or lost_in_a_row == 5 or generator.random() >= lost
        lost_in_a_row = 0 if is_due and comes else lost_in_a_row + is_due
        if is_due and comes:
            action, pose = _noisy_chunk(generator, (stamp_ns - START_NS) / 1e9)
            add(ensemble, action, pose=pose, stamp_ns=stamp_ns)
            longest_m = np.linalg.norm(action[1:, :2] * 0.02, axis=1).max()
            inside_m = max(inside_m, float(longest_m))
        target = ensemble.target(now_ns, lead_s=0.1)
        # No starvation, at any of these delays.
        assert target is not None
        if before is not None:
            steps_m.append(float(np.linalg.norm(target.position_m - before)))
        before = target.position_m
    # Every tick is near a boundary: all are compared with the steps of the noisy chunks.
    assert max(steps_m) <= 1.5 * inside_m / 5 + 1e-9


def _noisy_chunk(generator: np.random.Generator, stamp_s: float) -> tuple[np.ndarray, np.ndarray]:
    """What a policy says that sees the arm where the curve is, give or take."""
    times_s = stamp_s + 0.05 * np.arange(13)
    angle_rad = CURVE_RADPS * times_s
    curve = CURVE_M * np.stack([np.sin(angle_rad), np.cos(angle_rad)], axis=1)
    steps = np.diff(curve, axis=0) * generator.normal(1.0, 0.1, (1, 2))
    steps[0] += generator.normal(0.0, 0.003, 2)
    action = moving()
    action[:, :2] = steps / 0.02
    return action, pose_of((0.45 + curve[0, 0], curve[0, 1], 0.2))
