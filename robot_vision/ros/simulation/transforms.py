"""/tf and /tf_static of the simulated robot, where tf2_msgs is installed."""

import numpy as np
from geometry_msgs.msg import TransformStamped
from jaxtyping import Float64
from rclpy.node import Node

from robot_vision.ros.messages.convert import header
from robot_vision.ros.messages.poses import transform_message
from robot_vision.ros.middleware.qos import LATCHED_QOS


class SimTransforms:
    """Publishes nothing without `tf2_msgs`: topics carry the same poses."""

    def __init__(self, node: Node, *, base: str, tool: str) -> None:
        self._base, self._tool = base, tool
        try:
            from tf2_msgs.msg import TFMessage
        except ImportError:
            self._message = None
            return
        self._message = TFMessage
        self._moving = node.create_publisher(TFMessage, "/tf", 10)
        self._fixed = node.create_publisher(TFMessage, "/tf_static", LATCHED_QOS)

    def camera(
        self, base_from_camera: Float64[np.ndarray, "4 4"], *, stamp_ns: int, frame_id: str
    ) -> None:
        if self._message is not None:
            transform = self._stamped(base_from_camera, stamp_ns, frame_id)
            self._fixed.publish(self._message(transforms=[transform]))

    def tool(self, base_from_tool: Float64[np.ndarray, "4 4"], *, stamp_ns: int) -> None:
        if self._message is not None:
            transform = self._stamped(base_from_tool, stamp_ns, self._tool)
            self._moving.publish(self._message(transforms=[transform]))

    def _stamped(
        self, base_from_child: Float64[np.ndarray, "4 4"], stamp_ns: int, child: str
    ) -> TransformStamped:
        return TransformStamped(
            header=header(stamp_ns, self._base),
            child_frame_id=child,
            transform=transform_message(base_from_child),
        )
