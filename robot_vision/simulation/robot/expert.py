"""A scripted expert that knows all object poses. Its next action depends only on the current
state, so it can be queried at any moment, for any task, and recovers from mishaps.

A plan is rolled out without physics: the tool follows a velocity field within limits of speed and
acceleration; held objects move with it, pushed ones ahead of it.
"""

from dataclasses import dataclass
from math import atan2, cos, hypot, pi, remainder, sin, sqrt

import numpy as np
from jaxtyping import Float

from robot_vision.simulation.robot.arm import FINGER_SPEED_MPS, OPENING_M, TIP_M
from robot_vision.simulation.robot.task import DIRECTIONS, Task
from robot_vision.simulation.robot.tasks import (
    PUSH_M,
    back_m,
    corners_in_base,
    is_within,
    pushed_m,
)
from robot_vision.simulation.robot.world import RobotWorld, tool_down

LEAD_S = 0.02  # lag of the arm behind its commands
_SPEED_MPS, _PUSH_MPS, _ACCELERATION_MPS2 = 0.36, 0.16, 2.2
_TURN_RADPS, _TURN_RADPS2 = 1.2, 7.0
_APPROACH_HZ = 8.0  # gain of the last centimetres
_TRAVEL_Z_M, _DONE_Z_M = 0.17, 0.22
_CLEARANCE_M = 0.165  # height of carried objects above the table: higher than any standing object
_SUBSTEP_S = 0.025
_GRIPPER_HZ = FINGER_SPEED_MPS / (OPENING_M / 2)
_LOWEST_Z_M = TIP_M + 0.004
# the tool's workspace: that of the safety filter, with a margin
_REACH_M = ((0.21, 0.79), (-0.44, 0.44), (_LOWEST_Z_M, 0.58))
_NEARLY_M = 0.03  # an interrupted push is not resumed this close to its end
_LOOK_AHEAD_M = 0.04  # when pushing: time to reach the steering point
_FINGER_HALF_M = 0.016  # extent of the closed gripper along the push


@dataclass(frozen=True, kw_only=True)
class _Setting:
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
class _State:
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


@dataclass(frozen=True)
class _Wish:
    """The next waypoint, maximum speed, and gripper command `gripper`."""

    place: tuple[float, float, float]
    yaw: float
    gripper: float
    speed_mps: float = _SPEED_MPS


def plan(
    world: RobotWorld, task: Task, *, steps: int = 12, step_s: float = 0.05
) -> tuple[Float[np.ndarray, "t 4 4"], Float[np.ndarray, " t"]]:
    """Tool poses (base frame) and gripper commands (0 closed, 1 open) of the next `steps`.

    Row k is for `step_s · (k + 1)` from now. Raises `ValueError` if the target does not exist.
    """
    if task.target.item < 0:
        raise ValueError(f"there is no {task.target.color_name} {task.target.class_name}")
    state = _state(world, task)
    setting = _setting(world, task, state)
    substeps = max(1, round(step_s / _SUBSTEP_S))
    poses, gripper = np.empty((steps, 4, 4)), np.empty(steps)
    for k in range(steps):
        command = 1.0
        for _ in range(substeps):
            command = _advance(state, setting, step_s / substeps)
        poses[k] = tool_down(np.array(state.place), state.yaw)
        gripper[k] = command
    return poses, gripper


def is_finished(world: RobotWorld, task: Task) -> bool:
    """Whether the expert is done and waits above the table."""
    state = _state(world, task)
    setting = _setting(world, task, state)
    over = state.place[2] > _DONE_Z_M - 0.02
    if task.kind == "pick":
        return over and state.held
    return over and (state.delivered if task.kind == "put" else setting.to_go_m < _NEARLY_M)


def is_lost(world: RobotWorld, task: Task) -> bool:
    """Whether the target is out of the tool's reach."""
    place = world.base_from_item(task.target.item)[:3, 3]
    sides = zip(place, _REACH_M, strict=True)
    return place[2] < 0 or any(not low - 0.05 < p < high + 0.05 for p, (low, high) in sides)


def _setting(world: RobotWorld, task: Task, state: _State) -> _Setting:
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
        return _Setting(**common)
    receiver = corners_in_base(world, task.destination.item)
    top = float(receiver[:, 2].max())
    middle = world.base_from_item(task.destination.item)[:2, 3]
    inside = {"bowl": 0.012, "plate": 0.006}.get(task.destination.class_name, top)
    return _Setting(
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
    return max(height_m / 2, _LOWEST_Z_M)


def _push_setting(world: RobotWorld, task: Task, common: dict) -> _Setting:
    assert task.direction is not None
    x, y = DIRECTIONS[task.direction]
    along_m, across_m = pushed_m(world, task)
    return _Setting(
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


def _state(world: RobotWorld, task: Task) -> _State:
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
    return _State(
        place=(float(place[0]), float(place[1]), float(place[2])),
        yaw=atan2(float(tool[1, 0]), float(tool[0, 0])) + LEAD_S * float(velocity[5]),
        velocity=(float(velocity[0]), float(velocity[1]), float(velocity[2])),
        turning=float(velocity[5]),
        gripper=world.gripper_open,
        held=held,
        delivered=delivered,
        foot=(float(middle[0]), float(middle[1]), float(points[:, 2].min())),
    )


def _advance(state: _State, setting: _Setting, seconds: float) -> float:
    """Advance the state by `seconds`; returns the gripper's command."""
    wish = _push_wish(state, setting) if setting.kind == "push" else _grasp_wish(state, setting)
    _move(state, wish, seconds)
    _operate(state, setting, wish, seconds)
    return wish.gripper


def _grasp_wish(state: _State, setting: _Setting) -> _Wish:
    x, y, z = state.place
    if state.delivered:
        return _leave(state)
    if state.held:
        return (
            _carry(state, setting)
            if setting.kind == "put"
            else _Wish((x, y, _DONE_Z_M), state.yaw, 0.0)
        )
    fx, fy, low = state.foot
    grasp_z = max(low + setting.grasp_up_m, _LOWEST_Z_M)
    yaw = _nearest(atan2(fy, fx), state.yaw)
    if setting.grasp_yaw_rad is not None:
        yaw = _nearest(setting.grasp_yaw_rad, state.yaw)
    away = hypot(x - fx, y - fy)
    top = low + setting.height_m + TIP_M + 0.01
    if away < 0.012 and abs(z - grasp_z) < 0.012 and abs(remainder(yaw - state.yaw, pi)) < 0.15:
        closing = state.gripper > setting.width_open - 0.08
        if closing:
            return _Wish((fx, fy, grasp_z), yaw, 0.0)
    ready = state.gripper > 0.9
    if not ready and z < top + 0.02 and away < 0.1:
        # neither open beside it nor around it: go up first
        return _Wish((x, y, top + 0.03), state.yaw, 1.0)
    turned = abs(remainder(yaw - state.yaw, pi)) < 0.12
    bottom = grasp_z if ready and turned else top + 0.01
    height = _funnel(away, bottom, max(top, bottom), max(_TRAVEL_Z_M, top + 0.02), 0.007)
    return _fly((fx, fy), height, state, yaw, 1.0)


def _carry(state: _State, setting: _Setting) -> _Wish:
    x, y, z = state.place
    dx, dy = setting.destination_m
    below = z - state.foot[2]
    release_z = max(setting.surface_z_m + below + 0.008, setting.rim_z_m + TIP_M + 0.002)
    if setting.rim_z_m - setting.surface_z_m < 0.03 and setting.rim_z_m > setting.surface_z_m:
        release_z = setting.surface_z_m + below + 0.008  # a plate's rim lies outside the fingers
    away = hypot(x - dx, y - dy)
    yaw = _nearest(atan2(dy, dx), state.yaw)
    if away < 0.015 and z < release_z + 0.008:
        return _Wish((dx, dy, release_z), state.yaw, 1.0)
    travel = max(_CLEARANCE_M + below, release_z + 0.02)
    height = _funnel(away, release_z, release_z + 0.02, travel, 0.01)
    return _fly((dx, dy), height, state, yaw, 0.0)


def _leave(state: _State) -> _Wish:
    x, y, z = state.place
    free = state.gripper > 0.93
    return _Wish((x, y, _DONE_Z_M if free or z > 0.2 else z), state.yaw, 1.0)


def _push_wish(state: _State, setting: _Setting) -> _Wish:
    x, y, z = state.place
    fx, fy, _ = state.foot
    ux, uy = setting.way
    left = setting.to_go_m - state.pushed_m
    yaw = _nearest(0.0, state.yaw)  # a face of the fingers across each direction
    ahead = (x - fx) * ux + (y - fy) * uy
    aside = -(x - fx) * uy + (y - fy) * ux
    wanted_aside = min(max(0.7 * setting.astray_m, -0.016), 0.016)
    contact = -(setting.back_m + _FINGER_HALF_M)
    low = z < setting.push_z_m + 0.015
    if left < _NEARLY_M and ahead < contact - 0.006:
        left = 0.0  # released: near enough, not worth another push
    shut = state.gripper < 0.25
    if left > 0 and shut and low and ahead < contact + 0.04 and abs(aside) < 0.032:
        go, side = _LOOK_AHEAD_M, wanted_aside - aside
        goal = (x + go * ux - side * uy, y + go * uy + side * ux, setting.push_z_m)
        return _Wish(goal, yaw, 0.0, _PUSH_MPS)
    if low and -0.012 < ahead - contact < 0.04 and abs(aside) < 0.05:
        # move away from touched objects before going up, or friction would drag them along
        return _Wish((x - 0.03 * ux, y - 0.03 * uy, z), state.yaw, 0.0, _PUSH_MPS)
    if left <= 0:
        return _Wish((x, y, _DONE_Z_M), state.yaw, 0.0)
    behind = contact - 0.022
    goal = (fx + behind * ux - wanted_aside * uy, fy + behind * uy + wanted_aside * ux)
    away = hypot(x - goal[0], y - goal[1])
    top = setting.height_m + TIP_M + 0.01
    bottom = setting.push_z_m if shut else top
    height = _funnel(away, bottom, top, max(_TRAVEL_Z_M, top + 0.02), 0.008)
    return _fly(goal, height, state, yaw, 0.0)


def _funnel(away_m: float, bottom_m: float, top_m: float, travel_m: float, hole_m: float) -> float:
    """Minimum height of the tool at a distance from its descent."""
    if away_m < hole_m:
        return bottom_m
    if away_m < 3 * hole_m:
        return bottom_m + (top_m - bottom_m) * (away_m - hole_m) / (2 * hole_m)
    if away_m < 0.09:
        return top_m + (travel_m - top_m) * (away_m - 3 * hole_m) / (0.09 - 3 * hole_m)
    return travel_m


def _fly(
    goal_xy: tuple[float, float], height_m: float, state: _State, yaw: float, gripper: float
) -> _Wish:
    """Fly towards a point over objects: sideways only as far as the tool is high enough."""
    x, y, z = state.place
    share = min(max(1 - (height_m - z - 0.006) / 0.03, 0.0), 1.0)
    return _Wish(
        (x + share * (goal_xy[0] - x), y + share * (goal_xy[1] - y), height_m), yaw, gripper
    )


def _move(state: _State, wish: _Wish, seconds: float) -> None:
    """Move towards the waypoint, within limits of speed and acceleration."""
    way = [
        min(max(w, low), high) - p
        for w, p, (low, high) in zip(wish.place, state.place, _REACH_M, strict=True)
    ]
    flat = _speed(hypot(way[0], way[1]), wish.speed_mps)
    upright = _speed(abs(way[2]), wish.speed_mps)
    length = hypot(way[0], way[1]) + 1e-9
    wanted = [flat * way[0] / length, flat * way[1] / length, upright * (1 if way[2] > 0 else -1)]
    size = sqrt(sum(v * v for v in wanted))
    if size > wish.speed_mps:
        wanted = [v * wish.speed_mps / size for v in wanted]
    change = [v - u for v, u in zip(wanted, state.velocity, strict=True)]
    size = sqrt(sum(c * c for c in change)) + 1e-12
    share = min(1.0, _ACCELERATION_MPS2 * seconds / size)
    vx, vy, vz = (u + share * c for u, c in zip(state.velocity, change, strict=True))
    state.velocity = (vx, vy, vz)
    x, y, z = state.place
    state.place = (x + seconds * vx, y + seconds * vy, max(z + seconds * vz, _LOWEST_Z_M - 0.002))
    turn = remainder(wish.yaw - state.yaw, 2 * pi)
    rate = min(_TURN_RADPS, sqrt(2 * 0.7 * _TURN_RADPS2 * abs(turn)), 6.0 * abs(turn))
    wanted_turning = rate if turn > 0 else -rate
    step = _TURN_RADPS2 * seconds
    state.turning += min(max(wanted_turning - state.turning, -step), step)
    state.yaw += seconds * state.turning


def _speed(way_m: float, limit_mps: float) -> float:
    return min(limit_mps, sqrt(2 * 0.7 * _ACCELERATION_MPS2 * way_m), _APPROACH_HZ * way_m)


def _operate(state: _State, setting: _Setting, wish: _Wish, seconds: float) -> None:
    """Update gripper and target."""
    step = _GRIPPER_HZ * seconds
    was_held = state.held
    state.gripper += min(max(wish.gripper - state.gripper, -step), step)
    vx, vy, vz = state.velocity
    fx, fy, low = state.foot
    if setting.kind == "push":
        ux, uy = setting.way
        x, y, z = state.place
        ahead = (x - fx) * ux + (y - fy) * uy
        aside = -(x - fx) * uy + (y - fy) * ux
        pressed = ahead + setting.back_m + _FINGER_HALF_M
        if z < setting.height_m + TIP_M and 0 < pressed < 0.04 and abs(aside) < 0.03:
            state.foot = (fx + pressed * ux, fy + pressed * uy, low)
            state.pushed_m += pressed
        return
    if was_held:
        state.foot = (fx + seconds * vx, fy + seconds * vy, low + seconds * vz)
        state.gripper = max(state.gripper, setting.width_open)
        if state.gripper > setting.width_open + 0.03:
            state.held, state.delivered = False, setting.kind == "put"
    elif wish.gripper == 0 and state.gripper <= setting.width_open:
        state.held, state.gripper = True, setting.width_open


def _nearest(yaw_rad: float, now_rad: float) -> float:
    """The grasp's yaw or 180° from it (the fingers are identical), whichever is nearer."""
    return now_rad + remainder(yaw_rad - now_rad, pi)
