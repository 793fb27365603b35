"""The camera's pose in the base frame, for views as they came and turned ones."""

import numpy as np
import pytest

from robot_vision.core.camera_config import CameraPoseConfig
from robot_vision.core.geometry import transform_points
from robot_vision.core.rotation import original_from_rotated, rotated_frame
from robot_vision.core.types import Frame
from robot_vision.ros.common.camera_pose import FixedPose, base_from_view

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
