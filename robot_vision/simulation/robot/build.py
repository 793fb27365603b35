"""Builds a random simulated robot: draws the layout, compiles and paints the scene, settles it."""

from dataclasses import replace

import numpy as np

from robot_vision.simulation.content.palette import Split
from robot_vision.simulation.picture.gl import MjModel, mujoco
from robot_vision.simulation.picture.look import light_room, paint_item, paint_surfaces
from robot_vision.simulation.picture.scene import (
    add_body,
    add_stage,
    add_surfaces,
    add_walls,
    empty_spec,
)
from robot_vision.simulation.picture.viewpoint import pinhole
from robot_vision.simulation.robot.arms.arm import WRIST_CAMERA, add_arm, draw_arm_look
from robot_vision.simulation.robot.arms.arms import SEVEN, Arm
from robot_vision.simulation.robot.poses import draw_start_pose
from robot_vision.simulation.robot.view import (
    draw_fixed_viewpoint,
    draw_sensors,
    usual_viewpoint,
)
from robot_vision.simulation.robot.work.layout import Placed, draw_layout
from robot_vision.simulation.robot.work.task import KINDS, Kind, Things
from robot_vision.simulation.robot.world import TIMESTEP_S, RobotItem, RobotWorld

SIZE_PX, WRIST_SIZE_PX = (416, 320), (208, 160)  # image sizes of the two cameras, w × h
TABLE_FRICTION = 0.3
WRIST_FRAME_ID = "wrist_camera_color_optical_frame"
_TABLE_X_M, _TABLE_HALF_Y_M = (-0.13, 0.92), 0.62


def build_world(
    rng: np.random.Generator,
    *,
    split: Split,
    kind: Kind | None = None,
    things: Things | None = None,
    size_px: tuple[int, int] = SIZE_PX,
    wrist_size_px: tuple[int, int] = WRIST_SIZE_PX,
    arm: Arm = SEVEN,
    fixed_camera: bool = False,
) -> RobotWorld:
    """A random table on which a task of `kind` (any, if None) is possible; sizes are w × h.

    `things` is the range of their number; the task may then name any of them. With `fixed_camera`
    the front camera has its nominal pose, otherwise a pose near it; everything else is the same.
    """
    kind = kind or KINDS[int(rng.integers(len(KINDS)))]
    placed = draw_layout(rng, kind=kind, split=split, things=things)
    model = _compile(placed, rng, arm=arm, size_px=size_px)
    paint_surfaces(model, rng, split=split)
    for index, thing in enumerate(placed):
        paint_item(model, f"item{index}", thing.color_name, rng, split=split)
    light_room(model, rng, split=split)
    fov_y_rad = float(np.deg2rad(model.cam_fovy[model.camera(WRIST_CAMERA).id]))
    drawn = draw_fixed_viewpoint(rng, size_px=size_px)
    world = RobotWorld(
        model,
        arm=arm,
        items=tuple(_item(model, index, thing) for index, thing in enumerate(placed)),
        split=split,
        viewpoint=usual_viewpoint(size_px) if fixed_camera else drawn,
        wrist_camera=replace(pinhole(wrist_size_px, fov_y_rad), frame_id=WRIST_FRAME_ID),
        sensors=(draw_sensors(rng), draw_sensors(rng, nearest_m=0.07)),
        rng=np.random.default_rng(int(rng.integers(2**63))),
    )
    world.settle(placed, draw_start_pose(rng))
    return world


def _compile(
    placed: list[Placed], rng: np.random.Generator, *, arm: Arm, size_px: tuple[int, int]
) -> MjModel:
    spec = empty_spec(size_px)
    spec.option.timestep = TIMESTEP_S
    spec.compiler.degree = False
    # doubles the cost of a picture without improving the detector (measured)
    spec.visual.quality.offsamples = 0
    # a firm grip: friction that holds without creeping
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.option.impratio = 10
    add_surfaces(spec, rng)
    add_walls(spec)
    add_stage(spec)
    low, high = _TABLE_X_M
    thick = rng.uniform(0.015, 0.04)
    # smooth enough that tall objects slide instead of tipping when pushed
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX, size=[(high - low) / 2, _TABLE_HALF_Y_M, thick],
        pos=[(low + high) / 2, 0, -thick], material="table", condim=6,
        friction=[TABLE_FRICTION, 0.01, 0.003], priority=1,
    )  # fmt: skip
    for index, thing in enumerate(placed):
        add_body(spec, f"item{index}", thing.shape)
    add_arm(spec, draw_arm_look(rng), arm)
    return spec.compile()


def _item(model: MjModel, index: int, thing: Placed) -> RobotItem:
    corners = np.unique(np.concatenate([p.mesh.vertices_m for p in thing.shape.parts]), axis=0)
    return RobotItem(
        class_name=thing.class_name,
        color_name=thing.color_name,
        size_m=2 * thing.shape.half_size_m,
        corners_m=corners,
        body_id=int(model.body(f"item{index}").id),
    )
