"""Faults of the arm's state: silent, wrong, impossible, late, from two sources.

The service may take up to the watchdog's limit (`watchdog.robot_state_s`) to notice silence.
Impossible states must be noticed at once.
"""

import math
from collections.abc import Iterator
from random import Random

from robot_vision.soak.checks.changes import (
    as_it_is,
    each,
    first,
    frozen,
    nothing,
    shifted,
    swapped,
    unstamped,
)
from robot_vision.soak.fault import Change, Message, Rig, fault

SILENCE_S = 0.2
_STATE_HZ = 50


def _put(message: Message, x: float, y: float, z: float) -> None:
    at = message.pose.position
    at.x, at.y, at.z = x, y, z


def identity(message: Message) -> list[Message]:
    """The pose a driver reports before it has read its encoders."""
    _put(message, 0.0, 0.0, 0.0)
    turn = message.pose.orientation
    turn.x, turn.y, turn.z, turn.w = 0.0, 0.0, 0.0, 1.0
    return [message]


def moved(random: Random, least_m: float, most_m: float) -> Change:
    """Every pose is offset from the true one, by a fixed vector."""
    direction = [random.gauss(0, 1) for _ in range(3)]
    share = random.uniform(least_m, most_m) / math.hypot(*direction)
    x, y, z = (share * part for part in direction)

    def edit(message: Message) -> None:
        at = message.pose.position
        _put(message, at.x + x, at.y + y, at.z + z)

    return each(edit)


@fault(0.5, 3.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def arm_silent(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Neither the tool pose nor joint states arrive."""
    with rig.changed("tool_pose", nothing), rig.changed("joint_states", nothing):
        yield


@fault(1.3, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S, judged_s=0.7)
def arm_restarts(rig: Rig, random: Random) -> Iterator[None]:
    """The arm's driver restarts: silence, then identity poses, then the truth."""
    silent = random.randint(round(0.75 * _STATE_HZ), _STATE_HZ)
    wrong = first(random.randint(1, 10), identity, as_it_is)
    with rig.changed("tool_pose", first(silent, nothing, wrong)):
        yield


@fault(0.3, 0.6, may_need_enable=True)
def arm_identity_once(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """One single identity pose among true ones."""
    with rig.changed("tool_pose", first(1, identity, as_it_is)):
        yield


@fault(0.5, 2.0, must_hold=True, may_need_enable=True)
def arm_identity(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Identity poses with fresh stamps."""
    with rig.changed("tool_pose", identity):
        yield


@fault(0.5, 2.0, must_hold=True, may_need_enable=True)
def arm_huge(rig: Rig, random: Random) -> Iterator[None]:
    """The tool is 1e300 m away."""
    sign = random.choice((-1.0, 1.0))
    with rig.changed("tool_pose", each(lambda m: _put(m, sign * 1e300, 0.0, 0.3))):
        yield


@fault(0.5, 2.0, must_hold=True, may_need_enable=True)
def arm_nan(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The tool's position is NaN."""
    with rig.changed("tool_pose", each(lambda m: _put(m, math.nan, math.nan, math.nan))):
        yield


@fault(0.5, 2.0, must_hold=True, may_need_enable=True)
def arm_jumps(rig: Rig, random: Random) -> Iterator[None]:
    """The tool's pose is .15 to 1 m from the true one."""
    with rig.changed("tool_pose", moved(random, 0.15, 1.0)):
        yield


@fault(1.5, 3.0, must_hold=True, may_need_enable=True, known_after_s=0.3, travel_m=0.1)
def arm_frozen(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The tool pose stops changing, with fresh stamps."""
    with rig.changed("tool_pose", frozen("pose")):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def arm_late(rig: Rig, random: Random) -> Iterator[None]:
    """States are .3 to 1 s old."""
    late = shifted(-random.uniform(0.3, 1.0))
    with rig.changed("tool_pose", late), rig.changed("joint_states", late):
        yield


@fault(0.5, 2.0, may_need_enable=True)
def arm_swapped(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """States arrive in pairs, the later one first."""
    with rig.changed("tool_pose", swapped()):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def arm_without_stamps(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The tool's pose has stamp 0."""
    with rig.changed("tool_pose", unstamped):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def arm_in_the_future(rig: Rig, random: Random) -> Iterator[None]:
    """States are stamped 1 to 60 s ahead."""
    ahead = shifted(random.uniform(1.0, 60.0))
    with rig.changed("tool_pose", ahead), rig.changed("joint_states", ahead):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def joints_silent(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Joint states do not arrive, poses do."""
    with rig.changed("joint_states", nothing):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def joints_nan(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Joint positions are NaN."""

    def edit(message: Message) -> None:
        message.position = [math.nan] * len(message.position)

    with rig.changed("joint_states", each(edit)):
        yield


@fault(0.7, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def joints_renamed(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """All joints have other names, the gripper's too."""

    def edit(message: Message) -> None:
        message.name = [f"other_{name}" for name in message.name]

    with rig.changed("joint_states", each(edit)):
        yield


@fault(1.0, 3.0, must_hold=True, may_need_enable=True, known_after_s=0.5)
def arm_has_two_publishers(rig: Rig, random: Random) -> Iterator[None]:
    """Another node also publishes the tool pose, .3 to .6 m away."""
    with rig.second_tool_pose(random.uniform(0.3, 0.6)):
        yield


@fault(0.5, 1.0, may_need_enable=True)
def arm_teleports(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The simulated scene is reset under an enabled policy."""
    rig.teleport()
    yield


@fault(0.5, 2.0, must_hold=True, may_need_enable=True, known_after_s=SILENCE_S)
def robot_frozen(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The robot's process is stopped and sends nothing."""
    with rig.frozen("simulated robot"):
        yield
