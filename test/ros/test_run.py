"""Perception and policy as `robot-vision run --policy` puts them together."""

import threading
from pathlib import Path
from time import monotonic, sleep

import pytest
import rclpy
from policy_rig import WAIT_S

from robot_vision.core.parameters.values import flatten
from robot_vision.model_store.policies import open_policy
from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.node import PolicyNode
from robot_vision.ros.run import perception_and_policy

pytestmark = pytest.mark.ros


def test_perception_runs_with_the_parameters_that_the_policy_was_measured_with(
    policy_bundle: Path,
) -> None:
    wanted = open_policy(policy_bundle).manifest.perception
    assert any(name.startswith("tracker.") for name in wanted)
    rclpy.init(args=["test", "--ros-args", "-p", "camera_pose.source:=topic"])
    try:
        seeing, policy = perception_and_policy()
        assert isinstance(seeing, PerceptionNode)
        assert isinstance(policy, PolicyNode)
        executor = CameraFirstExecutor()
        for node in (seeing, policy):
            executor.add_node(node)
        thread = threading.Thread(target=executor.spin)
        thread.start()
        try:
            deadline_s = monotonic() + WAIT_S
            while policy.state != "active" and not policy.problem and monotonic() < deadline_s:
                sleep(0.05)
            assert policy.state == "active", policy.problem
            effective = flatten(seeing.config)
            declared = {name: seeing.get_parameter(name).value for name in wanted}
        finally:
            executor.shutdown()
            thread.join()
            policy.destroy_node()
            seeing.destroy_node()
    finally:
        rclpy.try_shutdown()
    assert {name: effective[name] for name in wanted} == dict(wanted)
    assert declared == dict(wanted)
