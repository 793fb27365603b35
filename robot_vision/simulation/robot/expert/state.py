"""The inputs and variables of a plan, read from the world."""

from dataclasses import dataclass
from math import atan2, cos, sin

import numpy as np

from robot_vision.simulation.robot.arms.arm import OPENING_M, TIP_M
from robot_vision.simulation.robot.work.task import DIRECTIONS, Task
from robot_vision.simulation.robot.work.tasks import (
    PUSH_M,
    back_m,
    corners_in_base,
    is_within,
    pushed_m,
)
from robot_vision.simulation.robot.world import RobotWorld

LEAD_S = 0.02  # lag of the arm behind its commands
LOWEST_Z_M = TIP_M + 0.004


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Fixed inputs of a plan, in the base frame (metres): target, destination, push."""

    kind: str
    width_open: float  # opening of the gripper at which it touches the target
    grasp_up_m: float  # height of the grasp above the target's lowest point
    height_m: float
    grasp_yaw_rad: float | None  # None: any
    way: tuple[float, float] = (0.0, 0.0)
    back_m: float = 0.0
    push_z_m: float = 0.0
    to_go_m: float = 0.0
    astray_m: float = 0.0
    destination_m: tuple[float, float] = (0.0, 0.0)
    surface_z_m: float = 0.0
    rim_z_m: float = 0.0


@dataclass
class State:
    """Variables of a plan: the tool, the gripper, and the target (position of its base)."""

    place: tuple[float, float, float]
    yaw: float
    velocity: tuple[float, float, float]
    turning: float
    gripper: float
    held: bool
    delivered: bool
    foot: tuple[float, float, float]
    pushed_m: float = 0.0


def setting_of(world: RobotWorld, task: Task, state: State) -> Setting:
    index = task.target.item
    points = corners_in_base(world, index)
    low, high = float(points[:, 2].min()), float(points[:, 2].max())
    common = {"kind": task.kind, "height_m": high - low}
    if task.kind == "push":
        return _push_setting(world, task, common)
    item = world.items[index]
    pose = world.base_from_item(index)
    upright = abs(float(pose[2, 2])) > 0.7
    yaw, width_m = None, float(item.size_m[1])
    if item.class_name in ("can", "mug") and not upright:
        # it is lying: grasp across its axis
        yaw = atan2(float(pose[1, 2]), float(pose[0, 2]))
        width_m = high - low if item.class_name == "can" else float(item.size_m[1])
    if item.class_name == "block":
        grasp = atan2(state.foot[1], state.foot[0])
        width_m = float(np.ptp(points[:, :2] @ [-sin(grasp), cos(grasp)]))
    common |= {
        "grasp_up_m": _grasp_up(item.class_name, high - low, upright),
        "width_open": state.gripper if state.held else width_m / OPENING_M,
        "grasp_yaw_rad": yaw,
    }
    if task.destination is None:
        return Setting(**common)
    receiver = corners_in_base(world, task.destination.item)
    top = float(receiver[:, 2].max())
    middle = world.base_from_item(task.destination.item)[:2, 3]
    inside = {"bowl": 0.012, "plate": 0.006}.get(task.destination.class_name, top)
    return Setting(
        **common,
        destination_m=(float(middle[0]), float(middle[1])),
        surface_z_m=min(inside, top),
        rim_z_m=top,
    )


def _grasp_up(class_name: str, height_m: float, upright: bool) -> float:
    """Height of the tool point above the grasped object's lowest point."""
    if class_name == "mug" and upright:
        return 0.775 * height_m + TIP_M  # over the handle
    if class_name == "can" and upright:
        return height_m - 0.035
    return max(height_m / 2, LOWEST_Z_M)


def _push_setting(world: RobotWorld, task: Task, common: dict) -> Setting:
    assert task.direction is not None
    x, y = DIRECTIONS[task.direction]
    along_m, across_m = pushed_m(world, task)
    return Setting(
        **common,
        width_open=0.0,
        grasp_up_m=0.0,
        grasp_yaw_rad=None,
        way=(x, y),
        back_m=back_m(world, task.target.item, task.direction),
        push_z_m=min(max(0.45 * common["height_m"], 0.02), 0.035),
        to_go_m=PUSH_M - along_m,
        astray_m=across_m,
    )


def state_of(world: RobotWorld, task: Task) -> State:
    tool, velocity = world.base_from_tool, world.tool_velocity
    index = task.target.item
    points = corners_in_base(world, index)
    middle = world.base_from_item(index)[:3, 3]
    place = tool[:3, 3] + LEAD_S * velocity[:3]
    held = world.held_item == index
    delivered = False
    if task.destination is not None and not held:
        receiver = world.items[task.destination.item]
        base_from_receiver = world.base_from_item(task.destination.item)
        delivered = bool(middle[2] > base_from_receiver[2, 3]) and is_within(
            middle, receiver, base_from_receiver
        )
    return State(
        place=(float(place[0]), float(place[1]), float(place[2])),
        yaw=atan2(float(tool[1, 0]), float(tool[0, 0])) + LEAD_S * float(velocity[5]),
        velocity=(float(velocity[0]), float(velocity[1]), float(velocity[2])),
        turning=float(velocity[5]),
        gripper=world.gripper_open,
        held=held,
        delivered=delivered,
        foot=(float(middle[0]), float(middle[1]), float(points[:, 2].min())),
    )
