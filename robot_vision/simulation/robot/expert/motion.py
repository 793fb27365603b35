"""Advances a plan's state towards a waypoint, within limits of speed and acceleration."""

from math import hypot, pi, remainder, sqrt

from robot_vision.simulation.robot.arms.arm import FINGER_SPEED_MPS, OPENING_M, TIP_M
from robot_vision.simulation.robot.expert.state import LOWEST_Z_M, Setting, State
from robot_vision.simulation.robot.expert.steering import (
    FINGER_HALF_M,
    Waypoint,
    grasp_waypoint,
    push_waypoint,
)

_ACCELERATION_MPS2 = 2.2
_TURN_RADPS, _TURN_RADPS2 = 1.2, 7.0
_APPROACH_HZ = 8.0  # gain of the last centimetres
_GRIPPER_HZ = FINGER_SPEED_MPS / (OPENING_M / 2)
# the tool's workspace: that of the safety filter, with a margin
REACH_M = ((0.21, 0.79), (-0.44, 0.44), (LOWEST_Z_M, 0.58))


def advance(state: State, setting: Setting, seconds: float) -> float:
    """Advance the state by `seconds`; returns the gripper's command."""
    waypoint = (
        push_waypoint(state, setting) if setting.kind == "push" else grasp_waypoint(state, setting)
    )
    _move(state, waypoint, seconds)
    _operate(state, setting, waypoint, seconds)
    return waypoint.gripper


def _move(state: State, waypoint: Waypoint, seconds: float) -> None:
    """Move towards the waypoint, within limits of speed and acceleration."""
    way = [
        min(max(w, low), high) - p
        for w, p, (low, high) in zip(waypoint.place, state.place, REACH_M, strict=True)
    ]
    flat = _speed(hypot(way[0], way[1]), waypoint.speed_mps)
    upright = _speed(abs(way[2]), waypoint.speed_mps)
    length = hypot(way[0], way[1]) + 1e-9
    wanted = [flat * way[0] / length, flat * way[1] / length, upright * (1 if way[2] > 0 else -1)]
    size = sqrt(sum(v * v for v in wanted))
    if size > waypoint.speed_mps:
        wanted = [v * waypoint.speed_mps / size for v in wanted]
    change = [v - u for v, u in zip(wanted, state.velocity, strict=True)]
    size = sqrt(sum(c * c for c in change)) + 1e-12
    share = min(1.0, _ACCELERATION_MPS2 * seconds / size)
    vx, vy, vz = (u + share * c for u, c in zip(state.velocity, change, strict=True))
    state.velocity = (vx, vy, vz)
    x, y, z = state.place
    state.place = (x + seconds * vx, y + seconds * vy, max(z + seconds * vz, LOWEST_Z_M - 0.002))
    turn = remainder(waypoint.yaw - state.yaw, 2 * pi)
    rate = min(_TURN_RADPS, sqrt(2 * 0.7 * _TURN_RADPS2 * abs(turn)), 6.0 * abs(turn))
    wanted_turning = rate if turn > 0 else -rate
    step = _TURN_RADPS2 * seconds
    state.turning += min(max(wanted_turning - state.turning, -step), step)
    state.yaw += seconds * state.turning


def _speed(way_m: float, limit_mps: float) -> float:
    return min(limit_mps, sqrt(2 * 0.7 * _ACCELERATION_MPS2 * way_m), _APPROACH_HZ * way_m)


def _operate(state: State, setting: Setting, waypoint: Waypoint, seconds: float) -> None:
    """Update gripper and target."""
    step = _GRIPPER_HZ * seconds
    was_held = state.held
    state.gripper += min(max(waypoint.gripper - state.gripper, -step), step)
    vx, vy, vz = state.velocity
    fx, fy, low = state.foot
    if setting.kind == "push":
        ux, uy = setting.way
        x, y, z = state.place
        ahead = (x - fx) * ux + (y - fy) * uy
        aside = -(x - fx) * uy + (y - fy) * ux
        pressed = ahead + setting.back_m + FINGER_HALF_M
        if z < setting.height_m + TIP_M and 0 < pressed < 0.04 and abs(aside) < 0.03:
            state.foot = (fx + pressed * ux, fy + pressed * uy, low)
            state.pushed_m += pressed
        return
    if was_held:
        state.foot = (fx + seconds * vx, fy + seconds * vy, low + seconds * vz)
        state.gripper = max(state.gripper, setting.width_open)
        if state.gripper > setting.width_open + 0.03:
            state.held, state.delivered = False, setting.kind == "put"
    elif waypoint.gripper == 0 and state.gripper <= setting.width_open:
        state.held, state.gripper = True, setting.width_open
