"""The stream keeps every limit for any targets, and still goes where it is led."""

import numpy as np
import pytest
from controller_rig import DOWN, TICK_S, assert_within_limits
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from robot_vision.core import quaternions
from robot_vision.core.parameters.groups.policy_config import SafetyConfig
from robot_vision.policies.control.chunk import Target
from robot_vision.policies.control.stream import Stream, Streamed

START_M = (0.45, 0.0, 0.2)
STILL = Rotation.identity()


def stream_of(
    place_m=START_M, rotation: Rotation = DOWN, safety: SafetyConfig | None = None
) -> Stream:
    return Stream(
        position_m=np.array(place_m),
        quaternion=rotation.as_quat(),
        safety=safety or SafetyConfig(),
        period_s=TICK_S,
        follow_s=0.05,
    )


def target_of(place_m, rotation: Rotation = DOWN) -> Target:
    return Target(
        position_m=np.array(place_m, np.float64),
        quaternion=rotation.as_quat(),
        gripper_open=1.0,
    )


def pose(streamed: Streamed) -> np.ndarray:
    return quaternions.pose_matrix(streamed.position_m, streamed.quaternion)


def lead(stream: Stream, target: Target | None, seconds: float) -> list[Streamed]:
    return [stream.advance(TICK_S, target) for _ in range(round(seconds / TICK_S))]


far = st.floats(-3, 3)
odd = st.sampled_from([np.nan, np.inf, -np.inf, 1e12, 0.0])
place = st.tuples(*[st.one_of(st.floats(-0.5, 1.0), far, odd)] * 3)
turn = st.tuples(far, far, far).map(Rotation.from_rotvec)
targets = st.one_of(st.none(), st.builds(target_of, place, turn))
legs = st.lists(st.tuples(targets, st.integers(1, 30)), min_size=1, max_size=6)
limits = st.builds(
    SafetyConfig,
    max_speed_mps=st.floats(0.05, 2),
    max_acceleration_mps2=st.floats(0.5, 20),
    max_jerk_mps3=st.floats(40, 1000),
    max_turn_radps=st.floats(0.1, 5),
    max_turn_radps2=st.floats(1, 50),
    max_turn_radps3=st.floats(100, 5000),
)


@settings(max_examples=25)
@given(legs=legs, safety=limits)
def test_any_targets_are_followed_within_every_limit(legs, safety):
    stream = stream_of(safety=safety)
    poses = [pose(stream.advance(TICK_S, target)) for target, n in legs for _ in range(n)]
    assert_within_limits(poses, np.arange(len(poses)) * TICK_S, safety)


@settings(max_examples=25)
@given(legs=legs, seed=st.integers(0, 1000))
def test_calls_at_uneven_times_change_nothing_about_the_limits(legs, seed):
    generator, safety, stream = np.random.default_rng(seed), SafetyConfig(), stream_of()
    poses, time_s, now_s = [], [], 0.0
    for target, n in legs:
        for passed_s in generator.choice([0.004, 0.009, 0.011, 0.025], n):
            poses.append(pose(stream.advance(passed_s, target)))
            now_s += passed_s
            time_s.append(now_s)
    assert_within_limits(poses, time_s, safety)


@settings(max_examples=12)
@given(legs=legs)
def test_targets_that_flip_every_call_stay_within_the_limits(legs):
    stream = stream_of()
    poses = [pose(stream.advance(TICK_S, target)) for _ in range(20) for target, _ in legs]
    assert_within_limits(poses, np.arange(len(poses)) * TICK_S, SafetyConfig())


@settings(max_examples=12)
@given(
    place_m=st.tuples(st.floats(0.2, 0.72), st.floats(-0.42, 0.42), st.floats(0.013, 0.5)),
    turn_rad=st.tuples(*[st.floats(-1.5, 1.5)] * 3),
)
def test_a_target_in_the_workspace_is_reached_and_kept(place_m, turn_rad):
    stream, goal = stream_of(), Rotation.from_rotvec(turn_rad) * DOWN
    streamed = lead(stream, target_of(place_m, goal), 3.0)
    end = streamed[-1]
    np.testing.assert_allclose(end.position_m, place_m, atol=1e-6)
    assert (Rotation.from_quat(end.quaternion) * goal.inv()).magnitude() < 1e-6
    np.testing.assert_allclose(end.twist, 0.0, atol=1e-6)
    # Straight there: nowhere farther from the goal than at the start.
    away = [np.linalg.norm(one.position_m - place_m) for one in streamed]
    assert max(away) <= away[0] + 1e-9


def test_a_far_target_is_approached_as_fast_as_allowed_and_not_overshot():
    streamed = lead(stream_of((0.25, 0.0, 0.2)), target_of((0.65, 0.0, 0.2)), 3.0)
    along = np.array([one.position_m[0] for one in streamed])
    speed = np.array([np.linalg.norm(one.twist[:3]) for one in streamed])
    assert speed.max() == pytest.approx(0.4, rel=1e-3)
    assert along.max() <= 0.65 + 1e-6
    # 0.4 m at 0.4 m/s, and the time to speed up, slow down and settle.
    assert along[int(1.0 / TICK_S)] < 0.64 < along[int(1.6 / TICK_S)]


def test_a_target_beyond_the_workspace_is_followed_along_its_wall():
    stream, safety = stream_of(), SafetyConfig()
    streamed = lead(stream, target_of((0.45, 3.0, -1.0)), 6.0)
    place = streamed[-1].position_m
    np.testing.assert_allclose(place, [0.45, safety.workspace_max_m[1], 0.013], atol=1e-6)
    assert all("workspace" in one.met for one in streamed[1:])


def test_from_outside_the_workspace_it_only_goes_inwards():
    stream = stream_of((0.1, 0.6, 0.2))
    outwards = lead(stream, target_of((-1.0, 1.0, 0.2)), 2.0)
    inwards = lead(stream, target_of((0.45, 0.0, 0.2)), 4.0)
    back = lead(stream, target_of((-1.0, 1.0, 0.2)), 4.0)
    x = np.array([one.position_m[0] for one in (*outwards, *inwards)])
    y = np.array([one.position_m[1] for one in (*outwards, *inwards)])
    assert x.min() >= 0.1 - 1e-12
    assert y.max() <= 0.6 + 1e-12
    np.testing.assert_allclose(back[-1].position_m, [0.2, 0.45, 0.2], atol=1e-6)


def test_without_a_target_it_slows_down_to_a_stop_and_repeats_its_pose():
    stream = stream_of()
    moving = lead(stream, target_of((0.7, 0.3, 0.4), STILL), 0.6)
    stopping = lead(stream, None, 0.5)
    assert_within_limits(
        [pose(s) for s in moving + stopping], np.arange(110) * 0.01, SafetyConfig()
    )
    # Speed over acceleration, and the window of the jerk.
    stopped = stopping[round((0.4 / 3.0 + 0.1) / TICK_S) + 2 :]
    assert len(stopped) > 20
    for one in stopped:
        np.testing.assert_array_equal(one.position_m, stopped[0].position_m)
        np.testing.assert_array_equal(one.quaternion, stopped[0].quaternion)
        np.testing.assert_array_equal(one.twist, 0.0)


def test_a_moving_target_is_followed_without_lag():
    stream = stream_of()
    speed = np.array([0.05, -0.08, 0.03])
    turning = np.array([0.1, 0.2, -0.2])
    for tick in range(150):
        ahead_s = tick * TICK_S + stream.lead_s
        turned = Rotation.from_rotvec(turning * ahead_s) * DOWN
        streamed = stream.advance(TICK_S, target_of(START_M + speed * ahead_s, turned))
    now_s = 149 * TICK_S
    np.testing.assert_allclose(streamed.position_m, START_M + speed * now_s, atol=1e-4)
    np.testing.assert_allclose(streamed.twist, [*speed, *turning], atol=1e-3)
    expected = Rotation.from_rotvec(turning * now_s) * DOWN
    assert (Rotation.from_quat(streamed.quaternion) * expected.inv()).magnitude() < 1e-3


@pytest.mark.parametrize("degrees", [-170, 170])
def test_turns_go_the_shortest_way(degrees):
    stream = stream_of(rotation=STILL)
    goal = Rotation.from_euler("z", degrees, degrees=True)
    streamed = lead(stream, target_of(START_M, goal), 3.0)
    yaw = np.unwrap([Rotation.from_quat(s.quaternion).as_rotvec()[2] for s in streamed])
    assert np.rad2deg(yaw[-1]) == pytest.approx(degrees, abs=0.01)
    assert np.abs(yaw).max() < np.deg2rad(171)


def test_a_late_call_slows_the_arm_rather_than_let_it_leap():
    stream = stream_of((0.25, 0.0, 0.2))
    before = lead(stream, target_of((0.7, 0.0, 0.2)), 0.6)[-1]
    late = stream.advance(0.5, target_of((0.7, 0.0, 0.2)))
    assert np.linalg.norm(before.twist[:3]) == pytest.approx(0.4, rel=1e-3)
    assert 0 < np.linalg.norm(late.position_m - before.position_m) <= 0.4 * TICK_S + 1e-9


def test_limits_that_were_met_are_named():
    stream = stream_of()
    streamed = lead(stream, target_of((0.79, 0.44, 0.55), STILL), 1.0)
    met = frozenset().union(*(one.met for one in streamed))
    assert met == {"speed", "acceleration", "turn_speed", "turn_acceleration"}
