"""Images with tool poses from topics, for `robot-vision calibrate hand-eye`."""

from contextlib import suppress
from pathlib import Path
from threading import Thread
from time import monotonic, sleep

import cv2
import numpy as np
import rclpy
from geometry_msgs.msg import PoseStamped
from jaxtyping import UInt8
from rclpy.context import Context
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from sensor_msgs.msg import Image

from robot_vision.calibration.boards.sight import BoardFinder
from robot_vision.calibration.stillness import StillnessWatch
from robot_vision.calibration.view_folder import write_tool_pose
from robot_vision.core.errors import CalibrationError, EncodingError
from robot_vision.core.parameters.groups.calibration_config import CaptureConfig
from robot_vision.core.quaternions import from_matrix
from robot_vision.ros.messages.convert import ns_from_stamp, rgb_from_message
from robot_vision.ros.messages.poses import transform_from_pose
from robot_vision.ros.middleware.qos import ANY_QOS

_LOOK_S = 0.02


class Capture:
    """Subscribes to a camera and an arm until `close`; `take` adds a view to a folder."""

    def __init__(
        self,
        folder: Path,
        finder: BoardFinder,
        config: CaptureConfig,
        *,
        rgb: str,
        tool_pose: str,
        base_frame: str,
    ) -> None:
        self._folder, self._finder, self._config = folder, finder, config
        self._base_frame = base_frame
        self._arm = StillnessWatch(config)
        self._problem = "no tool pose came"
        self._picture: Image | None = None
        self._context = Context()
        self._context.init()
        self._node = rclpy.create_node("calibration_capture", context=self._context)
        self._rgb_topic = self._node.resolve_topic_name(rgb)
        self._node.create_subscription(Image, rgb, self._on_picture, ANY_QOS)
        self._node.create_subscription(PoseStamped, tool_pose, self._on_pose, ANY_QOS)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = Thread(target=self._spin, name="capture", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._executor.shutdown()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def take(self) -> str:
        """Add the next image and its tool pose; returns the image's name and the board in it.

        Raises `CalibrationError` if none comes, the arm moves, or the board is not visible.
        """
        picture = self._next_picture()
        sleep(self._config.still_s)  # the arm must rest after the image as well
        try:
            bgr = np.ascontiguousarray(rgb_from_message(picture)[:, :, ::-1])
        except EncodingError as error:
            raise CalibrationError(f"the picture cannot be read: {error}") from error
        sight = self._finder.find(bgr)
        try:
            pose = self._arm.still_pose(ns_from_stamp(picture.header.stamp))
        except CalibrationError as error:
            raise CalibrationError("; ".join(filter(None, [str(error), self._problem]))) from error
        name = self._write(bgr, pose)
        return f"{name}: {len(sight.ids)} corners"

    def _next_picture(self) -> Image:
        self._picture = None
        until_s = monotonic() + self._config.wait_s
        while self._picture is None:
            if monotonic() > until_s:
                raise CalibrationError(
                    f"no picture came on {self._rgb_topic} in {self._config.wait_s:g} s; expected "
                    "sensor_msgs/Image: does the camera's driver run?"
                )
            sleep(_LOOK_S)
        return self._picture

    def _write(self, bgr: UInt8[np.ndarray, "h w 3"], pose: np.ndarray) -> str:
        self._folder.mkdir(parents=True, exist_ok=True)
        number = 0
        while (self._folder / f"{number:03d}.png").exists():
            number += 1
        name = f"{number:03d}.png"
        if not cv2.imwrite(str(self._folder / name), bgr):
            raise CalibrationError(f"cannot write {self._folder / name}")
        numbers = [*pose[:3, 3].tolist(), *from_matrix(pose[:3, :3]).tolist()]
        write_tool_pose(self._folder, name, numbers)
        return name

    def _on_picture(self, message: Image) -> None:
        self._picture = message

    def _on_pose(self, message: PoseStamped) -> None:
        frame_id = message.header.frame_id
        if frame_id != self._base_frame:
            self._problem = f"tool poses are in {frame_id!r}; expected {self._base_frame!r}"
            return
        try:
            self._arm.add(ns_from_stamp(message.header.stamp), transform_from_pose(message.pose))
            self._problem = ""
        except ValueError as error:
            self._problem = f"tool pose: {error}"

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()
