"""The node `demonstrations` records a robot that lives on the other side of real DDS."""

import json
import threading
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
import rclpy
from demonstrations_kit import (
    BASE_FROM_CAMERA,
    CAMERA,
    FPS,
    HEIGHT_PX,
    WIDTH_PX,
    depth_of,
    rgb_of,
    tool_pose,
)
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image, JointState
from small_disk import fill, small_disk
from std_msgs.msg import Empty, String
from std_srvs.srv import SetBool, Trigger

from robot_vision.core.errors import ConfigError
from robot_vision.datasets.lerobot.dataset import Dataset, steps
from robot_vision.datasets.lerobot.sample import step_between, stepped
from robot_vision.demonstrations.check import problems
from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.demonstrations.node import DemoRecorder
from robot_vision.ros.demonstrations.operator import give
from robot_vision.ros.messages.convert import header
from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.messages.poses import pose_from_transform
from robot_vision.ros.middleware.qos import LATCHED_QOS

pytestmark = pytest.mark.ros

STEP_NS = 50_000_000
WORDS = "pick the red cube"


class Robot:
    """Publishes what a robot would, at stamps of its own: no test waits for a camera."""

    def __init__(self, node: Node) -> None:
        qos = QoSProfile(depth=100)
        self.rgb = node.create_publisher(Image, "front/rgb", qos)
        self.depth = node.create_publisher(Image, "front/depth", qos)
        self.info = node.create_publisher(CameraInfo, "front/camera_info", qos)
        self.camera_pose = node.create_publisher(PoseStamped, "front/camera_pose", LATCHED_QOS)
        self.joints = node.create_publisher(JointState, "joint_states", qos)
        self.tool = node.create_publisher(PoseStamped, "tool_pose", qos)
        self.pose = node.create_publisher(PoseStamped, "command/pose", qos)
        self.gripper = node.create_publisher(JointState, "command/gripper", qos)
        self.action = node.create_publisher(JointState, "command/action", qos)
        self.instruction = node.create_publisher(String, "instruction", LATCHED_QOS)
        self.start_ns = node.get_clock().now().nanoseconds
        pose = PoseStamped(header=header(1, "base"), pose=pose_from_transform(BASE_FROM_CAMERA))
        self.camera_pose.publish(pose)

    def stamp_ns(self, number: float) -> int:
        return self.start_ns + round(number * STEP_NS)

    def send(self, number: int, *, image: bool = True, depth: bool = True) -> None:
        """Everything of frame `number`: images, five states and five commands."""
        for fifth in range(5):
            self.send_state(number + fifth / 5)
        stamp_ns = self.stamp_ns(number)
        if image:
            self.info.publish(
                info_from_camera(CAMERA, stamp_ns=stamp_ns, width_px=WIDTH_PX, height_px=HEIGHT_PX)
            )
            self.rgb.publish(_image(stamp_ns, "rgb8", rgb_of(number)))
        if depth:
            depth_mm = np.nan_to_num(depth_of(number) * 1000).round().astype(np.uint16)
            self.depth.publish(_image(stamp_ns + 1_000_000, "16UC1", depth_mm))

    def send_state(self, number: float) -> None:
        stamp_ns = self.stamp_ns(number)
        self.send_joints(number)
        self.tool.publish(_pose(stamp_ns, number))
        self.gripper.publish(
            JointState(header=header(stamp_ns, ""), name=["gripper"], position=[1.0])
        )
        self.pose.publish(_pose(stamp_ns, number + 2))
        action = step_between(tool_pose(number + 1.8), tool_pose(number + 2), 0.5)
        self.action.publish(JointState(header=header(stamp_ns, ""), position=action.tolist()))

    def send_joints(self, number: float) -> None:
        joints = {"j1": 0.1 * number, "fingers": 0.03, "j2": -0.5}
        self.joints.publish(_joints(self.stamp_ns(number), joints))


def _pose(stamp_ns: int, number: float) -> PoseStamped:
    return PoseStamped(
        header=header(stamp_ns, "base"), pose=pose_from_transform(tool_pose(number))
    )


def _joints(stamp_ns: int, joints: dict[str, float]) -> JointState:
    names, positions = list(joints), list(joints.values())
    return JointState(header=header(stamp_ns, ""), name=names, position=positions)


def _image(stamp_ns: int, encoding: str, pixels: np.ndarray) -> Image:
    return Image(
        header=header(stamp_ns, CAMERA.frame_id),
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        step=pixels.nbytes // pixels.shape[0],
        data=array("B", pixels.tobytes()),
    )


class Bench:
    """The recorder under test, a robot, and an operator who calls its services."""

    def __init__(self, recorder: DemoRecorder, node: Node, robot: Robot) -> None:
        self.recorder = recorder
        self.node = node
        self.robot = robot
        self.status: dict[str, Any] = {}
        node.create_subscription(
            String, "/demonstrations/status/json", self._on_status, LATCHED_QOS
        )
        self._pace = node.create_publisher(Empty, "pace", 100)
        self._turns: list[Empty] = []
        recorder.create_subscription(Empty, "pace", self._turns.append, 100)
        self._begin = node.create_client(Trigger, "/demonstrations/begin")
        self._end = node.create_client(SetBool, "/demonstrations/end")
        self._discard = node.create_client(Trigger, "/demonstrations/discard")

    def begin(self) -> tuple[bool, str]:
        return self._call(self._begin, Trigger.Request())

    def end(self, *, success: bool = True) -> tuple[bool, str]:
        return self._call(self._end, SetBool.Request(data=success))

    def discard(self) -> tuple[bool, str]:
        return self._call(self._discard, Trigger.Request())

    def say(self, words: str = WORDS) -> None:
        self.robot.instruction.publish(String(data=words))
        self.wait_for(lambda: self.status.get("instruction") == words)

    def meet(self) -> None:
        """Until all topics are connected, and one of each message has come."""
        robot = self.robot
        needed = (robot.rgb, robot.joints, robot.tool, robot.info, self._pace)
        self.wait_for(lambda: all(p.get_subscription_count() for p in needed))
        before = -20

        def heard() -> bool:
            nonlocal before
            before += 1
            if before < -1:
                robot.send(before)
            return self.status.get("missing") == []

        self.wait_for(heard)
        for number in range(before + 1, -1):  # up to the first frame of an episode
            robot.send(number)
        self.wait_until_taken()
        self.say()

    def wait_until_taken(self) -> None:
        """Until the recorder, which serves cameras first, has taken what was sent before."""
        count = len(self._turns)
        self._pace.publish(Empty())
        self.wait_for(lambda: len(self._turns) > count, pause_s=0.002)

    def wait_until_recorded(self, frames: int) -> None:
        """Whoever ends the episode earlier cuts off what is still under way."""
        self.wait_for(lambda: self.status["frames"] >= frames)

    def wait_for(self, condition: Any, *, limit_s: float = 60.0, pause_s: float = 0.02) -> None:
        end_s = monotonic() + limit_s
        while not condition():
            assert monotonic() < end_s, f"not within {limit_s} s; status {self.status}"
            sleep(pause_s)

    def _call(self, client: Any, request: Any) -> tuple[bool, str]:
        assert client.wait_for_service(timeout_sec=20)
        future = client.call_async(request)
        self.wait_for(future.done)
        return future.result().success, future.result().message

    def _on_status(self, message: String) -> None:
        self.status = json.loads(message.data)


@contextmanager
def bench(dataset: Path, *, robot: type[Robot] = Robot, **parameters: Any) -> Iterator[Bench]:
    context = Context()
    rclpy.init(context=context)
    values = {
        "dataset": str(dataset),
        "fps": FPS,
        "depth_cameras": ["front"],
        "gripper.joint": "fingers",
        "gripper.open": 0.04,
        "limits.min_free_gb": 0.0,
        # Stamps of this robot pass ten times as fast as its messages.
        "tolerance.wait_s": 1.0,
    } | parameters
    recorder = DemoRecorder(
        context=context,
        parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
    )
    node = Node("robot", context=context)
    executors = [CameraFirstExecutor(context=context), SingleThreadedExecutor(context=context)]
    for executor, of in zip(executors, (recorder, node), strict=True):
        executor.add_node(of)

    def spin(executor: Any) -> None:
        try:
            while context.ok():
                executor.spin_once(timeout_sec=0.1)
        except ExternalShutdownException:
            pass

    threads = [threading.Thread(target=spin, args=(e,), daemon=True) for e in executors]
    for thread in threads:
        thread.start()
    try:
        yield Bench(recorder, node, robot(node))
    finally:
        context.try_shutdown()
        for thread in threads:
            thread.join()
        recorder.destroy_node()
        node.destroy_node()
        for executor in executors:
            executor.shutdown()


def record(on: Bench, numbers: range, **kwargs: Any) -> None:
    """Send frames, not faster than they are taken."""
    for number in numbers:
        on.robot.send(number, **kwargs)
        on.wait_until_taken()
        sleep(0.005)


def test_an_episode_is_what_the_robot_said(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        assert on.begin() == (True, f"recording episode 0 of {tmp_path / 'set'}: {WORDS!r}")
        record(on, range(31))
        on.wait_until_recorded(30)
        done, words = on.end(success=True)
    assert done
    assert words.startswith("episode 0: 30 frames, success")
    assert problems(tmp_path / "set", every_image=True) == []
    with Dataset(tmp_path / "set") as dataset:
        episode = dataset.episodes[0]
        assert episode.instruction == WORDS
        assert episode.record is not None
        assert episode.record.topics["front/rgb"] == "/front/rgb"
        assert dataset.form is not None
        assert dataset.form.joint_names == ("j1", "j2")
        for step in steps(dataset):
            number = step.frame_index
            frame = step.frames["front"]
            assert frame.stamp_ns == step.stamp_ns == on.robot.stamp_ns(number)
            assert np.abs(frame.rgb.astype(int) - rgb_of(number)).mean() < 4
            np.testing.assert_allclose(frame.depth_m, depth_of(number))
            np.testing.assert_allclose(step.robot.base_from_tool, tool_pose(number), atol=1e-6)
            np.testing.assert_allclose(step.robot.joint_position_rad, [0.1 * number, -0.5], 1e-5)
            assert step.robot.gripper_open == pytest.approx(0.75)
            target = tool_pose(number + 3)
            np.testing.assert_allclose(step.base_from_target, target, atol=1e-9)
            before = tool_pose(number + 2)
            np.testing.assert_allclose(stepped(before, step.action), target, atol=1e-6)
            assert step.action[6] == 1.0
            np.testing.assert_allclose(step.base_from_camera["front"], BASE_FROM_CAMERA, atol=1e-9)


def test_intrinsics_that_a_driver_latched_before_are_heard(tmp_path: Path) -> None:
    class Latching(Robot):
        def __init__(self, node: Node) -> None:
            super().__init__(node)
            latched = node.create_publisher(CameraInfo, "front/camera_info", LATCHED_QOS)
            latched.publish(
                info_from_camera(CAMERA, stamp_ns=1, width_px=WIDTH_PX, height_px=HEIGHT_PX)
            )

    with bench(tmp_path / "set", robot=Latching) as on:
        on.wait_for(lambda: on.status and "/front/camera_info" not in on.status["missing"])
        assert "/front/rgb" in on.status["missing"]


class ApartRobot(Robot):
    """Arm, gripper and a head publish apart; the arm in changing order, now and then not all."""

    head = False

    def __init__(self, node: Node) -> None:
        super().__init__(node)
        qos = QoSProfile(depth=100)
        self.fingers = node.create_publisher(JointState, "joint_states", qos)

    def send_state(self, number: float) -> None:
        super().send_state(number)
        stamp_ns = self.stamp_ns(number)
        fingers = {"fingers": 0.01, "fingers2": 0.01 + 0.001 * number}
        groups = [(self.fingers, fingers | ({"head": 1.0} if self.head else {}))]
        for publisher, joints in groups:
            publisher.publish(_joints(stamp_ns + 3_000_000, joints))

    def send_joints(self, number: float) -> None:
        joints = {f"a{k}": 0.01 * k * number for k in range(1, 8)}
        if round(5 * number) % 2:
            joints = dict(reversed(joints.items()))
        if round(5 * number) % 7 == 3:
            del joints["a4"]
        self.joints.publish(_joints(self.stamp_ns(number), joints))


def test_joints_of_an_arm_and_a_gripper_that_publish_apart_are_all_recorded(
    tmp_path: Path,
) -> None:
    names = (*(f"a{k}" for k in range(1, 8)), "fingers2")
    for head in (False, True):
        with bench(tmp_path / "set", robot=ApartRobot) as on:
            on.robot.head = head
            on.meet()
            assert on.begin()[0]
            start_ns = on.robot.start_ns
            record(on, range(21))
            on.wait_until_recorded(19)
            assert on.end()[0]
            assert not [why for why in on.status["unusable"] if "joint_states unusable" in why]
    assert problems(tmp_path / "set", every_image=True) == []
    with Dataset(tmp_path / "set") as dataset:
        assert dataset.form is not None
        assert dataset.form.joint_names == names
        assert len(dataset.episodes) == 2
        for step in steps(dataset, episodes=[1]):
            number = (step.robot.stamp_ns - start_ns) / STEP_NS
            arm = [0.01 * k * number for k in range(1, 8)]
            fingers2 = 0.01 + 0.001 * (number - 0.06)  # its stamps are 3 ms later
            np.testing.assert_allclose(step.robot.joint_position_rad, [*arm, fingers2], atol=1e-6)
            assert step.robot.gripper_open == pytest.approx(0.25)


def arm_urdf() -> str:
    """An arm whose one joint `j1` slides the tool along x from the base."""
    return (
        '<robot name="arm"><link name="base"/><link name="tool"/>'
        '<joint name="j1" type="prismatic"><parent link="base"/><child link="tool"/>'
        '<axis xyz="1 0 0"/><limit lower="-9" upper="9" effort="1" velocity="1"/></joint></robot>'
    )


@pytest.mark.parametrize("fault", ["identity", "leap", "joint leaps", "not a number"])
def test_arm_states_that_no_arm_can_have_are_not_recorded(tmp_path: Path, fault: str) -> None:
    """One false report beside each true one, of the same driver: none gets into the dataset."""

    class Lying(Robot):
        def send_state(self, number: float) -> None:
            super().send_state(number)
            number += 0.08
            stamp_ns = self.stamp_ns(number)
            false, joints = tool_pose(number), {"j1": 0.1 * number, "fingers": 0.03, "j2": -0.5}
            if fault == "identity":
                false = np.eye(4)
            elif fault == "leap":
                false[0, 3] += 0.3
            elif fault == "joint leaps":
                joints["j2"] = 2.0
            else:
                joints["j1"] = float("nan")
            self.joints.publish(_joints(stamp_ns, joints))
            self.tool.publish(
                PoseStamped(header=header(stamp_ns, "base"), pose=pose_from_transform(false))
            )

    with bench(tmp_path / "set", robot=Lying) as on:
        on.meet()
        assert on.begin()[0]
        record(on, range(21))
        on.wait_until_recorded(19)
        unusable = " ".join(on.status["unusable"])
        assert on.end()[0]
    assert {
        "identity": "the origin of the base",
        "leap": "the tool moved by 0.3",
        "joint leaps": "a joint moved by 2.5",
        "not a number": "not finite",
    }[fault] in unusable
    with Dataset(tmp_path / "set") as dataset:
        for step in steps(dataset):
            number = step.frame_index
            np.testing.assert_allclose(step.robot.base_from_tool, tool_pose(number), atol=1e-6)
            joints = [0.1 * number, -0.5]
            np.testing.assert_allclose(step.robot.joint_position_rad, joints, atol=1e-6)


def test_joints_that_contradict_the_tool_by_the_description_are_not_recorded(
    tmp_path: Path,
) -> None:
    with bench(tmp_path / "set") as on:
        on.node.create_publisher(String, "robot_description", LATCHED_QOS).publish(
            String(data=arm_urdf())
        )
        on.wait_for(lambda: on.status)
        on.wait_for(
            lambda: (
                not on.robot.send(0)
                and any(
                    "from forward kinematics of the joints" in why for why in on.status["unusable"]
                )
            )
        )


def test_one_joint_of_two_publishers_is_refused(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        other = on.node.create_publisher(JointState, "joint_states", QoSProfile(depth=100))
        on.wait_for(lambda: other.get_subscription_count())

        def seen() -> bool:
            on.robot.send_joints(0)
            other.publish(_joints(on.robot.stamp_ns(0), {"j2": 3.0}))
            return bool(on.status["unusable"])

        on.wait_for(seen)
        done, words = on.begin()
    assert not done
    assert "'j2' reported by two publishers; each joint must have one" in words


def test_joints_that_the_dataset_has_and_nobody_reports_are_named(tmp_path: Path) -> None:
    with bench(tmp_path / "set", joints=["j2", "j1", "j9"]) as on:
        on.say()
        on.wait_for(lambda: not on.robot.send(0) and not on.status["missing"][1:])
        done, words = on.begin()
    assert not done
    assert "/joint_states (joint j9; it has j1, fingers, j2)" in words
    with bench(tmp_path / "set", joints=["j2", "j1"]) as on:
        on.meet()
        on.begin()
        record(on, range(6))
        on.wait_until_recorded(5)
        on.end()
    with bench(tmp_path / "set", **{"gripper.joint": "j1"}) as on:
        on.meet()
        done, words = on.begin()
    assert not done
    assert "has the joints j2, j1; joint_states does not report j1" in words


def test_episodes_are_appended_discarded_and_judged(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        record(on, range(8))
        on.wait_until_recorded(7)
        on.end(success=True)
        on.begin()
        record(on, range(8, 16))
        assert on.discard()[0]
        on.say("push it to the left")
        on.begin()
        record(on, range(16, 24))
        on.wait_until_recorded(7)
        on.end(success=False)
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        record(on, range(8))
        on.wait_for(lambda: on.status["frames"] > 2)
    with Dataset(tmp_path / "set") as dataset:
        said = [(e.instruction, e.record.success) for e in dataset.episodes if e.record]
        assert said == [(WORDS, True), ("push it to the left", False), (WORDS, None)]
    assert problems(tmp_path / "set") == []


def test_success_survives_a_full_disk_which_the_operator_hears_of(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", size_mb=8) as disk,
        bench(disk / "set", **{"limits.min_free_gb": 0.0}) as on,
    ):
        on.meet()
        on.begin()
        record(on, range(12))
        on.wait_until_recorded(11)
        ballast = fill(disk)
        done, words = on.end(success=True)
        assert not done
        assert "success marked as: success) is not part of the dataset yet" in words
        assert "No space left on device" in words
        assert "is added as soon as there is room" in words
        on.wait_for(lambda: on.status["waiting"] == 1 and on.status["why_waiting"] == words)
        ballast.unlink()
        on.wait_for(lambda: on.status["waiting"] == 0 and on.status["episodes"] == 1)
        with Dataset(disk / "set") as dataset:
            record_of = dataset.episodes[0].record
            assert record_of is not None
            assert record_of.success is True


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.wait_for(lambda: on.status)
        assert on.end() == (False, "no episode is open; start one first")
        done, words = on.begin()
        assert not done
        assert "no instruction" in words
        on.say()
        done, words = on.begin()
        assert not done
        for topic in ("/front/rgb", "/front/depth", "/joint_states", "/tool_pose"):
            assert topic in words
    assert not (tmp_path / "set" / "meta").exists()


def test_what_does_not_come_is_bridged_and_reported(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        record(on, range(6))
        record(on, range(6, 8), image=False, depth=False)
        record(on, range(8, 10), depth=False)
        record(on, range(10, 21))
        on.wait_until_recorded(20)
        done, words = on.end()
    assert done
    assert "images of front repeated: 2" in words
    with Dataset(tmp_path / "set") as dataset:
        seen = list(steps(dataset))
        assert len(seen) == 20
        assert [s.frames["front"].stamp_ns for s in seen[5:9]] == [
            on.robot.stamp_ns(n) for n in (5, 5, 5, 8)
        ]
        assert [n for n, s in enumerate(seen) if s.frames["front"].depth_m is None] == [8, 9]
        record_of = dataset.episodes[0].record
        assert record_of is not None
        assert record_of.notes["depth of front missing"] == 2


def test_a_camera_that_dies_stops_the_episode_and_what_came_is_kept(tmp_path: Path) -> None:
    with bench(tmp_path / "set", **{"limits.max_gap_s": 0.3}) as on:
        on.meet()
        on.begin()
        record(on, range(10))
        record(on, range(10, 40), image=False, depth=False)
        on.wait_for(lambda: on.status["stopped"])
        assert on.status["stopped"].startswith("no images of front for 0.")
        done, words = on.end(success=False)
    assert done
    assert "stopped early" in words
    with Dataset(tmp_path / "set") as dataset:
        assert 10 <= len(dataset) <= 17


@pytest.mark.parametrize("source", ["steps", "measured"])
def test_actions_from_steps_and_from_the_arm_itself(tmp_path: Path, source: str) -> None:
    with bench(tmp_path / "set", action_source=source) as on:
        on.meet()
        on.begin()
        record(on, range(12))
        on.wait_until_recorded(11)
        on.end()
    with Dataset(tmp_path / "set") as dataset:
        for step in list(steps(dataset))[1:]:
            number = step.frame_index
            turn = step_between(tool_pose(number), tool_pose(number + 1), 0.0)
            np.testing.assert_allclose(step.action[:6], turn[:6], atol=1e-5)
            assert step.action[6] == pytest.approx(0.5 if source == "steps" else 0.75)


def test_another_camera_is_refused_with_the_difference(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        record(on, range(6))
        on.wait_until_recorded(5)
        on.end()
    with bench(tmp_path / "set", robot_type="another") as on:
        on.meet()
        done, words = on.begin()
    assert not done
    assert "robot_type is 'unknown' there, 'another' here" in words


def test_an_unusable_message_is_reported_and_the_rest_is_recorded(
    tmp_path: Path,
) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        on.begin()
        wrong = _pose(on.robot.stamp_ns(0), 0)
        wrong.header.frame_id = "map"
        on.robot.tool.publish(wrong)
        on.robot.joints.publish(JointState(header=header(on.robot.stamp_ns(0), ""), name=["j1"]))
        record(on, range(8))
        on.wait_for(lambda: len(on.status["unusable"]) == 2)
        on.wait_until_recorded(7)
        assert on.end()[0]
    unusable = " ".join(on.status["unusable"])
    assert "tool_pose unusable: it is in frame 'map'; expected 'base'" in unusable
    assert "joint_states unusable: no positions of 'j1'" in unusable


def test_an_operator_at_the_command_line(tmp_path: Path) -> None:
    with bench(tmp_path / "set") as on:
        on.meet()
        with pytest.raises(ConfigError, match="no episode is open; start one first"):
            give("success")
        assert give("begin", instruction="put it down").endswith("'put it down'")
        record(on, range(8))
        on.wait_until_recorded(7)
        assert give("failure").startswith("episode 0: 7 frames, failure")
        with pytest.raises(ConfigError, match="no recorder answers at /nobody"):
            give("discard", recorder="/nobody")
        with pytest.raises(ConfigError, match="no recorder answers at /nobody"):
            give("begin", instruction="put it down", recorder="/nobody")
    with Dataset(tmp_path / "set") as dataset:
        assert dataset.episodes[0].instruction == "put it down"
