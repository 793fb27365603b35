"""Views for a hand-eye calibration from real topics."""

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread

import numpy as np
import pytest
import rclpy
from geometry_msgs.msg import PoseStamped
from rclpy.context import Context
from sensor_msgs.msg import Image

from robot_vision.bench.calibrating.rendered_board import BoardRenderer
from robot_vision.calibration.boards.board import Board
from robot_vision.calibration.boards.sight import BoardFinder
from robot_vision.calibration.view_folder import find_board, read_tool_poses, views_of
from robot_vision.core.errors import CalibrationError
from robot_vision.core.parameters.groups.calibration_config import BoardConfig, CaptureConfig
from robot_vision.core.types import Camera
from robot_vision.ros.messages.convert import ImageWriter, stamp_from_ns
from robot_vision.ros.messages.poses import pose_from_transform
from robot_vision.ros.tools.calibration_capture import Capture

CAMERA = Camera(
    frame_id="camera",
    width_px=320,
    height_px=240,
    intrinsics_px=np.array([[300.0, 0, 160], [0, 300, 120], [0, 0, 1]]),
)


class Robot:
    """A camera and an arm that publish until `close`."""

    def __init__(self, rgb: np.ndarray) -> None:
        self.speed_m_s, self.frame_id, self.rgb = 0.0, "base", rgb
        self._context = Context()
        self._context.init()
        self._node = rclpy.create_node("robot", context=self._context)
        self._pictures = self._node.create_publisher(Image, "rgb", 5)
        self._poses = self._node.create_publisher(PoseStamped, "tool_pose", 5)
        self._ending = Event()
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._node.destroy_node()
        self._context.try_shutdown()

    def _run(self) -> None:
        count = 0
        while not self._ending.wait(0.05):
            count += 1
            stamp_ns = self._node.get_clock().now().nanoseconds
            pose = np.eye(4)
            pose[:3, 3] = [0.4 + self.speed_m_s * 0.05 * count, 0.1, 0.3]
            message = PoseStamped(pose=pose_from_transform(pose))
            message.header.frame_id = self.frame_id
            message.header.stamp = stamp_from_ns(stamp_ns)
            self._poses.publish(message)
            writer = ImageWriter()
            self._pictures.publish(
                writer.write(self.rgb, encoding="rgb8", stamp_ns=stamp_ns, frame_id="camera")
            )


@pytest.fixture
def robot() -> Iterator[Robot]:
    board = Board(BoardConfig())
    pose = np.eye(4)
    pose[:3, 3] = np.array([0, 0, 0.3]) - board.middle_m
    grey = BoardRenderer(board, CAMERA).picture(pose, np.random.default_rng(0))
    running = Robot(np.repeat(grey[:, :, None], 3, axis=2))
    yield running
    running.close()


@pytest.fixture
def capture(robot: Robot, tmp_path: Path) -> Iterator[Capture]:  # noqa: ARG001
    finder = BoardFinder(Board(BoardConfig()))
    config = CaptureConfig(wait_s=20.0)
    topics = {"rgb": "rgb", "tool_pose": "tool_pose", "base_frame": "base"}
    taking = Capture(tmp_path / "views", finder, config, **topics)
    yield taking
    taking.close()


def taken(capture: Capture) -> str:
    """What `take` says once the first tool poses have come."""
    for _ in range(20):
        try:
            return capture.take()
        except CalibrationError as error:
            if "expected some before and after" not in str(error):
                raise
    raise AssertionError("no tool pose came")


def test_views_are_taken_of_an_arm_at_rest(capture: Capture, tmp_path: Path) -> None:
    assert taken(capture) == "000.png: 24 corners"
    assert taken(capture) == "001.png: 24 corners"
    poses = read_tool_poses(tmp_path / "views")
    finder = BoardFinder(Board(BoardConfig()))
    views = views_of(poses, find_board(tmp_path / "views", ["000.png", "001.png"], finder))
    assert [view.name for view in views] == ["000.png", "001.png"]
    np.testing.assert_allclose(views[1].base_from_tool[:3, 3], [0.4, 0.1, 0.3], atol=1e-6)


def test_an_arm_that_moves_is_not_taken(robot: Robot, capture: Capture, tmp_path: Path) -> None:
    robot.speed_m_s = 0.1
    with pytest.raises(CalibrationError, match="wait until the arm is at rest"):
        taken(capture)
    assert not (tmp_path / "views").exists()


def test_a_picture_without_the_board_is_not_taken(robot: Robot, capture: Capture) -> None:
    robot.rgb = np.full_like(robot.rgb, 90)
    taken_words = ""
    for _ in range(20):  # pictures on their way still show it
        try:
            taken_words = capture.take()
        except CalibrationError as error:
            if "0 corners of the board" in str(error):
                return
    raise AssertionError(taken_words)


def test_poses_in_another_frame_are_named(robot: Robot, capture: Capture) -> None:
    robot.frame_id = "world"
    words = ""
    for _ in range(20):
        try:
            capture.take()
        except CalibrationError as error:
            words = str(error)
            if "tool poses are in 'world'; expected 'base'" in words:
                return
    raise AssertionError(words)
