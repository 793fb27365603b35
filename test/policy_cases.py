"""Observations of a made-up table: a camera above it, blocks of known place and colour."""

from dataclasses import dataclass, replace

import numpy as np

from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.core.types import (
    Camera,
    Depth,
    Detections,
    Features,
    Frame,
    Observation,
    Perception,
    RobotState,
    Tracks,
    TrackState,
)

WIDTH_PX, HEIGHT_PX = 320, 240
CLASS_NAMES = (
    "ball", "banana", "block", "bottle", "bowl", "box", "can", "mug", "plate", "tool",
)  # fmt: skip
MODEL_ID = "made-up@1"
CAMERA = Camera(
    frame_id="camera",
    width_px=WIDTH_PX,
    height_px=HEIGHT_PX,
    intrinsics_px=np.array([[300.0, 0, 159.5], [0, 300.0, 119.5], [0, 0, 1]]),
)
# Straight above the table, looking down: x right is −y of the base, y down is −x.
BASE_FROM_CAMERA = np.array([[0.0, -1, 0, 0.5], [-1, 0, 0, 0], [0, 0, -1, 0.8], [0, 0, 0, 1]])
DOWN = np.diag([1.0, -1, -1])


@dataclass(frozen=True, kw_only=True)
class Brick:
    """A box on the table, its sides along the axes of the base."""

    centre_m: tuple[float, float]
    size_m: tuple[float, float, float] = (0.06, 0.04, 0.05)
    rgb: tuple[int, int, int] = (200, 30, 30)
    class_id: int = 2
    score: float = 0.9


@dataclass(frozen=True, kw_only=True)
class Eye:
    """A camera and where it is."""

    camera: Camera
    base_from_camera: np.ndarray


def robot_at(position_m: tuple[float, float, float], *, gripper_open: float = 1.0) -> RobotState:
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = DOWN, position_m
    return RobotState(
        stamp_ns=0, joint_position_rad=np.zeros(7), base_from_tool=pose, gripper_open=gripper_open
    )


def observe(
    bricks: list[Brick],
    *,
    robot: RobotState | None = None,
    history: tuple[RobotState, ...] = (),
    with_depth: bool = True,
    with_features: bool = True,
    coasting: bool = False,
    stamp_ns: int = 1_000_000_000,
    camera: Camera = CAMERA,
    base_from_camera: np.ndarray = BASE_FROM_CAMERA,
) -> Observation:
    """What a perfect perception would say of `bricks`, seen from straight above."""
    eye = Eye(camera=camera, base_from_camera=base_from_camera)
    frame = _picture(bricks, stamp_ns, eye)
    tracks = _tracks(bricks, stamp_ns, eye, coasting=coasting)
    depth_m = frame.depth_m
    assert depth_m is not None
    perception = Perception(
        stamp_ns=stamp_ns,
        frame=frame if with_depth else replace(frame, depth_m=None),
        detections=Detections(
            stamp_ns=stamp_ns,
            box_xyxy_px=tracks.box_xyxy_px,
            score=tracks.score,
            class_id=tracks.class_id,
        ),
        depth=Depth(
            stamp_ns=stamp_ns,
            depth_m=depth_m,
            confidence=np.ones_like(depth_m),
            source="fused",
            valid_fraction=1.0,
        )
        if with_depth
        else None,
        features=_features(stamp_ns) if with_features else None,
        lifted=None,
        tracks=tracks,
        class_names=CLASS_NAMES,
        model_id=MODEL_ID,
        stage_s={},
    )
    return Observation(
        perception=perception,
        base_from_camera=base_from_camera,
        robot=robot or robot_at((0.4, 0.0, 0.3)),
        history=history,
    )


def _tops_in_base(brick: Brick) -> np.ndarray:
    """Corners of a brick's upper side, [4, 3]."""
    half = np.array(brick.size_m[:2]) / 2
    signs = [(sx, sy) for sx in (-1, 1) for sy in (-1, 1)]
    return np.array([[*(brick.centre_m + half * sign), brick.size_m[2]] for sign in signs])


def _box_px(brick: Brick, eye: Eye) -> np.ndarray:
    tops = transform_points(invert_transform(eye.base_from_camera), _tops_in_base(brick))
    pixels = project(tops, camera=eye.camera)
    return np.concatenate([pixels.min(axis=0), pixels.max(axis=0)])


def _picture(bricks: list[Brick], stamp_ns: int, eye: Eye) -> Frame:
    size = eye.camera.height_px, eye.camera.width_px
    rgb = np.full((*size, 3), 120, np.uint8)
    depth_m = np.full(size, 0.8, np.float32)
    for brick in bricks:
        left, first, right, last = _box_px(brick, eye).round().astype(int)
        rgb[first:last, left:right] = brick.rgb
        depth_m[first:last, left:right] = 0.8 - brick.size_m[2]
    return Frame(stamp_ns=stamp_ns, frame_id="camera", rgb=rgb, camera=eye.camera, depth_m=depth_m)


def _tracks(bricks: list[Brick], stamp_ns: int, eye: Eye, *, coasting: bool) -> Tracks:
    count = len(bricks)
    middles = [_tops_in_base(brick).mean(axis=0) for brick in bricks]
    point = transform_points(
        invert_transform(eye.base_from_camera), np.reshape(middles, (count, 3))
    )
    row = np.arange(count, dtype=np.int64)
    return Tracks(
        stamp_ns=stamp_ns,
        track_id=row + 5,
        state=np.full(count, TrackState.COASTING if coasting else TrackState.CONFIRMED, np.int64),
        box_xyxy_px=np.array([_box_px(b, eye) for b in bricks], np.float32).reshape(count, 4),
        score=np.array([b.score for b in bricks], np.float32),
        class_id=np.array([b.class_id for b in bricks], np.int64),
        position_in_camera_m=point.astype(np.float32),
        position_covariance_m2=np.zeros((count, 3, 3), np.float32),
        velocity_in_camera_mps=np.zeros((count, 3), np.float32),
        velocity_covariance_m2ps2=np.zeros((count, 3, 3), np.float32),
        size_m=np.array([b.size_m for b in bricks], np.float32).reshape(count, 3),
        age_s=np.full(count, 1.0, np.float32),
        unseen_s=np.full(count, 0.4 if coasting else 0.0, np.float32),
        detection_index=np.full_like(row, -1) if coasting else row,
    )


def _features(stamp_ns: int) -> Features:
    grid = np.random.default_rng(3).standard_normal((64, 15, 20)).astype(np.float32)
    embedding = np.zeros(64, np.float32)
    embedding[0] = 1
    return Features(
        stamp_ns=stamp_ns, grid=grid, stride_px=16.0, embedding=embedding, model_id=MODEL_ID
    )
