"""A camera without a driver, seen by the whole service: `robot-vision run --source`."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import pytest
import rclpy
from live_streams import SIZE, network_camera, write_video
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo
from std_msgs.msg import String

pytestmark = pytest.mark.ros

WAIT_S = 90.0
CALIBRATION = f"""
image_width: {SIZE[1]}
image_height: {SIZE[0]}
camera_name: webcam
camera_matrix: {{rows: 3, cols: 3, data: [150, 0, 96, 0, 150, 32, 0, 0, 1]}}
distortion_model: plumb_bob
distortion_coefficients: {{rows: 1, cols: 5, data: [0.1, 0, 0, 0, 0]}}
rectification_matrix: {{rows: 3, cols: 3, data: [1, 0, 0, 0, 1, 0, 0, 0, 1]}}
projection_matrix: {{rows: 3, cols: 4, data: [150, 0, 96, 0, 0, 150, 32, 0, 0, 0, 1, 0]}}
"""


class Heard:
    """What the service publishes, by topic."""

    def __init__(self, node: Node) -> None:
        self.results: list[dict[str, Any]] = []
        self.infos: list[CameraInfo] = []
        self.arrived_ns: list[int] = []
        self._node = node
        qos = QoSProfile(depth=50, reliability=ReliabilityPolicy.BEST_EFFORT)
        node.create_subscription(String, "/perception/objects/json", self._on_result, qos)
        node.create_subscription(CameraInfo, "/camera_info", self.infos.append, qos)

    def _on_result(self, message: String) -> None:
        self.arrived_ns.append(self._node.get_clock().now().nanoseconds)
        self.results.append(json.loads(message.data))


@contextmanager
def running(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], Heard]]:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("listening", context=context)
    heard = Heard(node)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)

    def spin() -> None:
        with suppress(ExternalShutdownException):
            executor.spin()

    thread = Thread(target=spin, daemon=True)
    thread.start()
    command = [sys.executable, "-m", "robot_vision", "run", "--no-policy", *map(str, arguments)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        yield process, heard
    finally:
        process.terminate()
        process.communicate(timeout=30)
        context.try_shutdown()
        thread.join()
        node.destroy_node()


def wait_for(process: subprocess.Popen[str], heard: Heard, *, results: int) -> None:
    until_s = monotonic() + WAIT_S
    while len(heard.results) < results:
        assert process.poll() is None, process.communicate()[1]
        assert monotonic() < until_s, f"{len(heard.results)} results"
        sleep(0.05)


def test_a_video_is_seen_by_the_service_as_a_camera_would_be(
    native_bundle: Path, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4", frames=30, fps=20)
    calibration = tmp_path / "calibration.yaml"
    calibration.write_text(CALIBRATION)
    source = ("--source", video, "--loop", "--camera-info", calibration)
    with running(*source, "-p", f"model:={native_bundle}") as (process, heard):
        wait_for(process, heard, results=40)  # it has begun again
        stamps_ns = [result["stamp_ns"] for result in heard.results]
        ages_s = [
            (arrived_ns - stamp_ns) / 1e9
            for arrived_ns, stamp_ns in zip(heard.arrived_ns, stamps_ns, strict=False)
        ]
        info = heard.infos[-1]
    assert stamps_ns == sorted(set(stamps_ns))
    assert 0 < min(ages_s) < 1.0  # stamps are of the grab, by the clock of the node
    assert (info.width, info.height, info.k[0], info.d[0]) == (SIZE[1], SIZE[0], 150, 0.1)
    assert info.header.frame_id == heard.results[-1]["frame_id"]


def test_a_camera_that_comes_later_is_seen(native_bundle: Path) -> None:
    with network_camera() as camera:
        port, url = camera.port, camera.url
    parameters = ("-p", "source:retry_s:=0.2", "-p", f"model:={native_bundle}")
    with running("--source", url, *parameters) as (process, heard):
        sleep(2.0)
        assert process.poll() is None
        with network_camera(port):
            wait_for(process, heard, results=3)
