"""The whole loop over real DDS: simulated robot, perception with its shipped model, a policy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from policy_rig import ros_arguments, served
from rclpy.context import Context
from seeker import HEIGHT_ABOVE_M, Seeker

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.model_store.store import find_bundle
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.qos import LATCHED_QOS
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.loading import LoadedPolicy
from robot_vision.ros.policy.node import PolicyNode
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.ros.tools.processes import child

pytestmark = pytest.mark.ros

CLOSE_M = 0.05
WAIT_S = 200.0
# Of the simulated time, by which all keep theirs: so slow that a busy machine computes it too.
SPEED = 0.2


def nodes(context: Context) -> list[Any]:
    """The service with the shipped perception, and a policy that goes over the named object."""
    manifest = find_bundle("native-s").manifest
    names = tuple(manifest.classes)
    seeker = Seeker(perception_model_id=manifest.model_id, names=names)
    by_robot = {"use_sim_time": True}
    seeing = PerceptionNode(context=context, cli_args=ros_arguments(by_robot))
    policy = PolicyNode(
        perception=seeing,
        load=lambda _: LoadedPolicy(policy=seeker, class_names=names),
        context=context,
        cli_args=ros_arguments(
            {"camera_pose.source": "topic", "report_period_s": 0.2, **by_robot}
        ),
    )
    return [seeing, policy]


class Places:
    """Where perception saw each class in the base frame, and where the tool is."""

    def __init__(self, monitor: Monitor) -> None:
        self._camera = PoseStamped()
        self._tool = PoseStamped()
        self._monitor = monitor
        monitor.node.create_subscription(PoseStamped, "camera_pose", self._on_camera, LATCHED_QOS)
        monitor.node.create_subscription(PoseStamped, "tool_pose", self._on_tool, 5)

    def _on_camera(self, message: Any) -> None:
        self._camera = message

    def _on_tool(self, message: Any) -> None:
        self._tool = message

    @property
    def tool_m(self) -> np.ndarray:
        return transform_from_pose(self._tool.pose)[:3, 3]

    def of(self, track_id: int) -> np.ndarray | None:
        for item in self._monitor.heard.results[-1]["objects"]:
            if item["id"] == track_id and item["position_m"]:
                at = np.array([item["position_m"]], np.float64)
                return transform_points(transform_from_pose(self._camera.pose), at)[0]
        return None


def test_the_arm_goes_over_the_named_object_and_gets_no_command_when_the_robot_is_gone(
    tmp_path: Path,
) -> None:
    robot = ["--ros-args", "-p", "seed:=5", "-p", "task:=pick", "-p", f"speed:={SPEED}"]
    with (
        child(
            "robot_vision.ros.simulation.node", *robot, log=str(tmp_path / "robot.log")
        ) as process,
        served(nodes, check_types=True),
    ):
        monitor = Monitor()
        try:
            lead(monitor, process)
        finally:
            monitor.close()


def lead(monitor: Monitor, process: Any) -> None:
    operator, places = Operator(monitor), Places(monitor)
    seen, heard = operator.seen, monitor.heard
    assert monitor.spin_until(lambda: bool(seen.task and seen.statuses), timeout_s=WAIT_S)
    assert monitor.spin_until(lambda: bool(heard.results), timeout_s=WAIT_S)
    wanted = confirmed(monitor)
    operator.instruct(f"over the {wanted}")
    operator.enable(True)

    def is_over() -> bool:
        at_m = places.of(seen.status.target_id)
        if at_m is None:
            return False
        over_m = at_m + np.array([0, 0, HEIGHT_ABOVE_M])
        return bool(np.linalg.norm(places.tool_m - over_m) < CLOSE_M)

    assert monitor.spin_until(is_over, timeout_s=WAIT_S), str(seen.status)
    assert seen.age_s
    commands: list[Any] = []
    monitor.node.create_subscription(PoseStamped, "policy/command/pose", commands.append, 10)
    assert monitor.spin_until(lambda: bool(commands), timeout_s=WAIT_S)
    # With the robot its clock stands still.
    process.kill()
    monitor.spin(1.0)
    commands.clear()
    monitor.spin(1.0)
    assert not commands


def confirmed(monitor: Monitor) -> str:
    """A class of which perception has confirmed a thing at a known place."""
    found: list[str] = []

    def look() -> bool:
        found.extend(
            item["class"]
            for item in monitor.heard.results[-1]["objects"]
            if item["state"] == "confirmed" and item["position_m"]
        )
        return bool(found)

    assert monitor.spin_until(look, timeout_s=WAIT_S)
    return found[0]
