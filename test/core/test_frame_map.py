"""Motions in the policy's frames and in the robot's are the same motion of one rigid tool."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core import quaternions
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.robot_config import FramesConfig, PolicyNodeConfig
from robot_vision.core.results.frame_map import FrameMap
from robot_vision.core.types import ActionChunk, Command

numbers = st.floats(-1.5, 1.5)
three = st.tuples(numbers, numbers, numbers).map(np.array)
poses = st.tuples(three, three).map(lambda v: quaternions.pose_matrix(v[0], quaternions.exp(v[1])))


def moved(pose: np.ndarray, by_m: np.ndarray, turn_rad: np.ndarray) -> np.ndarray:
    """A step as policies mean it: both in base axes, the turn about the tool's own point."""
    turned = quaternions.pose_matrix(np.zeros(3), quaternions.exp(turn_rad))[:3, :3]
    after = pose.copy()
    after[:3, :3], after[:3, 3] = turned @ pose[:3, :3], pose[:3, 3] + by_m
    return after


def frames(robot_from_base: np.ndarray, link_from_tool: np.ndarray) -> FrameMap:
    return FrameMap(
        base_frame="base_link",
        tool_frame="tool0",
        robot_from_base=robot_from_base,
        link_from_tool=link_from_tool,
    )


def command(pose: np.ndarray, twist: np.ndarray, action: np.ndarray) -> Command:
    return Command(
        stamp_ns=1,
        observation_stamp_ns=1,
        base_from_tool=pose,
        twist=twist,
        gripper_open=0.5,
        action=np.append(action, 0.5),
        holding=False,
    )


@given(poses, poses, poses)
def test_there_and_back_is_the_same_pose(base, tool, pose) -> None:
    way = frames(base, tool)
    np.testing.assert_allclose(way.base_from_tool(way.robot_from_link(pose)), pose, atol=1e-9)


@given(poses, poses, poses, three, three)
def test_a_twist_is_how_the_link_moves_while_the_tool_moves_so(
    base, tool, pose, linear, angular
) -> None:
    way, small_s = frames(base, tool), 1e-6
    twist = np.concatenate([linear, angular])
    sent = way.command(command(pose, twist, np.zeros(6)))
    before = way.robot_from_link(moved(pose, -linear * small_s, -angular * small_s))
    after = way.robot_from_link(moved(pose, linear * small_s, angular * small_s))
    speed = (after[:3, 3] - before[:3, 3]) / (2 * small_s)
    turn = quaternions.between(
        quaternions.from_matrix(before[:3, :3]), quaternions.from_matrix(after[:3, :3])
    )
    np.testing.assert_allclose(sent.base_from_tool, way.robot_from_link(pose))
    np.testing.assert_allclose(sent.twist[:3], speed, atol=1e-5)
    np.testing.assert_allclose(sent.twist[3:], turn / (2 * small_s), atol=1e-5)


@given(poses, poses, poses, three, three)
def test_steps_of_commands_and_chunks_lead_from_pose_to_pose(base, tool, start, way_m, turn_rad):
    way = frames(base, tool)
    target = moved(start, way_m, turn_rad)
    action = np.concatenate([way_m, turn_rad])
    robot_start, robot_target = way.robot_from_link(start), way.robot_from_link(target)
    sent = way.command(command(target, np.zeros(6), action))
    np.testing.assert_allclose(
        moved(robot_start, sent.action[:3], sent.action[3:6]), robot_target, atol=1e-9
    )
    assert sent.action[6] == 0.5
    chunk = way.chunk(
        ActionChunk(
            observation_stamp_ns=1,
            step_s=0.05,
            frame_id="base",
            action=np.append(action, 1.0)[None],
            base_from_target=target[None],
            valid_until_ns=2,
        )
    )
    assert chunk.frame_id == "base_link"
    np.testing.assert_allclose(chunk.base_from_target, robot_target[None])
    np.testing.assert_allclose(chunk.action[0, :6], sent.action[:6])


def test_half_a_turn_of_the_base_turns_the_ways() -> None:
    config = PolicyNodeConfig(
        frames=FramesConfig(base="base", base_quaternion_xyzw=[0, 0, 1, 0], tool="tool0")
    )
    way = config.frame_map()
    sent = way.command(command(np.eye(4), np.array([0.1, 0.2, 0.3, 0, 0, 0]), np.zeros(6)))
    np.testing.assert_allclose(sent.twist[:3], [-0.1, -0.2, 0.3])
    assert (way.base_frame, way.tool_frame) == ("base", "tool0")


def test_without_names_the_frames_are_the_policys() -> None:
    way = PolicyNodeConfig().frame_map()
    assert (way.base_frame, way.tool_frame) == ("base", "tool")
    np.testing.assert_array_equal(way.robot_from_base, np.eye(4))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"base_quaternion_xyzw": [0.0, 0, 0, 0]}, "frames.base_quaternion_xyzw"),
        ({"tool_position_m": [float("nan"), 0, 0]}, "frames.tool_position_m"),
    ],
)
def test_input_that_is_not_a_place_names_the_parameter(given, words) -> None:
    with pytest.raises(ConfigError, match=words):
        PolicyNodeConfig(frames=FramesConfig(**given)).frame_map()
