"""The next waypoint of the tool and the gripper's command, for grasping and pushing."""

from dataclasses import dataclass
from math import atan2, hypot, pi, remainder

from robot_vision.simulation.robot.arms.arm import TIP_M
from robot_vision.simulation.robot.expert.state import LOWEST_Z_M, Setting, State

_SPEED_MPS, _PUSH_MPS = 0.36, 0.16
_TRAVEL_Z_M, DONE_Z_M = 0.17, 0.22
_CLEARANCE_M = 0.165  # height of carried objects above the table: higher than any standing object
NEARLY_M = 0.03  # an interrupted push is not resumed this close to its end
_LOOK_AHEAD_M = 0.04  # when pushing: time to reach the steering point
FINGER_HALF_M = 0.016  # extent of the closed gripper along the push


@dataclass(frozen=True)
class Waypoint:
    """The next waypoint, maximum speed, and gripper command `gripper`."""

    place: tuple[float, float, float]
    yaw: float
    gripper: float
    speed_mps: float = _SPEED_MPS


def grasp_waypoint(state: State, setting: Setting) -> Waypoint:
    x, y, z = state.place
    if state.delivered:
        return _leave(state)
    if state.held:
        return (
            _carry(state, setting)
            if setting.kind == "put"
            else Waypoint((x, y, DONE_Z_M), state.yaw, 0.0)
        )
    fx, fy, low = state.foot
    grasp_z = max(low + setting.grasp_up_m, LOWEST_Z_M)
    yaw = _nearest(atan2(fy, fx), state.yaw)
    if setting.grasp_yaw_rad is not None:
        yaw = _nearest(setting.grasp_yaw_rad, state.yaw)
    away = hypot(x - fx, y - fy)
    top = low + setting.height_m + TIP_M + 0.01
    if away < 0.012 and abs(z - grasp_z) < 0.012 and abs(remainder(yaw - state.yaw, pi)) < 0.15:
        closing = state.gripper > setting.width_open - 0.08
        if closing:
            return Waypoint((fx, fy, grasp_z), yaw, 0.0)
    ready = state.gripper > 0.9
    if not ready and z < top + 0.02 and away < 0.1:
        # neither open beside it nor around it: go up first
        return Waypoint((x, y, top + 0.03), state.yaw, 1.0)
    turned = abs(remainder(yaw - state.yaw, pi)) < 0.12
    bottom = grasp_z if ready and turned else top + 0.01
    height = _funnel(away, bottom, max(top, bottom), max(_TRAVEL_Z_M, top + 0.02), 0.007)
    return _fly((fx, fy), height, state, yaw, 1.0)


def _carry(state: State, setting: Setting) -> Waypoint:
    x, y, z = state.place
    dx, dy = setting.destination_m
    below = z - state.foot[2]
    release_z = max(setting.surface_z_m + below + 0.008, setting.rim_z_m + TIP_M + 0.002)
    if setting.rim_z_m - setting.surface_z_m < 0.03 and setting.rim_z_m > setting.surface_z_m:
        release_z = setting.surface_z_m + below + 0.008  # a plate's rim lies outside the fingers
    away = hypot(x - dx, y - dy)
    yaw = _nearest(atan2(dy, dx), state.yaw)
    if away < 0.015 and z < release_z + 0.008:
        return Waypoint((dx, dy, release_z), state.yaw, 1.0)
    travel = max(_CLEARANCE_M + below, release_z + 0.02)
    height = _funnel(away, release_z, release_z + 0.02, travel, 0.01)
    return _fly((dx, dy), height, state, yaw, 0.0)


def _leave(state: State) -> Waypoint:
    x, y, z = state.place
    free = state.gripper > 0.93
    return Waypoint((x, y, DONE_Z_M if free or z > 0.2 else z), state.yaw, 1.0)


def push_waypoint(state: State, setting: Setting) -> Waypoint:
    x, y, z = state.place
    fx, fy, _ = state.foot
    ux, uy = setting.way
    left = setting.to_go_m - state.pushed_m
    yaw = _nearest(0.0, state.yaw)  # a face of the fingers across each direction
    ahead = (x - fx) * ux + (y - fy) * uy
    aside = -(x - fx) * uy + (y - fy) * ux
    wanted_aside = min(max(0.7 * setting.astray_m, -0.016), 0.016)
    contact = -(setting.back_m + FINGER_HALF_M)
    low = z < setting.push_z_m + 0.015
    if left < NEARLY_M and ahead < contact - 0.006:
        left = 0.0  # released: near enough, not worth another push
    shut = state.gripper < 0.25
    if left > 0 and shut and low and ahead < contact + 0.04 and abs(aside) < 0.032:
        go, side = _LOOK_AHEAD_M, wanted_aside - aside
        goal = (x + go * ux - side * uy, y + go * uy + side * ux, setting.push_z_m)
        return Waypoint(goal, yaw, 0.0, _PUSH_MPS)
    if low and -0.012 < ahead - contact < 0.04 and abs(aside) < 0.05:
        # move away from touched objects before going up, or friction would drag them along
        return Waypoint((x - 0.03 * ux, y - 0.03 * uy, z), state.yaw, 0.0, _PUSH_MPS)
    if left <= 0:
        return Waypoint((x, y, DONE_Z_M), state.yaw, 0.0)
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
    goal_xy: tuple[float, float], height_m: float, state: State, yaw: float, gripper: float
) -> Waypoint:
    """Fly towards a point over objects: sideways only as far as the tool is high enough."""
    x, y, z = state.place
    share = min(max(1 - (height_m - z - 0.006) / 0.03, 0.0), 1.0)
    return Waypoint(
        (x + share * (goal_xy[0] - x), y + share * (goal_xy[1] - y), height_m), yaw, gripper
    )


def _nearest(yaw_rad: float, now_rad: float) -> float:
    """The grasp's yaw or 180° from it (the fingers are identical), whichever is nearer."""
    return now_rad + remainder(yaw_rad - now_rad, pi)
