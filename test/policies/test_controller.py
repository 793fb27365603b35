"""From decisions to commands: starting, stopping, changing words, and what is reported."""

import threading
from itertools import pairwise

import numpy as np
import pytest
from controller_rig import (
    DOWN,
    MS,
    START_NS,
    TICK_S,
    Rig,
    assert_within_limits,
    decision_of,
    instruction_of,
    moving,
    pose_of,
    rig_of,
    robot_of,
    spec_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from scipy.spatial.transform import Rotation

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import ActionStatistics
from robot_vision.core.parameters.groups.arm_config import ArmConfig
from robot_vision.core.parameters.groups.policy_config import PolicyConfig, SafetyConfig
from robot_vision.core.parameters.values import flatten, with_values
from robot_vision.core.types import Command
from robot_vision.policies.control.controller import Controller
from robot_vision.policies.guards.check import check_spec


def sent(rig: Rig) -> list[Command]:
    return [command for command in rig.commands if command is not None]


def test_nothing_is_sent_until_it_is_enabled_and_nothing_after():
    rig = rig_of()
    rig.controller.instruct(instruction_of(), rig.now_ns)
    assert rig.run(0.5) == [None] * 50
    assert rig.controller.status(rig.now_ns).reasons == ("disabled",)
    rig.controller.enable(True, rig.now_ns)
    assert None not in rig.run(0.5)
    rig.controller.enable(False, rig.now_ns)
    assert rig.run(0.1) == [None] * 10
    assert not rig.controller.status(rig.now_ns).enabled


def test_the_first_command_is_where_the_tool_is():
    rig = rig_of()
    rig.pose = pose_of((0.5, -0.1, 0.3), Rotation.from_rotvec([0.2, 0.1, 0.3]) * DOWN)
    rig.controller.instruct(instruction_of(), rig.now_ns)
    rig.run(0.5)
    for _ in range(2):
        rig.controller.enable(True, rig.now_ns)
        first = rig.tick()
        assert first is not None
        np.testing.assert_allclose(first.base_from_tool, rig.pose, atol=1e-12)
        np.testing.assert_array_equal(first.twist, 0.0)
        np.testing.assert_array_equal(first.action[:6], 0.0)
        rig.run(0.5)
        rig.controller.enable(False, rig.now_ns)
        rig.pose = pose_of((0.4, 0.2, 0.1))
        rig.run(0.2)


def test_without_a_pose_of_the_arm_there_is_nothing_to_say():
    rig = rig_of()
    rig.arm_alive = False
    rig.controller.instruct(instruction_of(), rig.now_ns)
    rig.controller.enable(True, rig.now_ns)
    assert rig.run(0.1) == [None] * 10
    assert "no state of the robot yet" in rig.controller.status(rig.now_ns).reasons
    rig.controller.robot(robot_of(pose_of() * np.nan, rig.now_ns), rig.now_ns)
    assert rig.tick() is None
    assert rig.controller.status(rig.now_ns).interventions == {"arm_state": 1}


def test_enabled_without_words_it_stands_still_and_says_why():
    rig = rig_of()
    rig.controller.enable(True, rig.now_ns)
    rig.run(0.5)
    for command in sent(rig):
        assert command.holding
        assert command.reasons[0] == "no instruction"
        np.testing.assert_allclose(command.base_from_tool, pose_of(), atol=1e-12)


def test_the_arm_does_what_the_actions_say():
    rig = rig_of()
    rig.decide = lambda _: moving((0.06, -0.04, 0.02), (0, 0, 0.2))
    rig.begin()
    before = rig.pose
    rig.run(1.0)
    np.testing.assert_allclose(rig.pose[:3, 3] - before[:3, 3], [0.06, -0.04, 0.02], atol=0.006)
    turned = Rotation.from_matrix(rig.pose[:3, :3] @ before[:3, :3].T).as_rotvec()
    np.testing.assert_allclose(turned, [0, 0, 0.2], atol=0.03)


def test_steps_and_velocities_of_commands_are_those_of_their_poses():
    rig = rig_of()
    rig.decide = lambda _: moving((0.1, 0.05, 0), (0.1, 0, 0.3))
    commands = sent(rig.begin())
    for before, after in pairwise(commands):
        step = after.base_from_tool[:3, 3] - before.base_from_tool[:3, 3]
        np.testing.assert_allclose(after.action[:3], step, atol=1e-12)
        turn = after.base_from_tool[:3, :3] @ before.base_from_tool[:3, :3].T
        rotation = Rotation.from_matrix(turn).as_rotvec()
        np.testing.assert_allclose(after.action[3:6], rotation, atol=1e-9)
        middle = (before.twist + after.twist) / 2
        np.testing.assert_allclose(after.action[:6] / TICK_S, middle, atol=2e-3)


def test_other_words_flush_what_the_old_ones_led_to():
    rig = rig_of().begin()
    robot, seen_ns = robot_of(rig.pose, rig.now_ns), rig.now_ns
    rig.controller.instruct(instruction_of("push the blue ball"), rig.now_ns + MS)
    late = rig.controller.decided(decision_of(moving(), seen_ns), robot, rig.now_ns + 2 * MS)
    assert late.refused == "the decision is about a frame from before the instruction"
    rig.camera_alive = False
    command = rig.tick()
    assert command is not None
    assert command.holding
    rig.camera_alive = True
    rig.run(0.3)
    assert not sent(rig)[-1].holding
    assert rig.controller.status(rig.now_ns).instruction == "push the blue ball"
    assert_within_limits(
        [c.base_from_tool for c in sent(rig)], np.arange(len(sent(rig))) * 0.01, SafetyConfig()
    )


def test_the_same_words_again_change_nothing():
    rig = rig_of().begin()
    rig.controller.instruct(instruction_of(), rig.now_ns)
    command = rig.tick()
    assert command is not None
    assert not command.holding


def test_a_reset_forgets_all_and_disables():
    rig = rig_of().begin()
    rig.controller.reset(rig.now_ns)
    assert rig.tick() is None
    status = rig.controller.status(rig.now_ns)
    assert (status.enabled, status.instruction, status.chunk_age_s) == (False, "", None)
    # An episode of a simulation may begin at an earlier time.
    rig.now_ns, rig.commands = rig.now_ns - 500 * MS, []
    rig.controller.reset(rig.now_ns)
    rig.begin()
    assert "clock" not in rig.controller.status(rig.now_ns).interventions


def test_the_gripper_changes_only_when_the_wish_is_clear():
    rig, seen = rig_of().begin(), []
    for wish in (0.9, 0.55, 0.45, 0.3, 0.45, 0.55, 0.7):
        action = moving(gripper=wish)
        rig.decide = lambda _, action=action: action
        rig.run(0.8)
        seen.append(sent(rig)[-1].gripper_open)
    assert seen == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0]


def test_an_arm_that_holds_something_keeps_it_when_it_is_enabled():
    rig = rig_of()
    rig.arm_alive = False
    rig.controller.enable(True, rig.now_ns)
    for k in range(-12, 1):
        stamp_ns = rig.now_ns + k * 10 * MS
        rig.controller.robot(robot_of(pose_of(), stamp_ns, gripper_open=0.63), stamp_ns)
    command = rig.tick()
    assert command is not None
    assert command.gripper_open == 0.63


def test_interventions_are_reported_once_and_counted():
    rig = rig_of()
    rig.decide = lambda _: moving((3.0, 0, 0))
    rig.begin()
    rig.run(3.0)
    status = rig.controller.status(rig.now_ns)
    reported = [one.limit for command in sent(rig) for one in command.interventions]
    assert status.interventions["step_m"] >= 50
    assert status.interventions["speed"] == status.interventions["workspace"] == 1
    assert sorted(reported) == sorted(
        limit for limit, count in status.interventions.items() for _ in range(count)
    )
    np.testing.assert_allclose(rig.pose[0, 3], SafetyConfig().workspace_max_m[0], atol=1e-3)


def test_the_status_says_what_leads_the_arm():
    rig = rig_of().begin()
    robot = robot_of(rig.pose, rig.now_ns)
    decision = decision_of(
        moving((0.1, 0, 0)), rig.now_ns, target_track_id=7, destination_track_id=9
    )
    rig.controller.decided(decision, robot, rig.now_ns)
    status = rig.controller.status(rig.now_ns + 40 * MS)
    assert (status.target_track_id, status.destination_track_id) == (7, 9)
    assert status.chunk_age_s == status.perception_age_s == pytest.approx(0.04)
    assert status.robot_age_s == pytest.approx(0.04)
    assert status.action is not None
    np.testing.assert_allclose(status.action, [0.005, 0, 0, 0, 0, 0, 1], atol=1e-8)


def test_history_and_the_arm_at_a_stamp_are_interpolated():
    controller = Controller(spec_of(history=3, step_s=0.04), PolicyConfig())
    assert controller.history() == ()
    for k in range(40):
        rotation = Rotation.from_rotvec([0, 0, 0.01 * k]) * DOWN
        pose = pose_of((0.4 + 0.001 * k, 0, 0.2), rotation)
        stamp_ns = START_NS + k * 10 * MS
        controller.robot(robot_of(pose, stamp_ns, gripper_open=k / 40), stamp_ns)
    states = controller.history(START_NS + 205 * MS)
    assert [s.stamp_ns - START_NS for s in states] == [85 * MS, 125 * MS, 165 * MS]
    np.testing.assert_allclose([s.base_from_tool[0, 3] for s in states], [0.4085, 0.4125, 0.4165])
    expected = Rotation.from_rotvec([0, 0, 0.085]) * DOWN
    np.testing.assert_allclose(states[0].base_from_tool[:3, :3], expected.as_matrix(), atol=1e-9)
    assert states[0].gripper_open == pytest.approx(8.5 / 40)
    # A short past is given as far as it is known; nothing is predicted.
    assert len(controller.history(START_NS + 90 * MS)) == 2
    assert controller.robot_at(START_NS - 1) is None
    newest = controller.robot_at(START_NS + 10**10)
    assert newest is not None
    assert newest.stamp_ns == START_NS + 390 * MS
    assert len(controller.history()) == 3


@settings(max_examples=12)
@given(seed=st.integers(0, 10_000), delay_ms=st.sampled_from([10, 50, 100, 200]))
def test_whatever_the_policy_says_commands_keep_every_limit(seed, delay_ms):
    generator, rig = np.random.default_rng(seed), rig_of()
    rig.delay_ms = delay_ms

    def decide(_):
        if generator.random() < 0.1:
            return None
        action = generator.normal(0, 10 ** generator.uniform(-1, 2), (12, 7))
        if generator.random() < 0.1:
            action[generator.integers(12), generator.integers(7)] = np.nan
        return action.astype(np.float32)

    rig.decide = decide
    rig.controller.instruct(instruction_of(), rig.now_ns)
    rig.controller.enable(True, rig.now_ns)
    for _ in range(6):
        rig.run(0.5)
        if generator.random() < 0.3:
            rig.controller.instruct(instruction_of(f"words {generator.random()}"), rig.now_ns)
        rig.camera_alive = bool(generator.random() < 0.8)
    poses = [command.base_from_tool for command in sent(rig)]
    # Actions that are refused halt the arm, without a limit of jerk.
    time_s = np.arange(len(poses)) * TICK_S
    assert_within_limits(poses, time_s, SafetyConfig(), jerk=False)


def test_threads_may_decide_and_command_at_once():
    controller, problems = Controller(spec_of(), PolicyConfig()), []
    controller.instruct(instruction_of(), START_NS)
    controller.enable(True, START_NS)
    clock_ns, done = [START_NS], threading.Event()

    def decide():
        try:
            while not done.is_set():
                now_ns = clock_ns[0]
                controller.decided(decision_of(moving(), now_ns), robot_of(pose_of()), now_ns)
                controller.history(now_ns)
                controller.status(now_ns)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=decide) for _ in range(2)]
    for thread in threads:
        thread.start()
    for count in range(200):
        clock_ns[0] += 10 * MS
        controller.robot(robot_of(pose_of(), clock_ns[0]), clock_ns[0])
        is_steady = count * 0.01 >= ArmConfig().steady_s
        assert (controller.command(clock_ns[0]) is not None) == is_steady
    done.set()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    assert problems == []


def test_a_spec_that_does_not_fit_lists_every_difference():
    spec = spec_of()
    check_spec(spec, frame_id="base", horizon=12, statistics_sha256=spec.statistics.sha256)
    with pytest.raises(ConfigError) as raised:
        check_spec(
            spec,
            perception_model_id="other",
            frame_id="world",
            tool_frame_id="tcp",
            rotation="euler",
            delta="tool_axes",
            gripper="0_open_1_closed",
            names=("x",),
            step_s=0.1,
            horizon=16,
            statistics_sha256="abc",
        )
    text = str(raised.value)
    for part in (
        "perception_model_id is 'native', expected 'other'",
        "frame_id is 'base', expected 'world'",
        "tool_frame_id is 'tool', expected 'tcp'",
        "rotation is 'rotation_vector', expected 'euler'",
        "delta is 'base_axes', expected 'tool_axes'",
        "gripper is '0_closed_1_open', expected '0_open_1_closed'",
        "step_s is 0.05, expected 0.1",
        "horizon is 12, expected 16",
        "expected abc",
    ):
        assert part in text


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_statistics_that_are_unusable_do_not_start(scale):
    statistics = ActionStatistics(mean=(0.0,) * 7, scale=(*(0.1,) * 6, scale))
    with pytest.raises(ConfigError, match="finite with scales above zero"):
        Controller(spec_of(statistics=statistics), PolicyConfig())


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_statistics_are_finite(value: float) -> None:
    with pytest.raises(ValidationError, match="finite number"):
        ActionStatistics(mean=(0.0,) * 7, scale=(*(0.1,) * 6, value))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"safety.workspace_min_m": [0.0, 0.0]}, "workspace_min_m"),
        ({"safety.workspace_min_m": [0.9, 0.0, 0.0]}, "x: 0.9 ≥ 0.8"),
        ({"safety.workspace_max_m": [1.0, float("inf"), 1.0]}, "finite"),
        ({"safety.gripper_close_below": 0.7}, "must not be above"),
        ({"safety.max_jerk_mps3": 1.0}, "expected at least 6.0"),
        ({"safety.max_speed_mps": 0.0}, "max_speed_mps = 0.0"),
        ({"command_hz": 20.0}, "command_hz = 20.0"),
        ({"watchdog.perception_s": -1.0}, "perception_s"),
    ],
)
def test_parameters_that_make_no_sense_are_refused_with_words(values, complaint):
    with pytest.raises(ConfigError, match=complaint):
        with_values(PolicyConfig(), values)


def test_parameters_come_back_from_their_flat_form():
    config = with_values(PolicyConfig(), {"safety.workspace_min_m": (0.1, -0.2, 0.0)})
    assert with_values(PolicyConfig(), flatten(config)) == config
