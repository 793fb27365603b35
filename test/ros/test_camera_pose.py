"""The camera's pose in the base frame, for views as they came and turned ones."""

from collections.abc import Iterator

import numpy as np
import pytest
from geometry_msgs.msg import PoseStamped
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from robot_vision.core.cameras.geometry import transform_points
from robot_vision.core.cameras.rotation import original_from_rotated, rotated_frame
from robot_vision.core.parameters.groups.camera_config import CameraPoseConfig
from robot_vision.core.types import Frame
from robot_vision.ros.common.camera_pose import FixedPose, PoseTopic, base_from_view
from robot_vision.ros.messages.convert import header
from robot_vision.ros.tools.monitor import Monitor

pytestmark = pytest.mark.ros

LOOKS_DOWN = CameraPoseConfig(position_m=[0.4, 0.0, 1.5], quaternion_xyzw=[1.0, 0.0, 0.0, 0.0])


class Asked(FixedPose):
    """A pose that remembers whose it was asked for."""

    def from_camera(self, frame_id: str, stamp_ns: int, **rest: object) -> np.ndarray | None:
        self.frame_id = frame_id
        return super().from_camera(frame_id, stamp_ns, **rest)  # type: ignore[arg-type]


@pytest.mark.parametrize("rotate_deg", [0, 90, 180, 270])
def test_a_point_of_a_turned_view_is_where_the_camera_sees_it(rotate_deg: int) -> None:
    pose = Asked(LOOKS_DOWN)
    frame = Frame(
        stamp_ns=1,
        frame_id=rotated_frame("cam_optical", rotate_deg),
        rgb=np.zeros((2, 2, 3), np.uint8),
        rotated_deg=rotate_deg,
    )
    base_from_view_m = base_from_view(pose, frame, report=print)
    assert pose.frame_id == "cam_optical"
    assert base_from_view_m is not None
    in_camera = np.array([[0.1, 0.2, 1.0]])
    in_view = in_camera @ original_from_rotated(rotate_deg)[:3, :3]
    seen = transform_points(base_from_view_m, in_view)
    assert seen[0] == pytest.approx([0.5, -0.2, 0.5])


class Published:
    """`camera_pose` as somebody publishes it, and what is made of it."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, node = monitor, monitor.node
        self.now_ns = node.get_clock().now().nanoseconds
        self._publisher = node.create_publisher(PoseStamped, "camera_pose", 10)
        self._topic = PoseTopic(node, base_frame="base", group=MutuallyExclusiveCallbackGroup())
        assert monitor.spin_until(
            lambda: self._publisher.get_subscription_count() > 0, timeout_s=20
        )

    def say(self, x_m: float, stamp_ns: int, *, frame_id: str = "base") -> None:
        message = PoseStamped(header=header(stamp_ns, frame_id))
        message.pose.position.x = x_m
        message.pose.orientation.w = 1.0
        self._publisher.publish(message)
        self._monitor.spin(0.3)

    def x_m(self, stamp_ns: int) -> float | None:
        pose = self._topic.from_camera("cam", stamp_ns, report=lambda _: None)
        return None if pose is None else float(pose[0, 3])


@pytest.fixture
def published() -> Iterator[Published]:
    monitor = Monitor()
    yield Published(monitor)
    monitor.close()


def test_pictures_on_their_way_keep_the_pose_that_they_were_taken_from(
    published: Published,
) -> None:
    now_ns, second_ns = published.now_ns, 1_000_000_000
    assert published.x_m(now_ns) is None
    published.say(1.0, now_ns)
    assert published.x_m(now_ns - second_ns) == 1.0, "there is no other"
    published.say(2.0, now_ns + second_ns // 5)
    assert published.x_m(now_ns + second_ns // 10) == 1.0
    assert published.x_m(now_ns + second_ns // 5) == 2.0
    published.say(3.0, now_ns + 3600 * second_ns)
    assert published.x_m(now_ns + 60 * second_ns) == 3.0, "a clock that is ahead is heard"
    published.say(4.0, 0)
    assert published.x_m(now_ns) == 4.0, "without a stamp it holds at once"
    published.say(5.0, now_ns, frame_id="map")
    assert published.x_m(now_ns) is None
