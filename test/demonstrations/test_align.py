"""Streams of any rate and order become samples on a grid, and what was missing is counted."""

from itertools import pairwise

import numpy as np
import pytest
from demonstrations_kit import tool_pose
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.core.cameras.geometry import joints_between
from robot_vision.datasets.lerobot.sample import stepped
from robot_vision.demonstrations.recording.align import AlignConfig, Aligner, Slot
from robot_vision.demonstrations.recording.track import pose_between

FPS = 20
STEP_NS = 50_000_000
START_NS = 1_000_000_000


def config(**changes: object) -> AlignConfig:
    values = {"fps": FPS, "cameras": ("front",), "depth_cameras": ("front",), "joints": ("j1",)}
    return AlignConfig(**(values | changes))  # pyright: ignore[reportArgumentType]


def joints_at(stamp_ns: int) -> np.ndarray:
    """A joint that moves evenly: interpolation must hit it exactly."""
    return np.array([(stamp_ns - START_NS) / 1e9])


def feed(aligner: Aligner, events: list[tuple[int, str]]) -> list[Slot]:
    """Put events in as they come and take what is ready after each."""
    slots: list[Slot] = []
    for stamp_ns, kind in events:
        number = (stamp_ns - START_NS) / STEP_NS
        if kind == "rgb":
            aligner.add_image("front", stamp_ns, stamp_ns)
        elif kind == "depth":
            aligner.add_depth("front", stamp_ns, stamp_ns)
        elif kind == "state":
            aligner.add_joints(stamp_ns, {"j1": joints_at(stamp_ns)[0], "gripper": 0.5})
            aligner.add_tool(stamp_ns, tool_pose(number))
        else:
            aligner.add_target(stamp_ns, tool_pose(number + 1), 1.0)
        slots += aligner.take()
    return slots


def stream(kind: str, period_s: float, *, seconds: float, offset_s: float = 0.0) -> list:
    count = int((seconds - offset_s) / period_s) + 1
    stamps = [START_NS + round((offset_s + k * period_s) * 1e9) for k in range(count)]
    return [(stamp_ns, kind) for stamp_ns in stamps]


@settings(max_examples=60)
@given(
    camera_hz=st.sampled_from([20.0, 30.0, 60.0]),
    state_hz=st.floats(50, 250),
    command_hz=st.floats(20, 100),
    delays=st.tuples(*[st.floats(0, 0.15)] * 4),
)
def test_whatever_the_rates_and_delays_the_grid_is_kept(
    camera_hz: float, state_hz: float, command_hz: float, delays: tuple[float, ...]
) -> None:
    late_ns = dict(zip(("rgb", "depth", "state", "command"), delays, strict=True))
    events = [
        *stream("rgb", 1 / camera_hz, seconds=2),
        *stream("depth", 1 / camera_hz, seconds=2.2, offset_s=0.004),
        *stream("state", 1 / state_hz, seconds=2.2),
        *stream("command", 1 / command_hz, seconds=2.2),
    ]
    events.sort(key=lambda event: event[0] + late_ns[event[1]] * 1e9)
    aligner = Aligner(config())
    slots = feed(aligner, events) + aligner.take(at_end=True)
    assert len(slots) >= 38
    assert [slot.stamp_ns for slot in slots] == [START_NS + k * STEP_NS for k in range(len(slots))]
    assert not {n for n in aligner.notes if "before the first" not in n}
    for slot in slots:
        seen_ns = slot.images["front"][0]
        assert abs(seen_ns - slot.stamp_ns) <= 0.5e9 / camera_hz + 1
        assert slot.robot.stamp_ns == seen_ns
        assert abs(slot.depths["front"][0] - seen_ns) == 4_000_000
        np.testing.assert_allclose(slot.robot.joint_position_rad, joints_at(seen_ns), atol=1e-9)
    for before, after in pairwise(slots):
        led_to = stepped(before.base_from_target, after.action)
        np.testing.assert_allclose(led_to, after.base_from_target, atol=1e-9)
    # Where the target was interpolated it is on its way: it moves evenly along x.
    x = np.array([slot.base_from_target[0, 3] for slot in slots])
    np.testing.assert_allclose(np.diff(x), 0.01, atol=1e-9)


def test_nothing_begins_before_everything_is_heard() -> None:
    aligner = Aligner(config())
    assert (
        feed(aligner, [*stream("rgb", 0.05, seconds=1), *stream("command", 0.02, seconds=1)]) == []
    )
    assert aligner.missing == ["states of joint j1", "states of joint gripper", "tool poses"]


def test_joints_that_come_apart_are_each_taken_at_the_frames_own_moment() -> None:
    aligner = Aligner(config(joints=("j1", "j2"), depth_cameras=(), follows_command=False))
    seconds_of = {"j1": 1.0, "j2": -2.0, "gripper": 0.25}
    rates = {"j1": 0.01, "j2": 0.013, "gripper": 0.06}
    for stamp_ns, kind in sorted(
        [
            *stream("rgb", 0.05, seconds=2),
            *stream("tool", 0.01, seconds=2.2),
            *(
                event
                for name, period_s in rates.items()
                for event in stream(name, period_s, seconds=2.2)
            ),
        ]
    ):
        if kind == "rgb":
            aligner.add_image("front", stamp_ns, stamp_ns)
        elif kind == "tool":
            aligner.add_tool(stamp_ns, tool_pose(0))
        else:
            value = seconds_of[kind] * (stamp_ns - START_NS) / 1e9
            aligner.add_joints(stamp_ns, {kind: value, "extra": 7.0})
    slots = aligner.take(at_end=True)
    assert len(slots) >= 38
    for slot in slots:
        now_s = (slot.robot.stamp_ns - START_NS) / 1e9
        np.testing.assert_allclose(slot.robot.joint_position_rad, [now_s, -2 * now_s], atol=1e-9)
        assert slot.robot.gripper_open == pytest.approx(0.25 * now_s)
    assert not aligner.notes


@given(
    first=st.floats(-np.pi, np.pi), step=st.floats(-3, 3), share=st.floats(0, 1, exclude_max=True)
)
def test_a_joint_that_turns_without_end_goes_the_short_way_through_pi(
    first: float, step: float, share: float
) -> None:
    second = (first + step + np.pi) % (2 * np.pi) - np.pi
    between = joints_between(np.array([first]), np.array([second]), share)[0]
    off = between - (first + share * step)
    assert abs(off - 2 * np.pi * round(off / (2 * np.pi))) < 1e-9
    assert -np.pi - 1e-9 <= between <= np.pi + 1e-9


def test_a_slow_camera_is_repeated_and_counted() -> None:
    aligner = Aligner(config())
    events = [
        *stream("rgb", 0.1, seconds=2),
        *stream("depth", 0.1, seconds=2),
        *stream("state", 0.01, seconds=2.1),
        *stream("command", 0.01, seconds=2.1),
    ]
    slots = feed(aligner, sorted(events)) + aligner.take(at_end=True)
    repeated = sum(a.images["front"] == b.images["front"] for a, b in pairwise(slots))
    assert repeated == aligner.notes["images of front repeated"] == len(slots) // 2


def test_the_arm_of_a_picture_shown_again_is_that_of_the_picture() -> None:
    aligner = Aligner(config(depth_cameras=()))
    events = [
        *stream("rgb", 0.5, seconds=3),
        *stream("state", 0.01, seconds=3.1),
        *stream("command", 0.01, seconds=3.1),
    ]
    slots = feed(aligner, sorted(events)) + aligner.take(at_end=True)
    assert len(slots) > 40
    for slot in slots:
        seen_ns = slot.images["front"][0]
        expected = tool_pose((seen_ns - START_NS) / STEP_NS)
        np.testing.assert_allclose(slot.robot.base_from_tool, expected, atol=1e-9)
        np.testing.assert_allclose(slot.robot.joint_position_rad, joints_at(seen_ns), atol=1e-9)
    assert "tool poses held" not in aligner.notes


def test_commands_that_end_are_held_and_those_before_the_first_are_the_arm() -> None:
    aligner = Aligner(config())
    events = [
        *stream("rgb", 0.05, seconds=2),
        *stream("depth", 0.05, seconds=2),
        *stream("state", 0.01, seconds=2.1),
        *[e for e in stream("command", 0.01, seconds=1) if e[0] >= START_NS + 500_000_000],
    ]
    slots = feed(aligner, sorted(events)) + aligner.take(at_end=True)
    assert aligner.notes["frames before the first command"] >= 9
    assert aligner.notes["commands held"] >= 10
    first, last = slots[0], slots[-1]
    np.testing.assert_allclose(first.base_from_target, tool_pose(1), atol=1e-9)
    assert first.action[6] == 0.5
    np.testing.assert_allclose(last.action[:6], 0, atol=1e-12)
    np.testing.assert_allclose(last.base_from_target, tool_pose(21), atol=1e-9)


def test_what_comes_twice_or_late_is_counted_and_memory_is_bounded() -> None:
    aligner = Aligner(config(buffer=8))
    for stamp_ns in (5, 5, 4):
        aligner.add_image("front", stamp_ns, None)
    assert aligner.notes["late images of front"] == 2
    for stamp_ns in range(6, 100):
        aligner.add_image("front", stamp_ns, None)
    assert aligner.notes["dropped (too slow) images of front"] == 95 - 8


@given(share=st.floats(0, 1))
def test_between_two_poses_the_way_is_even(share: float) -> None:
    between = pose_between(tool_pose(0), tool_pose(30), share)
    np.testing.assert_allclose(between, tool_pose(30 * share), atol=1e-9)  # pyright: ignore
