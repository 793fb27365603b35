"""A node under test with a camera before it and a monitor behind it, over real DDS."""

import json
import threading
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic, sleep
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from native_bundle import HEIGHT_PX, WIDTH_PX
from rcl_interfaces.srv import SetParameters
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.core.types import Camera
from robot_vision.ros.common.executor import CameraFirstExecutor
from robot_vision.ros.messages.convert import header
from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.tools.monitor import Monitor

FRAME_ID = "camera_optical"
CAMERA = Camera(
    frame_id=FRAME_ID,
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[50.0, 0, 31.5], [0, 50.0, 23.5], [0, 0, 1]]),
)

# On a busy machine depth may come late for its picture.
_PATIENT = {"diagnostics__period_s": 0.2, "sync__wait_s": 0.3}


class TestCamera:
    """Publishes frames that a test makes, with what it wants to be wrong about them."""

    __test__ = False

    def __init__(self, node: Node, qos: QoSProfile) -> None:
        self._node = node
        self.camera = CAMERA
        self.rgb = node.create_publisher(Image, "rgb", qos)
        self.depth = node.create_publisher(Image, "depth", qos)
        self.info = node.create_publisher(CameraInfo, "camera_info", qos)

    def now_ns(self) -> int:
        return self._node.get_clock().now().nanoseconds

    def send(
        self,
        *,
        stamp_ns: int | None = None,
        depth_shift_ns: int = 0,
        depth: bool = True,
        info: bool = True,
        **wrong: Any,
    ) -> int:
        """One frame; `wrong` replaces fields of the colour image. Returns its stamp."""
        stamp_ns = self.now_ns() if stamp_ns is None else stamp_ns
        if info:
            self.info.publish(
                info_from_camera(
                    self.camera, stamp_ns=stamp_ns, width_px=WIDTH_PX, height_px=HEIGHT_PX
                )
            )
        if depth:
            self.depth.publish(_image(stamp_ns + depth_shift_ns, "16UC1", 2, 1500))
        message = _image(stamp_ns, "rgb8", 3, 0x5050)
        for name, value in wrong.items():
            setattr(message, name, value)
        self.rgb.publish(message)
        return stamp_ns


def _image(stamp_ns: int, encoding: str, pixel_bytes: int, value: int) -> Image:
    data = np.full(WIDTH_PX * HEIGHT_PX * pixel_bytes // 2, value, np.uint16)
    return Image(
        header=header(stamp_ns, FRAME_ID),
        height=HEIGHT_PX,
        width=WIDTH_PX,
        encoding=encoding,
        step=WIDTH_PX * pixel_bytes,
        data=array("B", data.tobytes()),
    )


class Rig:
    """Node, camera and monitor; `node` lives in threads of its own, as it does in `run`."""

    def __init__(self, node: PerceptionNode, camera: TestCamera, monitor: Monitor) -> None:
        self.node = node
        self.camera = camera
        self.monitor = monitor
        self._said: list[DiagnosticStatus] = []
        monitor.node.create_subscription(
            DiagnosticArray, "/diagnostics", lambda m: self._said.extend(m.status), 10
        )

    def wait_for(self, condition: Callable[[], bool], *, timeout_s: float = 30.0) -> None:
        held = self.monitor.spin_until(condition, timeout_s=timeout_s)
        said = {name: status.message for name, status in self.monitor.heard.status.items()}
        assert held, f"not within {timeout_s} s; the node says {json.dumps(said, indent=1)}"

    def result_of(self, **frame: Any) -> dict[str, Any]:
        """Send a frame and return what the node says about it."""
        stamp_ns = self.camera.send(**frame)
        self.wait_for(lambda: self.has_result(stamp_ns))
        return next(r for r in self.monitor.heard.results if r["stamp_ns"] == stamp_ns)

    def has_result(self, stamp_ns: int) -> bool:
        return any(result["stamp_ns"] == stamp_ns for result in self.monitor.heard.results)

    def wait_until_said(self, part: str, *words: str) -> None:
        """Until a message of that part of /diagnostics (model, inputs, outputs) has the words."""
        self.wait_for(lambda: self.has_said(part, *words))

    def values(self, part: str) -> dict[str, str]:
        """The latest values of a part of /diagnostics."""
        status = self.monitor.heard.status.get(f"perception: {part}")
        return {item.key: item.value for item in status.values} if status else {}

    def has_said(self, part: str, *words: str) -> bool:
        """Whether a message of that part of /diagnostics has the words."""
        name = f"perception: {part}"
        return any(
            status.name == name and all(word in status.message for word in words)
            for status in self._said
        )

    def forget_said(self) -> None:
        self._said.clear()

    def set_parameter(self, name: str, value: Any) -> Any:
        """Through the node's service, as any other program; returns the result."""
        asker = self.monitor.node
        client = asker.create_client(SetParameters, "/perception/set_parameters")
        assert client.wait_for_service(30.0)
        message = Parameter(name, value=value).to_parameter_msg()
        future = client.call_async(SetParameters.Request(parameters=[message]))
        self.wait_for(future.done)
        return future.result().results[0]


@contextmanager
def rig(*, qos: QoSProfile | int = 5, **parameters: Any) -> Iterator[Rig]:
    """A node with `parameters` (dots as double underscores), started, with its surroundings."""
    context = Context()
    rclpy.init(context=context)
    arguments = ["--ros-args"]
    for name, value in (_PATIENT | parameters).items():
        text = str(value).lower() if isinstance(value, bool) else str(value)
        arguments += ["-p", f"{name.replace('__', '.')}:={text}"]
    node = PerceptionNode(context=context, cli_args=arguments)
    camera_node = rclpy.create_node("camera", context=context)
    profile = QoSProfile(depth=qos) if isinstance(qos, int) else qos
    camera, monitor = TestCamera(camera_node, profile), Monitor()
    executor = CameraFirstExecutor(context=context)
    executor.add_node(node)
    thread = threading.Thread(target=_spin, args=(executor,))
    thread.start()
    try:
        yield Rig(node, camera, monitor)
    finally:
        context.try_shutdown()
        thread.join()
        node.destroy_node()
        camera_node.destroy_node()
        executor.shutdown(timeout_sec=0)
        monitor.close()


def _spin(executor: CameraFirstExecutor) -> None:
    with suppress(ExternalShutdownException):
        executor.spin()


def wait_for_readers(rig: Rig) -> None:
    """Until the node is active, and it, the camera and the monitor have all found each other."""
    node, deadline_s = rig.node, monotonic() + 60
    while monotonic() < deadline_s:
        if node.state == "active" and _have_met(rig):
            sleep(0.3)
            return
        sleep(0.05)
    raise AssertionError(f"the node is {node.state}: {node.problem}")


def _have_met(rig: Rig) -> bool:
    results, diagnostics = "/perception/objects/json", "/diagnostics"
    inputs, camera = ("/rgb", "/depth", "/camera_info"), rig.camera
    return bool(
        all(each.get_subscription_count() for each in (camera.rgb, camera.info))
        and all(rig.node.count_publishers(topic) for topic in inputs)
        and _has_met(rig.node, *inputs)
        and _has_met(rig.monitor.node, results, diagnostics)
        and rig.node.count_subscribers(results)
        and rig.monitor.node.count_publishers(results)
        and rig.node.count_subscribers(diagnostics) == 2  # the monitor's and the rig's
        and rig.monitor.node.count_publishers(diagnostics)
    )


def _has_met(node: Node, *topics: str) -> bool:
    """Whether all subscriptions of the topics have found a publisher."""
    return all(
        subscription.get_publisher_count()
        for subscription in node.subscriptions
        if subscription.topic_name in topics and hasattr(subscription, "get_publisher_count")
    )
