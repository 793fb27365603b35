"""The perception node sees no thing on the robot, where description, joints and pose say so."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rclpy.qos import DurabilityPolicy, QoSProfile
from ros_harness import FRAME_ID, Rig, rig, wait_for_readers
from sensor_msgs.msg import Image, JointState
from std_msgs.msg import String

from robot_vision.ros.messages.convert import header

pytestmark = pytest.mark.ros

LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
# The camera measures 1.5 m everywhere, and is where the base is.
ARM = """<robot name="arm"><link name="base"/>
  <link name="hand"><visual><origin xyz="0 0 1.6"/>
    <geometry><box size="1.6 1.4 0.2"/></geometry></visual></link>
  <joint name="slide" type="prismatic"><parent link="base"/><child link="hand"/>
    <axis xyz="1 0 0"/></joint></robot>"""
POSE: dict[str, Any] = {"camera_pose__source": "parameters"}


class Arm:
    """A driver that says where its joint is."""

    def __init__(self, r: Rig, text: str = ARM) -> None:
        node = r.monitor.node
        self._rig = r
        self._joints = node.create_publisher(JointState, "/joint_states", 10)
        node.create_publisher(String, "/robot_description", LATCHED).publish(String(data=text))
        r.wait_for(lambda: bool(self._joints.get_subscription_count()))

    def seen(self, *, slide: float | None, late_ns: int = 0) -> list[Any]:
        """Objects of a frame, the joint being there when it was taken."""
        camera = self._rig.camera
        stamp_ns = camera.now_ns()
        if slide is not None:
            self._joints.publish(
                JointState(header=header(stamp_ns - late_ns, ""), name=["slide"], position=[slide])
            )
            self._rig.monitor.spin(0.2)
        return self._rig.result_of(stamp_ns=stamp_ns)["objects"]

    def wait_until(self, *, sees: bool, slide: float) -> None:
        """A track may outlive its detections, and a description takes its time."""
        for _ in range(40):
            if bool(self.seen(slide=slide)) == sees:
                return
        raise AssertionError(f"objects are {'not ' if sees else ''}seen, slide at {slide}")


def test_the_robot_is_not_an_object_and_what_is_beside_it_is_one(native_bundle: Path) -> None:
    with rig(model=native_bundle, tracker__coast_s=0.1, **POSE) as r:
        wait_for_readers(r)
        arm = Arm(r)
        masks: list[Image] = []
        r.monitor.node.create_subscription(Image, "/perception/robot_mask", masks.append, 5)
        arm.wait_until(sees=True, slide=3.0)
        arm.wait_until(sees=False, slide=0.0)
        r.wait_for(lambda: bool(masks))
        mask = masks[-1]
        pixels = np.frombuffer(mask.data, np.uint8).reshape(mask.height, mask.width)
        assert (mask.encoding, mask.header.frame_id) == ("mono8", FRAME_ID)
        assert pixels[24, 32] == 255
        assert pixels[24, 0] == 0
        arm.wait_until(sees=True, slide=3.0)


def test_a_joint_that_is_too_old_hides_nothing_and_is_reported(native_bundle: Path) -> None:
    with rig(model=native_bundle, tracker__coast_s=0.1, **POSE) as r:
        wait_for_readers(r)
        arm = Arm(r)
        arm.wait_until(sees=False, slide=0.0)
        r.monitor.spin(0.5)
        for _ in range(20):
            if arm.seen(slide=None):
                break
        else:
            raise AssertionError("old joints hide things")
        r.wait_until_said("inputs", "the robot is not filtered out", "'slide' was last reported")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no URDF", "robot_description is not a URDF"),
        (ARM.replace("box size", "mesh filename"), "no shape of a moving link that can be drawn"),
    ],
)
def test_a_description_that_cannot_be_used_is_reported(
    native_bundle: Path, text: str, words: str
) -> None:
    with rig(model=native_bundle, **POSE) as r:
        wait_for_readers(r)
        arm = Arm(r, text)
        for _ in range(20):
            assert arm.seen(slide=0.0)
            if any("not filtered out" in s for s in r.values("inputs")):
                break
        r.wait_until_said("inputs", "the robot is not filtered out", words, "self_filter.enabled")


def test_nothing_is_subscribed_where_the_filter_is_off(native_bundle: Path) -> None:
    with rig(model=native_bundle, self_filter__enabled=False) as r:
        wait_for_readers(r)
        assert r.node.count_subscribers("/joint_states") == 0
        assert r.node.count_subscribers("/robot_description") == 0


def test_a_joint_that_lies_hides_nothing_and_is_reported(native_bundle: Path) -> None:
    limited = ARM.replace(
        "</joint>", '<limit lower="-4" upper="4" velocity="1" effort="1"/></joint>'
    )
    with rig(model=native_bundle, tracker__coast_s=0.1, **POSE) as r:
        wait_for_readers(r)
        arm = Arm(r, limited)
        arm.wait_until(sees=False, slide=0.0)
        arm.wait_until(sees=True, slide=90.0)
        r.wait_until_said("inputs", "joint_states refused", "'slide' is at 90", "degrees")
