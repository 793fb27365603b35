"""Publishes a webcam, a stream or a video file as a camera's driver would."""

from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic_ns
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType  # pyright: ignore[reportPrivateImportUsage]
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.capture.address import Address
from robot_vision.capture.live_source import LiveSource
from robot_vision.core.parameters.source_config import SourceConfig
from robot_vision.ros.common.diagnostics import OK, WARN, status_of
from robot_vision.ros.common.params import declare
from robot_vision.ros.common.run import ServedNode
from robot_vision.ros.messages.convert import ImageWriter, stamp_from_ns
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.source.calibration_file import read_calibration

# Matches every subscription; a slow one gets the newest.
_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)


class SourceNode(Node):
    """Publishes `rgb`, and `camera_info` where the camera's calibration is given.

    Stamps are the node's clock when a frame was grabbed. The address is not a parameter, because
    parameters are published and it may contain a password.
    """

    def __init__(
        self, address: Address, *, calibration: Path | None = None, **kwargs: Any
    ) -> None:
        super().__init__("source", **kwargs)
        self.config = declare(self, SourceConfig())
        self.problem = ""
        self.busy = self.ended = False
        self._address = address
        self._info = None
        if calibration is not None:
            self._info = read_calibration(calibration, frame_id=self.config.frame_id)
            self._infos = self.create_publisher(CameraInfo, "camera_info", _QOS)
        else:
            self.get_logger().warning(
                f"{address.shown}: no calibration is given (--camera-info): nothing has a place "
                "in 3-D"
            )
        self._writer = ImageWriter()
        self._images = self.create_publisher(Image, "rgb", _QOS)
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self.create_timer(self.config.report_period_s, self._report, clock=steady)
        self._reported = 0
        self._source = LiveSource(
            address, self.config, on_frame=self._publish, log=self.get_logger().info
        )

    def destroy_node(self) -> None:
        """End the source first: it publishes."""
        self._source.close()
        super().destroy_node()

    def _publish(self, image: np.ndarray, grabbed_ns: int) -> None:
        if not is_up(self.context):
            return
        stamp_ns = self.get_clock().now().nanoseconds - (monotonic_ns() - grabbed_ns)
        if self._info is not None:
            self._info.header.stamp = stamp_from_ns(stamp_ns)
            self._infos.publish(self._info)
        frame_id = self.config.frame_id
        self._images.publish(
            self._writer.write(image, encoding="bgr8", stamp_ns=stamp_ns, frame_id=frame_id)
        )

    def _report(self) -> None:
        if not is_up(self.context):
            return
        state = self._source.state
        rate_hz = (state.frames - self._reported) / self.config.report_period_s
        self._reported = state.frames
        words = state.problem or f"{state.width_px}×{state.height_px} px, {rate_hz:.1f} Hz"
        status = status_of(
            self.get_fully_qualified_name(),
            "source",
            WARN if state.problem else OK,
            f"{self._address.shown}: {words}",
            {"frames": str(state.frames), "opened": str(state.opened)},
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(array)


def with_source(
    make_nodes: Callable[[], Sequence[ServedNode]],
    address: Address,
    *,
    calibration: Path | None,
) -> Callable[[], Sequence[ServedNode]]:
    """Nodes and, in the same process, their image source."""

    def make() -> Sequence[ServedNode]:
        return [*make_nodes(), SourceNode(address, calibration=calibration)]

    return make
