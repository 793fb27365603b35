"""Joints follow the stream of poses; whatever it does, no limit of a joint is ever exceeded."""

import numpy as np
import pytest
from arm_models import HOMES, arm_of, urdf_of
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.arm.ik import pose_error
from robot_vision.arm.kinematics import Kinematics, read_chain
from robot_vision.core import quaternions
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.groups.joint_config import JointSpaceConfig
from robot_vision.core.types import RobotState
from robot_vision.policies.control.joint_motion import JointMotion

PERIOD_S = 0.01
STILL = np.zeros(6)


def state_of(motion: JointMotion, joints) -> RobotState:
    return RobotState(
        stamp_ns=1,
        joint_position_rad=np.array(joints, np.float64),
        base_from_tool=np.eye(4),
        gripper_open=1.0,
        joint_names=motion.arm.joint_names,
    )


def motion_of(arm: str = "six", joints=None, **values) -> tuple[JointMotion, np.ndarray]:
    """Started at its home, or at `joints`; with the tool's pose there."""
    config = JointSpaceConfig(enabled=True, **values)
    motion = JointMotion(arm_of(arm), config, period_s=PERIOD_S)
    state = state_of(motion, HOMES[arm] if joints is None else joints)
    assert motion.start_problem(state) == ""
    return motion, motion.start(state)


def moved(pose: np.ndarray, by_m, turn_rad=(0.0, 0.0, 0.0)) -> np.ndarray:
    turned = quaternions.multiply(
        quaternions.exp(np.array(turn_rad)), quaternions.from_matrix(pose[:3, :3])
    )
    return quaternions.pose_matrix(pose[:3, 3] + np.array(by_m), turned)


@pytest.mark.parametrize("arm", ["six", "seven"])
def test_the_joints_follow_a_slow_circle_closely(arm: str) -> None:
    motion, start = motion_of(arm)
    radius_m, rate = 0.08, 2.0
    worst_m = 0.0
    for tick in range(400):
        angle = rate * tick * PERIOD_S
        ramp = min(1.0, tick / 100)  # from rest
        target = moved(start, ramp * radius_m * np.array([np.cos(angle) - 1, np.sin(angle), 0]))
        twist = np.zeros(6)
        twist[:3] = ramp * radius_m * rate * np.array([-np.sin(angle), np.cos(angle), 0])
        step = motion.advance(PERIOD_S, target, twist)
        assert motion.hold is None
        worst_m = max(worst_m, float(np.linalg.norm((step.base_from_tool - target)[:3, 3])))
    assert worst_m < 0.004  # less than half a tick at this speed, and the ramp's own error


def test_five_joints_follow_a_hand_that_points_down_wherever_it_goes_and_turns() -> None:
    motion, start = motion_of("five", self_collision_m=0)
    assert "5 joints cannot reach every tool pose" in motion.warnings[0]
    worst = np.zeros(2)
    for tick in range(400):
        ramp, angle = min(1.0, tick / 100), 2 * tick * PERIOD_S
        way_m = ramp * 0.05 * np.array([np.cos(angle) - 1, np.sin(angle), 0.3 * np.sin(angle)])
        target = moved(start, way_m, [0, 0, ramp * 0.4 * np.sin(angle)])
        step = motion.advance(PERIOD_S, target, STILL)
        assert motion.hold is None
        error = pose_error(step.base_from_tool, target)
        worst = np.maximum(worst, [np.linalg.norm(error[:3]), np.linalg.norm(error[3:])])
    assert worst[0] < 0.01  # the stream's speed is not known to the arm here
    assert worst[1] < 0.06


def test_five_joints_say_how_they_cannot_turn_the_tool() -> None:
    motion, start = motion_of("five", self_collision_m=0)
    for tick in range(200):
        motion.advance(PERIOD_S, moved(start, [0, 0, 0], [0.002 * tick, 0, 0]), STILL)
        if motion.hold is not None:
            break
    assert motion.hold is not None
    assert motion.hold.cause == "too_few_joints"
    assert "5 joints cannot move or rotate the tool that way" in motion.hold.reason


def test_the_command_is_what_the_joints_mean() -> None:
    motion, start = motion_of("seven")
    step = motion.advance(PERIOD_S, moved(start, [0.001, 0, 0]), np.array([0.1, 0, 0, 0, 0, 0]))
    posture = motion.arm.posture(step.command.position)
    np.testing.assert_allclose(step.base_from_tool, posture.base_from_tool, atol=1e-12)
    np.testing.assert_allclose(step.twist, posture.jacobian @ step.command.velocity, atol=1e-12)


targets = st.lists(
    st.tuples(
        st.lists(st.floats(-1, 1), min_size=6, max_size=6),
        st.integers(1, 30),
        st.floats(0, 0.04),
    ),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("arm", ["six", "seven"])
@settings(max_examples=40, deadline=None)
@given(targets=targets, seed=st.integers(0, 1000))
def test_no_limit_is_exceeded_whatever_the_targets(arm: str, targets, seed: int) -> None:
    """Positions, velocities and accelerations, from any start, at uneven ticks, with leaps."""
    config = JointSpaceConfig(enabled=True, lag_m=1.0, lag_rad=3.0, max_acceleration=[6.0])
    motion = JointMotion(arm_of(arm), config, period_s=PERIOD_S)
    limits, rng = motion.limits, np.random.default_rng(seed)
    start = rng.uniform(limits.lower, limits.upper)
    pose = motion.start(state_of(motion, start))
    position, velocity = start, np.zeros_like(start)
    for offset, ticks, passed_s in targets:
        pose = moved(pose, np.array(offset[:3]), np.array(offset[3:]))
        for _ in range(ticks):
            command = motion.advance(passed_s, pose, np.array(offset)).command
            assert np.isfinite(command.position).all()
            assert np.isfinite(command.velocity).all()
            assert (command.position >= limits.lower - 1e-9).all()
            assert (command.position <= limits.upper + 1e-9).all()
            assert (np.abs(command.velocity) <= limits.velocity + 1e-9).all()
            steps = max(1, round(passed_s / PERIOD_S + 0.5))
            change = np.abs(command.velocity - velocity)
            assert (change <= limits.acceleration * PERIOD_S * steps + 1e-9).all()
            way = np.abs(command.position - position)
            assert (way <= limits.velocity * max(passed_s, 0.0) + 1e-9).all()
            position, velocity = command.position, command.velocity


@pytest.mark.parametrize("arm", ["six", "seven"])
@settings(max_examples=20, deadline=None)
@given(
    direction=st.lists(st.floats(-1, 1), min_size=3, max_size=3),
    ticks=st.integers(1, 40),
)
def test_after_a_hold_it_stands_within_speed_over_acceleration(arm, direction, ticks) -> None:
    motion, pose = motion_of(arm)
    twist = np.array([*direction, 0, 0, 0]) * 0.4
    for tick in range(ticks):
        motion.advance(PERIOD_S, moved(pose, twist[:3] * PERIOD_S * tick), twist)
    leap = moved(pose, [0.9, 0.9, 0.9])
    command = motion.advance(PERIOD_S, leap, STILL).command
    assert motion.hold is not None
    limits, velocity = motion.limits, command.velocity
    stop = limits.stop_from(command.position + velocity * PERIOD_S, velocity)
    due_s = float((np.abs(velocity) / limits.acceleration).max()) + PERIOD_S
    for _ in range(int(np.ceil(due_s / PERIOD_S)) + 1):
        command = motion.advance(PERIOD_S, leap, STILL).command
    np.testing.assert_array_equal(command.velocity, 0.0)
    np.testing.assert_allclose(command.position, stop, atol=1e-9)


def test_a_leap_of_the_target_is_not_followed() -> None:
    motion, pose = motion_of()
    before = motion.advance(PERIOD_S, pose, STILL).command.position
    after = motion.advance(PERIOD_S, moved(pose, [0, 0, 0.2]), STILL).command.position
    np.testing.assert_allclose(after, before, atol=1e-6)
    assert motion.hold is not None
    assert "behind the stream" in motion.hold.reason


def test_it_follows_again_only_once_it_is_resumed_at_rest() -> None:
    motion, pose = motion_of()
    motion.advance(PERIOD_S, moved(pose, [0, 0, 0.2]), STILL)
    motion.advance(PERIOD_S, pose, STILL)
    assert motion.hold is not None
    assert motion.resume()
    assert motion.hold is None


def test_a_position_limit_is_named() -> None:
    joints = list(HOMES["seven"])
    joints[5] = 3.64  # of 3.7, with a margin of 0.03
    motion, pose = motion_of("seven", joints)
    target = pose
    for _ in range(200):
        target = moved(target, [0, 0, 0], [0, -0.01, 0])
        motion.advance(PERIOD_S, target, np.array([0, 0, 0, 0, -1.0, 0]))
        if motion.hold:
            break
    else:
        pytest.fail("it turned on beyond the limit")
    assert motion.hold.cause in ("joint_position", "singularity")


def test_a_stretched_arm_holds_before_the_singularity() -> None:
    motion, pose = motion_of("six")
    outward = pose[:3, 3] * [1, 1, 0]
    outward /= np.linalg.norm(outward)
    least, target = np.inf, pose
    for _ in range(600):
        target = moved(target, outward * 0.002)
        twist = np.array([*(outward * 0.2), 0, 0, 0])
        command = motion.advance(PERIOD_S, target, twist).command
        least = min(least, motion.arm.posture(command.position).least_singular)
        if motion.hold is not None and not command.velocity.any():
            break
    assert motion.hold is not None
    assert motion.hold.cause == "singularity"
    assert least > 0.9 * 0.01


def test_from_a_singularity_it_can_leave() -> None:
    stretched = (0.0, -1.2, 0.0, -1.8, -1.57, 0.0)
    motion, pose = motion_of("six", stretched)
    posture = motion.arm.posture(np.array(stretched))
    assert posture.least_singular < 0.01
    towards = -pose[:3, 3] / np.linalg.norm(pose[:3, 3])
    target, command = pose, None
    for tick in range(150):
        speed = min(0.05, 0.001 * tick)
        target = moved(target, towards * speed * PERIOD_S)
        command = motion.advance(PERIOD_S, target, np.array([*(towards * speed), 0, 0, 0])).command
        if motion.hold is not None:
            motion.resume()
            target = motion.arm.posture(command.position).base_from_tool
    assert command is not None
    assert motion.arm.posture(command.position).least_singular > posture.least_singular


def test_links_are_kept_apart() -> None:
    motion, pose = motion_of("six", self_collision_m=0.05, singular_below=0)
    nearest, target = np.inf, pose
    inward = np.array([0.77, 0.08, -0.63]) * 0.001  # the home's tool is at negative x
    for _ in range(800):
        target = moved(target, inward)
        step = motion.advance(PERIOD_S, target, np.array([*(inward / PERIOD_S), 0, 0, 0]))
        posture = motion.arm.posture(step.command.position)
        nearest = min(nearest, motion.self_collision.nearest(posture)[0])
        if motion.hold is not None and not step.command.velocity.any():
            break
    assert motion.hold is not None
    assert motion.hold.cause == "self_collision"
    assert "apart" in motion.hold.reason
    assert nearest >= 0.05 - 1e-3


def test_spare_joints_go_to_rest_while_the_tool_stays() -> None:
    rest = [*HOMES["seven"]]
    start = [*rest]
    start[0], start[2] = 0.4, -0.4
    motion, pose = motion_of("seven", start, rest=rest, rest_rate=2.0)

    def away(position: np.ndarray) -> float:
        return float(np.linalg.norm(position - rest))

    first = away(np.array(start))
    step = motion.advance(PERIOD_S, pose, STILL)
    for _ in range(300):
        step = motion.advance(PERIOD_S, pose, STILL)
        assert motion.hold is None
    assert away(step.command.position) < first
    error = pose_error(step.base_from_tool, pose)
    assert np.linalg.norm(error[:3]) < 1e-3
    assert np.linalg.norm(error[3:]) < 5e-3


@pytest.mark.parametrize(
    ("joints", "words"),
    [((0.0, -1.6, 5.0, -1.8, -1.57, 0.0), "joint j3 is at 5"), ((0.0,), "joint_states lacks")],
    ids=["outside", "missing"],
)
def test_it_does_not_start_where_it_cannot(joints, words: str) -> None:
    motion = JointMotion(arm_of("six"), JointSpaceConfig(), period_s=PERIOD_S)
    assert words in motion.start_problem(state_of(motion, joints))


def test_beyond_the_margin_it_only_goes_inwards() -> None:
    joints = (0.0, -1.6, 3.135, -1.8, -1.57, 0.0)
    motion, pose = motion_of("six", joints, singular_below=0, self_collision_m=0)
    last = joints[2]
    for sign in (1, -1):
        for tick in range(20):
            target = moved(pose, [0.0005 * tick * sign, 0, 0])
            place = motion.advance(PERIOD_S, target, STILL).command.position[2]
            assert place <= last + 1e-12
            last = max(place, motion.limits.upper[2])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"max_acceleration": [1.0, 2.0]}, "max_acceleration has 2 numbers"),
        ({"rest": [0.0]}, "rest has 1 positions"),
        ({"position_margin": 1.0}, "no room"),
    ],
)
def test_parameters_that_do_not_fit_the_arm_are_named(values, words: str) -> None:
    arm = arm_of("seven") if "position_margin" not in values else _narrow()
    with pytest.raises(ConfigError, match=words):
        JointMotion(arm, JointSpaceConfig(**values), period_s=PERIOD_S)


def _narrow() -> Kinematics:
    text = urdf_of("seven").replace('lower="-2.9" upper="2.9"', 'lower="-0.5" upper="0.5"')
    return read_chain(text, base_link="base", tool_link="tool")
