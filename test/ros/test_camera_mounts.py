"""A policy that learnt where its cameras are says it when one is elsewhere, over DDS."""

from pathlib import Path

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from pixel_bundle import write_pixel_bundle
from pixel_node import SLOWLY, TWO, pixel_node
from policy_rig import Surroundings
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.context import Context

from robot_vision.core.cameras.camera_mount import CameraMount
from robot_vision.core.parameters.groups.camera_config import CameraPoseConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.core.types import Frame, RobotState
from robot_vision.ros.common.camera_pose import FixedPose
from robot_vision.ros.messages.convert import header
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.policy.cameras.mounts import CameraMounts

pytestmark = pytest.mark.ros

# As `header` of the pose below says it: 1.5 m above the table, looking down.
FRONT = CameraMount(position_m=(0.4, 0.0, 1.5), rotation=(np.pi, 0.0, 0.0))
WRIST = CameraMount(position_m=(0.05, 0.0, -0.1), rotation=(0.0, 0.0, 0.0), mount="tool")
ONE = TWO.model_copy(update={"cameras": TWO.cameras[:1], "steps": 1})


def bundle_in(folder: Path) -> Path:
    mounts = {"front": FRONT}
    return write_pixel_bundle(folder, observation=ONE, base=SLOWLY, camera_mounts=mounts).path


def say_pose(around: Surroundings, x_m: float) -> None:
    """On `camera_pose`, as a driver that was calibrated has it."""
    message = PoseStamped(header=header(0, "base"))
    message.pose.position.x, message.pose.position.z = x_m, 1.5
    message.pose.orientation.x, message.pose.orientation.w = 1.0, 0.0
    publisher = around.node.create_publisher(PoseStamped, "camera_pose", LATCHED_QOS)
    around.wait_for(lambda: publisher.get_subscription_count() > 0)
    publisher.publish(message)


def test_a_camera_that_was_moved_is_warned_of_and_one_that_is_back_is_not(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    moved = "camera front is 0.1 m and 0° from its pose in the policy's training"
    with pixel_node(bundle_in(tmp_path), camera_pose__source="topic") as around:
        around.wait_for_status(camera_warnings=[])
        say_pose(around, 0.5)
        around.wait_until_said("inputs", moved)
        around.statuses.clear()
        around.wait_for(lambda: any(s["camera_warnings"] for s in list(around.statuses)))
        assert around.statuses[-1]["camera_warnings"][0].startswith(moved)
        assert "camera front" not in str(around.statuses[-1]["reasons"]), "it is a warning"
        say_pose(around, 0.4)
        around.wait_for_status(camera_warnings=[])
    assert f"{moved} (at most 0.01 m and 1.1°): put it back" in capfd.readouterr().err


def test_where_nobody_says_where_the_camera_is_nothing_is_warned_of(tmp_path: Path) -> None:
    with pixel_node(bundle_in(tmp_path)) as around:  # by tf, which may not be installed
        assert not around.policy.problem
        around.wait_until_said("inputs", "camera front", "Hz")
        around.wait_for_status(camera_warnings=[])


@pytest.mark.parametrize(("source", "is_known"), [("tf", True), ("topic", False)])
def test_a_camera_on_the_tool_is_looked_for_where_the_tool_is(
    source: str, *, is_known: bool
) -> None:
    robot = RobotState(
        stamp_ns=1, joint_position_rad=np.zeros(0), base_from_tool=np.eye(4), gripper_open=1.0
    )
    view = Frame(stamp_ns=1, frame_id="hand_optical", rgb=np.zeros((1, 1, 3), np.uint8))
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("policy", context=context)

    def elsewhere(x_m: float, views: dict[str, Frame]) -> tuple[str, ...]:
        mounts = CameraMounts(
            node,
            {"wrist": WRIST},
            first="front",
            config=with_values(PolicyNodeConfig(), {"camera_pose.source": source}),
            pose=FixedPose(CameraPoseConfig(position_m=[x_m, 0.0, -0.1])),
            group=MutuallyExclusiveCallbackGroup(),
        )
        return mounts.elsewhere(views, lambda _: robot)

    try:
        assert elsewhere(0.05, {"wrist": view}) == ()
        found = elsewhere(0.25, {"wrist": view})
        assert ("camera wrist is 0.2 m and 0° from" in "".join(found)) is is_known
        assert elsewhere(0.25, {}) == ()
    finally:
        node.destroy_node()
        context.try_shutdown()
