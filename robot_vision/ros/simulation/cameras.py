"""The simulated cameras: one thread renders exposures and publishes them at their time."""

import os
from collections.abc import Callable
from threading import Thread, get_native_id
from time import sleep

import numpy as np
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from robot_vision.core.clock import seconds_between
from robot_vision.core.parameters.robot_config import RobotSimConfig
from robot_vision.core.types import Frame
from robot_vision.ros.messages.convert import ImageWriter
from robot_vision.ros.messages.live import info_from_camera
from robot_vision.ros.middleware.rclpy_internals import is_up
from robot_vision.ros.simulation.physics import Exposure, ExposureSlot
from robot_vision.ros.simulation.scene import Scene

_QOS = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
_POLL_S = 0.002
_MM = 1000
_NICE = 5


class SimCameras:
    """Runs from `start` until the slot is closed; `fail` gets why nothing can be rendered."""

    def __init__(
        self,
        node: Node,
        exposures: ExposureSlot,
        config: RobotSimConfig,
        *,
        now_ns: Callable[[], int],
        fail: Callable[[Exception], None],
    ) -> None:
        self._node, self._exposures, self._config = node, exposures, config
        self._now_ns, self._fail = now_ns, fail
        self._writers = {name: ImageWriter() for name in ("rgb", "depth", "wrist")}
        self._rgb = node.create_publisher(Image, "rgb", _QOS)
        self._depth = node.create_publisher(Image, "depth", _QOS)
        self._info = node.create_publisher(CameraInfo, "camera_info", _QOS)
        self._wrist = self._wrist_info = None
        if config.wrist_camera:
            self._wrist = node.create_publisher(Image, "wrist/rgb", _QOS)
            self._wrist_info = node.create_publisher(CameraInfo, "wrist/camera_info", _QOS)
        self._thread = Thread(target=self._run, name="cameras", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when the last image is rendered; the slot must be closed."""
        self._thread.join()

    def _run(self) -> None:
        # Rendering gets low priority: a real robot's computer would not do it.
        # Linux: this thread's, and inherited by the renderer's threads.
        os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
        scene: Scene | None = None
        try:
            while (exposure := self._exposures.take()) is not None:
                if scene is not None and exposure.scene is not scene:
                    # An OpenGL context can only be released in its own thread.
                    scene.twin.close()
                scene = exposure.scene
                self._show(exposure)
        except Exception as error:  # the node ends with it
            self._fail(error)
        finally:
            if scene is not None:
                scene.twin.close()

    def _show(self, exposure: Exposure) -> None:
        stamp_ns = exposure.stamp_ns
        frame, wrist = exposure.scene.look(
            exposure.places, stamp_ns, wrist=self._wrist is not None
        )
        while self._config.speed and self._now_ns() < stamp_ns:
            # After the slot is closed, simulated time may stand still.
            if self._exposures.is_closed or not is_up(self._node.context):
                return
            ahead_s = seconds_between(self._now_ns(), stamp_ns) / self._config.speed
            sleep(max(min(ahead_s, _POLL_S), 0.0))
        if is_up(self._node.context):
            self._publish(frame)
            if wrist is not None:
                self._publish_wrist(wrist)

    def _publish(self, frame: Frame) -> None:
        """Publish intrinsics and depth first: perception waits for depth after colour."""
        assert frame.camera is not None
        assert frame.depth_m is not None
        about = {"stamp_ns": frame.stamp_ns, "frame_id": frame.frame_id}
        height_px, width_px = frame.rgb.shape[:2]
        self._info.publish(
            info_from_camera(
                frame.camera, stamp_ns=frame.stamp_ns, width_px=width_px, height_px=height_px
            )
        )
        raw_mm = np.round(np.nan_to_num(frame.depth_m) * _MM).astype(np.uint16)
        self._depth.publish(self._writers["depth"].write(raw_mm, encoding="16UC1", **about))
        self._rgb.publish(self._writers["rgb"].write(frame.rgb, encoding="rgb8", **about))

    def _publish_wrist(self, frame: Frame) -> None:
        assert frame.camera is not None
        assert self._wrist is not None
        assert self._wrist_info is not None
        height_px, width_px = frame.rgb.shape[:2]
        self._wrist_info.publish(
            info_from_camera(
                frame.camera, stamp_ns=frame.stamp_ns, width_px=width_px, height_px=height_px
            )
        )
        self._wrist.publish(
            self._writers["wrist"].write(
                frame.rgb, encoding="rgb8", stamp_ns=frame.stamp_ns, frame_id=frame.frame_id
            )
        )
