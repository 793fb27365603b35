"""Calibrations of the cameras: camera_info of colour and depth, and static transforms.

Some drivers repeat camera_info as volatile, others latch it once. No single subscription matches
both and receives earlier messages: a topic gets a second one if a publisher latches.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float64
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from sensor_msgs.msg import CameraInfo

try:
    from tf2_msgs.msg import TFMessage
except ImportError:  # as with ROS 2 from pip
    TFMessage = None

from robot_vision.core.cameras.camera_info import Calibration, calibration_of
from robot_vision.core.cameras.frame_check import INVALID
from robot_vision.core.errors import CameraError
from robot_vision.ros.common.health import Health
from robot_vision.ros.messages.convert import ns_from_stamp
from robot_vision.ros.middleware.any_qos import AnyQos, where_latched
from robot_vision.ros.middleware.bounded import CAMERA_INFO_BYTES, bounded
from robot_vision.ros.middleware.own_thread import OwnThread
from robot_vision.sync.transforms import TransformBuffer

# Every publisher of static transforms latches all of its own in one message.
_STATIC = QoSProfile(
    depth=100,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)
_TRANSFORMS_BYTES = 1 << 20


class Calibrations:
    """Keeps the newest of each until `close`. `subscriptions` are served by `group`."""

    def __init__(
        self, node: Node, health: Health, *, group: OwnThread, qos: QoSProfile, with_depth: bool
    ) -> None:
        self._node, self._health, self._group = node, health, group
        self._transforms = TransformBuffer()
        self.is_latched = False
        self._known: dict[str, Calibration | None] = {}
        info = node.resolve_topic_name("camera_info")
        self._slow = MutuallyExclusiveCallbackGroup()
        self.subscriptions: list[Subscription] = []
        self._latching = [self._where_latched(info, self._latched())]
        if with_depth:
            depth_info = node.resolve_topic_name("depth_camera_info")
            keep = self._taker(partial(self._keep, "depth"))
            self.subscriptions.append(self._listen(depth_info, keep, qos))
            self._latching.append(self._where_latched(depth_info, keep))
        if with_depth and TFMessage is not None:
            self.subscriptions.append(
                self._listen("/tf_static", self._transforms_taker(), _STATIC, kind=TFMessage)
            )

    def close(self) -> None:
        """Close the latched subscriptions; the owner of `group` destroys `subscriptions`."""
        for latching in self._latching:
            latching.close()

    @property
    def color(self) -> Calibration | None:
        return self._known.get("color")

    @property
    def depth(self) -> Calibration | None:
        return self._known.get("depth")

    def repeated(self) -> Callable[[bytes], None]:
        """The callback for the colour camera's repeated camera_info."""

        def keep(message: CameraInfo) -> None:
            self._health.arrived("camera_info")
            self._keep("color", message)

        return self._taker(keep)

    def _latched(self) -> Callable[[bytes], None]:
        """The callback for the colour camera's latched camera_info; it may be repeated as well."""

        def keep(message: CameraInfo) -> None:
            if not self.is_latched:
                self.is_latched = True
                self._health.arrived("camera_info")
            self._keep("color", message)

        return self._taker(keep)

    def lookup(
        self, *, target: str, source: str, stamp_ns: int
    ) -> Float64[np.ndarray, "4 4"] | None:
        """`target_from_source` by static transforms, or None if they do not connect the two."""
        if TFMessage is None:
            self._health.noted(
                "no transforms", "tf2_msgs is not installed: apt install ros-$ROS_DISTRO-tf2-msgs"
            )
            return None
        return self._transforms.lookup(target=target, source=source, stamp_ns=stamp_ns)

    def _keep(self, camera: str, message: CameraInfo) -> None:
        try:
            self._known[camera] = calibration_of(message)
        except CameraError as error:
            self._known[camera] = None
            self._health.noted(INVALID, f"camera_info of {camera} has {error}")

    def _taker(self, keep: Callable[[CameraInfo], None]) -> Callable[[bytes], None]:
        refuse = partial(self._health.noted, "camera_info refused")
        return bounded(CameraInfo, keep, most_bytes=CAMERA_INFO_BYTES, refuse=refuse)

    def _transforms_taker(self) -> Callable[[bytes], None]:
        refuse = partial(self._health.noted, "static transforms refused")
        return bounded(
            TFMessage, self._add_transforms, most_bytes=_TRANSFORMS_BYTES, refuse=refuse
        )

    def _add_transforms(self, message: Any) -> None:
        for item in message.transforms:
            stamp_ns = ns_from_stamp(item.header.stamp)
            try:
                self._transforms.add_message(item, stamp_ns=stamp_ns, is_static=True)
            except ValueError as error:
                self._health.noted("static transforms refused", str(error))

    def _listen(
        self,
        topic: str,
        callback: Callable[[bytes], None],
        qos: QoSProfile,
        *,
        kind: Any = CameraInfo,
    ) -> Subscription:
        return self._node.create_subscription(
            kind, topic, callback, qos, raw=True, callback_group=self._group
        )

    def _where_latched(self, topic: str, callback: Callable[[bytes], None]) -> AnyQos:
        return where_latched(self._node, CameraInfo, topic, callback, group=self._slow)
