"""Demonstrations made up for tests: an arm that moves, a camera that sees a moving square."""

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from robot_vision.core.types import Camera, Frame, RobotState
from robot_vision.datasets.lerobot.form.schema import CameraFormat, DatasetFormat
from robot_vision.datasets.lerobot.sample import Sample, step_between
from robot_vision.demonstrations.writing.disk_room import DiskLimits
from robot_vision.demonstrations.writing.writer import DatasetWriter

FPS = 20
WIDTH_PX, HEIGHT_PX = 96, 64
START_NS = 1_700_000_000_123_456_789
CAMERA = Camera(
    frame_id="front_optical",
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[80.0, 0, 47.5], [0, 80.0, 31.5], [0, 0, 1]]),
    distortion=np.array([0.1, -0.02, 0.0, 0.0, 0.003]),
)
BASE_FROM_CAMERA = np.array([[0.0, -1, 0, 0.7], [-1, 0, 0, 0.1], [0, 0, -1, 0.9], [0, 0, 0, 1]])
FORM = DatasetFormat(
    fps=FPS,
    robot_type="test arm",
    joint_names=("j1", "j2"),
    cameras=(
        CameraFormat(
            name="front",
            width_px=WIDTH_PX,
            height_px=HEIGHT_PX,
            depth_width_px=WIDTH_PX // 2,
            depth_height_px=HEIGHT_PX // 2,
        ),
    ),
)
LIMITS = DiskLimits(min_free_bytes=0)


def tool_pose(number: int) -> np.ndarray:
    """A tool that points down, turns a little and moves on."""
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("xz", [np.pi, 0.02 * number]).as_matrix()
    pose[:3, 3] = [0.3 + 0.01 * number, 0.05, 0.2]
    return pose


def rgb_of(number: int, *, width_px: int = WIDTH_PX, height_px: int = HEIGHT_PX) -> np.ndarray:
    """Grey, with a square whose place and brightness say the number."""
    rgb = np.full((height_px, width_px, 3), 90, np.uint8)
    left = 4 + 2 * (number % 24)
    rgb[16:40, left : left + 24] = (30 + 7 * (number % 30), 200, 40)
    return rgb


def depth_of(number: int) -> np.ndarray:
    """Whole millimetres that differ everywhere, with a hole."""
    h, w = HEIGHT_PX // 2, WIDTH_PX // 2
    depth_mm = 500 + number * 3 + np.arange(h * w).reshape(h, w)
    depth_m = (depth_mm / np.float32(1000)).astype(np.float32)
    depth_m[:4, :4] = np.nan
    return depth_m


def sample_of(number: int, *, depth: bool = True) -> Sample:
    """Sample `number` of an episode."""
    stamp_ns = START_NS + number * 50_000_000
    frame = Frame(
        stamp_ns=stamp_ns + 1_000,
        frame_id=CAMERA.frame_id,
        rgb=rgb_of(number),
        camera=CAMERA,
        depth_m=depth_of(number) if depth else None,
        depth_stamp_ns=stamp_ns + 2_000 if depth else None,
    )
    return Sample(
        stamp_ns=stamp_ns,
        frames={"front": frame},
        robot=RobotState(
            stamp_ns=stamp_ns + 500,
            joint_position_rad=np.array([0.1 * number, -0.5]),
            base_from_tool=tool_pose(number),
            gripper_open=0.75,
        ),
        action=step_between(tool_pose(number), tool_pose(number + 1), 1.0),
        base_from_target=tool_pose(number + 1),
        base_from_camera={"front": BASE_FROM_CAMERA},
    )


def write_episodes(root: Path, lengths: list[int], *, words: str = "pick the red cube") -> None:
    """Write episodes of these lengths, all successful, into a new or an existing dataset."""
    with DatasetWriter(root, FORM, limits=LIMITS) as writer:
        for length in lengths:
            writer.begin(words)
            for number in range(length):
                writer.add(sample_of(number))
            writer.end(success=True)
