"""The policy node over real DDS: its inputs, its commands, and when it sends none."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep, time_ns
from typing import Any

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import TwistStamped
from policy_rig import (
    CUBE_M,
    START_M,
    Surroundings,
    policy_node,
    policy_rig,
    ros_arguments,
    served,
    surroundings,
)
from rclpy.context import Context
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from seeker import HEIGHT_ABOVE_M, Seeker
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import Header, String
from trajectory_msgs.msg import JointTrajectory, MultiDOFJointTrajectory

from robot_vision.core.manifests.action_spec import ActionSpec
from robot_vision.core.results.policy_chunk import POLICY_CHUNK
from robot_vision.core.results.policy_status import POLICY_STATUS
from robot_vision.ros.messages.convert import ns_from_stamp, stamp_from_ns
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.topics.policy_table import OUTPUTS, ROBOT_INPUTS

pytestmark = pytest.mark.ros

TWO_PERIODS_NS = 20_000_000
OVER_CUBE_M = np.array(CUBE_M) + np.array([0, 0, HEIGHT_ABOVE_M])


def is_over_cube(around: Surroundings) -> bool:
    return bool(np.abs(around.arm.position_m - OVER_CUBE_M).max() < 0.01)


def test_it_moves_only_when_enabled_and_goes_where_the_words_say(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        around.instruct("to the cube")
        status = around.wait_for_status(enabled=False, instruction="to the cube")
        assert status["reasons"][0] == "disabled"
        assert around.arm.commands == []
        assert around.enable().success
        around.wait_until_moving()
        around.wait_for(lambda: is_over_cube(around))
        status = around.wait_for_status(holding=False)
        assert status["target_id"] >= 0
        assert len(status["action"]) == 7
        np.testing.assert_allclose(status["pose"]["position_m"], OVER_CUBE_M, atol=0.02)
        assert around.enable(False).success
        disabled_ns = time_ns()
        around.wait_for_status(enabled=False)
        assert around.stamps_ns()[-1] <= disabled_ns + TWO_PERIODS_NS
    assert np.all(np.diff(around.stamps_ns()) > 0)
    first = around.arm.commands[0][1]
    assert first.header.frame_id == "base"
    begin = [first.pose.position.x, first.pose.position.y, first.pose.position.z]
    np.testing.assert_allclose(begin, START_M, atol=0.01)


def assert_topics_are_those_of_the_table(around: Surroundings) -> None:
    node = around.node
    published = dict(node.get_publisher_names_and_types_by_node("policy", "/"))
    heard = dict(node.get_subscriber_names_and_types_by_node("policy", "/"))
    table = {topic.name.replace("~", "/policy"): [topic.type_name] for topic in OUTPUTS}
    own = {name for name in published if name.startswith("/policy/")}
    assert own - {"/policy/transition_event"} == table.keys()
    assert table.items() <= published.items()
    inputs = {f"/{topic.name}": [topic.type_name] for topic in ROBOT_INPUTS}
    assert inputs.items() <= heard.items()


def test_every_topic_of_the_policy(native_bundle: Path) -> None:
    kinds: dict[str, Any] = {
        "action": JointState,
        "action_chunk": MultiDOFJointTrajectory,
        "action_chunk/json": String,
        "gripper_chunk": JointTrajectory,
        "command/twist": TwistStamped,
        "command/gripper": JointState,
        "command/observation": Header,
        "attention": Image,
    }
    heard: dict[str, list[Any]] = {topic: [] for topic in kinds}
    with policy_rig(native_bundle) as around:
        for topic, kind in kinds.items():
            around.node.create_subscription(kind, f"policy/{topic}", heard[topic].append, 50)
        around.wait_until_met(*kinds)
        around.instruct("to the cube")
        around.enable()
        around.wait_for(lambda: all(heard.values()))
        around.wait_for(lambda: all(len(heard[topic]) >= 3 for topic in kinds if "chunk" in topic))
        assert_topics_are_those_of_the_table(around)
        _, note = POLICY_STATUS.read(json.dumps(around.statuses[-1]))
        assert note == ""
    spec = ActionSpec.model_validate(json.loads(around.spec))
    assert (spec.model_id, spec.frame_id) == ("seeker@1", "base")
    chunk = heard["action_chunk"][0]
    assert (chunk.header.frame_id, chunk.joint_names) == ("base", ["tool"])
    assert len(chunk.points) == spec.horizon
    times_s = [p.time_from_start.sec + p.time_from_start.nanosec * 1e-9 for p in chunk.points]
    np.testing.assert_allclose(times_s, spec.step_s * np.arange(1, spec.horizon + 1))
    last = chunk.points[-1].velocities[0]
    assert (last.linear.x, last.linear.y, last.linear.z) == (0, 0, 0)
    speeds = [
        np.linalg.norm([v.x, v.y, v.z]) for p in chunk.points for v in [p.velocities[0].linear]
    ]
    assert max(speeds) == pytest.approx(0.2, rel=0.1)  # a centimetre each twentieth of a second
    z = [p.transforms[0].translation.z for p in chunk.points]
    assert np.all(np.diff(z) < 0)
    gripper = {ns_from_stamp(c.header.stamp): c for c in heard["gripper_chunk"]}
    assert gripper[ns_from_stamp(chunk.header.stamp)].points[0].positions[0] == 1.0
    by_stamp = {
        c.stamp_ns: c for c, _ in (POLICY_CHUNK.read(m.data) for m in heard["action_chunk/json"])
    }
    same = by_stamp[ns_from_stamp(chunk.header.stamp)]
    assert (same.identity, same.model_id) == ("5ee" + 61 * "0", "seeker@1")
    assert [pose.position_m[2] for pose in same.poses] == pytest.approx(z, abs=1e-6)
    assert same.gripper_open == tuple(
        point.positions[0] for point in gripper[same.stamp_ns].points
    )
    action = heard["action"][-1]
    assert list(action.name) == ["x", "y", "z", "rx", "ry", "rz", "gripper"]
    assert heard["command/gripper"][-1].name == ["gripper"]
    seen_ns = {ns_from_stamp(header.stamp) for header in heard["command/observation"]}
    assert seen_ns & {ns_from_stamp(c.header.stamp) for c in heard["action_chunk"]}
    attention = np.frombuffer(heard["attention"][0].data, np.float32)
    assert attention.sum() == pytest.approx(1)


def test_words_that_name_nothing_hold_and_other_words_are_followed_at_once(
    native_bundle: Path,
) -> None:
    with policy_rig(native_bundle) as around:
        around.enable()
        around.wait_until_held_for("no instruction")
        around.instruct("fly to the moon")
        status = around.wait_until_held_for("no word of 'fly to the moon' is known")
        assert status["instruction_problem"] == "no word of 'fly to the moon' is known"
        around.wait_for(lambda: around.statuses[-1]["perception_age_s"] is not None)
        around.wait_for_status(reasons=["no word of 'fly to the moon' is known"])
        around.instruct("to the cup")
        around.wait_until_held_for("nothing in view is 'cup'")
        np.testing.assert_allclose(around.arm.position_m, START_M, atol=1e-3)
        around.instruct("to the cube")
        around.wait_until_moving()
        around.instruct("")
        around.wait_until_held_for("no instruction")
        around.wait_until_said("commands", "holding", "no instruction")


def test_reset_forgets_the_words_and_disables(native_bundle: Path) -> None:
    with policy_rig(native_bundle) as around:
        around.instruct("to the cube")
        around.enable()
        around.wait_until_moving()
        assert around.reset().success
        status = around.wait_for_status(enabled=False)
        assert status["instruction"] == ""


def test_a_policy_that_fails_holds_with_the_reason_and_the_next_words_count(
    native_bundle: Path,
) -> None:
    with policy_rig(native_bundle) as around:
        around.enable()
        around.instruct("fail at the cube")
        around.wait_until_held_for("the policy failed", "fails on request")
        around.wait_until_said("policy", "the policy fails", "fails on request")
        around.instruct("to the cube")
        around.wait_until_moving()


@contextmanager
def policy_alone(context_of: Surroundings, **parameters: Any) -> Iterator[list[Any]]:
    def nodes(context: Context) -> list[Any]:
        return [policy_node(context, None, **parameters)]

    with served(nodes) as made:
        context_of.wait_for(lambda: made[0].state == "active" or made[0].problem)
        yield made


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"expected__frame_id": "world"}, "frame_id is 'base', expected 'world'"),
        ({"expected__gripper": "0_open_1_closed"}, "gripper is '0_closed_1_open'"),
        ({"expected__statistics_sha256": "f" * 64}, "the statistics' hash is"),
        ({"camera_pose__source": "tf"}, "tf2_ros is not installed"),
        ({"camera_pose__quaternion_xyzw": "[0.0, 0.0, 0.0, 0.0]"}, "has no direction"),
    ],
)
def test_what_means_something_else_refuses_to_start(
    parameters: dict[str, Any], words: str
) -> None:
    with surroundings() as around, policy_alone(around, **parameters) as nodes:
        around.wait_for(lambda: nodes[0].state == "unconfigured")
        assert words in nodes[0].problem


def test_a_perception_of_another_model_refuses_to_start(native_bundle: Path) -> None:
    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(context=context, cli_args=ros_arguments({"model": native_bundle}))
        other = Seeker(perception_model_id="other@2")
        return [seeing, policy_node(context, seeing, other)]

    with surroundings() as around, served(nodes) as made:
        around.wait_for(lambda: made[1].problem)
        assert "perception_model_id is 'other@2', expected 'tiny@1'" in made[1].problem


@pytest.mark.parametrize(("model", "score_threshold"), [("native-s", 0.25), ("tiny", 0.4)])
def test_perception_takes_parameters_only_from_a_policy_of_its_model(
    model: str, score_threshold: float, native_bundle: Path
) -> None:
    """The shipped policy, which cannot start beside another model, changed its threshold."""
    given = {"model": native_bundle if model == "tiny" else model}
    given |= {"detector.score_threshold": 0.4}

    def nodes(context: Context) -> list[Any]:
        seeing = PerceptionNode(context=context, cli_args=ros_arguments(given))
        policy = policy_node(context, seeing)
        policy.prepare_perception()
        return [seeing, policy]

    with surroundings(), served(nodes) as made:
        assert made[0].config.detector.score_threshold == score_threshold


def test_a_clock_that_stands_still_is_reported_while_no_command_is_sent() -> None:
    """Simulated time: the ages that the watchdogs compare do not grow then."""
    with surroundings() as around, policy_alone(around, use_sim_time=True):
        around.enable()
        held = around.wait_until_held_for("the clock has stood still", "is /clock published?")
        assert held["enabled"]
        around.wait_until_said("commands", "holding", "the clock has stood still")
        clock = around.node.create_publisher(Clock, "/clock", 10)
        begin_ns = time_ns()

        def is_moving_on() -> bool:
            clock.publish(Clock(clock=stamp_from_ns(begin_ns + len(around.statuses) * 1_000_000)))
            return not any("stood still" in why for why in around.statuses[-1]["reasons"])

        around.wait_for(is_moving_on)


def test_an_instruction_is_heard_from_a_publisher_that_latches_nothing(
    native_bundle: Path,
) -> None:
    with policy_rig(native_bundle) as around:
        other = rclpy.create_node("other", context=around.node.context)
        plain = other.create_publisher(String, "instruction", QoSProfile(depth=1))
        while not plain.get_subscription_count():
            sleep(0.02)
        plain.publish(String(data="to the cup"))
        around.wait_for_status(instruction="to the cup")
        other.destroy_node()
        around.instruct("to the cube")
        around.wait_for_status(instruction="to the cube")


def test_a_state_of_the_robot_that_is_unusable_is_counted_by_cause(native_bundle: Path) -> None:
    with policy_rig(native_bundle, gripper__joint="finger") as around:
        around.wait_until_said("inputs", "robot state unusable", "no joint 'finger'")
        around.enable()
        around.instruct("to the cube")
        around.wait_until_said("commands", "holding", "no state of the robot")
        assert around.arm.commands == []
