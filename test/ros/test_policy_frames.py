"""A robot whose frames are named and turned otherwise than the policy's, over real DDS."""

import json
from pathlib import Path

import numpy as np
import pytest
from arm_models import urdf_of
from geometry_msgs.msg import TwistStamped
from policy_rig import CUBE_M, START_M, Surroundings, policy_rig
from seeker import HEIGHT_ABOVE_M
from std_msgs.msg import String

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.robot_config import FramesConfig, PolicyNodeConfig
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.policy.inputs.arm_description import arm_of

pytestmark = pytest.mark.ros

# As `base` of a UR: half a turn about the vertical. The link is 0.1 m behind the tool point.
HALF_TURN = np.diag([-1.0, -1.0, 1.0])
TOOL_M = 0.1
TURNED = {
    "frames.base": "base_link",
    "frames.base_quaternion_xyzw": "[0.0, 0.0, 1.0, 0.0]",
    "frames.tool": "tool0",
    "frames.tool_position_m": f"[0.0, 0.0, {TOOL_M}]",
    "camera_pose.position_m": "[-0.45, 0.0, 1.55]",
    "camera_pose.quaternion_xyzw": "[0.0, 1.0, 0.0, 0.0]",
}


def turn_round(around: Surroundings) -> None:
    """The rig's arm as the robot reports it: in its own base frame, by its own link."""
    pose = around.arm.base_from_tool.copy()
    pose[:3, :3] = HALF_TURN @ pose[:3, :3]
    pose[:3, 3] = HALF_TURN @ START_M + [0, 0, TOOL_M]
    around.arm.base_from_tool, around.arm.frame_id = pose, "base_link"


def test_commands_are_in_the_robots_frames_and_lead_to_the_same_thing(
    native_bundle: Path,
) -> None:
    over_cube_m = HALF_TURN @ CUBE_M + [0, 0, HEIGHT_ABOVE_M + TOOL_M]
    twists: list[TwistStamped] = []
    with policy_rig(native_bundle, **TURNED) as around:
        turn_round(around)
        around.node.create_subscription(TwistStamped, "policy/command/twist", twists.append, 10)
        around.instruct("to the cube")
        around.enable()
        around.wait_until_moving()
        around.wait_for(lambda: np.abs(around.arm.position_m - over_cube_m).max() < 0.01)
        status = around.wait_for_status(holding=False)
        np.testing.assert_allclose(status["pose"]["position_m"], over_cube_m, atol=0.02)
        around.wait_for(lambda: twists)
    spec = json.loads(around.spec)
    assert (spec["frame_id"], spec["tool_frame_id"]) == ("base_link", "tool0")
    assert {message.header.frame_id for _, message in around.arm.commands} == {"base_link"}
    assert twists[0].header.frame_id == "base_link"


def test_a_tool_pose_in_a_frame_that_nobody_mapped_holds_and_names_the_parameter(
    native_bundle: Path,
) -> None:
    with policy_rig(native_bundle, arm_frame="base_link") as around:
        around.instruct("to the cube")
        around.enable()
        around.wait_until_said("inputs", "'base_link'; expected 'base'", "set frames.base")
        assert around.arm.commands == []


def test_a_description_without_the_frame_holds_and_names_its_links(native_bundle: Path) -> None:
    with policy_rig(native_bundle, tool_pose__source="joints", frames__base="fr3_link0") as around:
        described = around.node.create_publisher(String, "robot_description", LATCHED_QOS)
        described.publish(String(data=urdf_of("six")))
        around.enable()
        around.wait_until_said("inputs", "no chain of joints from 'fr3_link0'", "link6")
        assert around.arm.commands == []


def config_of(**values: object) -> PolicyNodeConfig:
    return PolicyNodeConfig.model_validate(values)


def test_the_arm_of_a_description_is_in_the_policys_frames() -> None:
    text = urdf_of("six").replace('"base"', '"base_link"').replace('"tool"', '"tool0"')
    plain = arm_of(urdf_of("six"), PolicyNodeConfig())
    turned = arm_of(
        text,
        config_of(
            frames=FramesConfig(
                base="base_link",
                base_quaternion_xyzw=[0, 0, 1, 0],
                tool="tool0",
                tool_position_m=[0, 0, TOOL_M],
            )
        ),
    )
    joints = dict(zip(plain.joint_names, (0.1, -1.6, 1.8, -1.8, -1.57, 0.3), strict=True))
    at, expected = turned.base_from_tool(joints), plain.base_from_tool(joints)
    assert at is not None
    assert expected is not None
    np.testing.assert_allclose(at[:3, :3], HALF_TURN @ expected[:3, :3], atol=1e-9)
    np.testing.assert_allclose(
        at[:3, 3], HALF_TURN @ (expected @ [0, 0, TOOL_M, 1])[:3], atol=1e-9
    )


def test_two_links_for_one_base_are_refused() -> None:
    """Mixing `base` and `base_link` of a UR would lead the arm the opposite way."""
    both = urdf_of("six").replace(
        "</robot>",
        '<link name="base_link"/><joint name="turn" type="fixed"><parent link="base"/>'
        '<child link="base_link"/><origin rpy="0 0 3.14159"/></joint></robot>',
    )
    with pytest.raises(ConfigError, match=r"set frames\.base to the one that is meant"):
        arm_of(both, config_of(joint_space={"base_link": "base_link"}))
