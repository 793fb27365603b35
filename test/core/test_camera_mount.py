"""A camera that is not where the policy learnt that it is, is said to be elsewhere."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from robot_vision.core.cameras.camera_mount import CameraMount

LEARNT = CameraMount(position_m=(0.6, 0.1, 0.5), rotation=(2.0, -1.0, 0.3))
TOOL = np.eye(4)
TOOL[:3, :3], TOOL[:3, 3] = Rotation.from_rotvec([3.0, 0.2, 0.0]).as_matrix(), (0.4, 0.1, 0.3)


def pose_of(mount: CameraMount, *, off_m: float = 0.0, off_deg: float = 0.0) -> np.ndarray:
    turn = Rotation.from_euler("y", off_deg, degrees=True) * Rotation.from_rotvec(mount.rotation)
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn.as_matrix(), np.add(mount.position_m, (0, 0, off_m))
    return pose


def test_one_that_is_there_is_there() -> None:
    assert LEARNT.elsewhere("front", pose_of(LEARNT), None) == ""
    assert LEARNT.elsewhere("front", pose_of(LEARNT, off_m=0.009, off_deg=1.0), None) == ""


@pytest.mark.parametrize(("off_m", "off_deg"), [(0.02, 0.0), (0.0, 3.0), (0.3, 40.0)])
def test_one_that_moved_is_said_to_have(off_m: float, off_deg: float) -> None:
    words = LEARNT.elsewhere("front", pose_of(LEARNT, off_m=off_m, off_deg=off_deg), None)
    assert words == (
        f"camera front is {off_m:.3g} m and {off_deg:.3g}° from its pose in the policy's "
        "training (at most 0.01 m and 1.1°)"
    )


def test_one_on_the_tool_goes_with_it() -> None:
    mount = LEARNT.model_copy(update={"position_m": (0.05, 0.0, -0.1), "mount": "tool"})
    there = TOOL @ pose_of(mount)
    assert mount.elsewhere("wrist", there, TOOL) == ""
    assert "camera wrist is" in mount.elsewhere("wrist", there, np.eye(4))
    assert mount.elsewhere("wrist", there, None) == "", "where the tool is is not known"


def test_of_many_poses_the_furthest_counts_and_unknown_ones_do_not() -> None:
    poses = np.stack([pose_of(LEARNT), pose_of(LEARNT, off_m=0.05), np.full((4, 4), np.nan)])
    assert "camera front is 0.05 m and 0° from" in LEARNT.elsewhere("front", poses, None)
    assert LEARNT.elsewhere("front", poses[[0, 2]], None) == ""
