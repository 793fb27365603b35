"""Reports of joints that cannot be true are refused, and those that can are not."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.arm.urdf import read_urdf
from robot_vision.self_filter.believed_joints import BelievedJoints

ROBOT = """<robot name="arm"><link name="base"/><link name="upper"/><link name="wrist"/>
  <joint name="elbow" type="revolute"><parent link="base"/><child link="upper"/>
    <axis xyz="0 0 1"/><limit lower="-2" upper="2" velocity="3" effort="1"/></joint>
  <joint name="roll" type="continuous"><parent link="upper"/><child link="wrist"/>
    <axis xyz="0 0 1"/></joint></robot>"""
STEP_NS = 10_000_000
MAX_SPEED = 15.0


def believed(*, max_speed: float = MAX_SPEED) -> BelievedJoints:
    return BelievedJoints(read_urdf(ROBOT), max_speed=max_speed)


def refusals(joints: BelievedJoints, name: str, *positions: float) -> list[str]:
    return [joints.refusal(name, p, stamp_ns=i * STEP_NS) for i, p in enumerate(positions)]


@pytest.mark.parametrize("position", [90.0, -2.2, math.nan, math.inf])
def test_a_position_that_the_joint_cannot_have_is_refused(position: float) -> None:
    (why,) = refusals(believed(), "elbow", position)
    assert "from -2 to 2" in why
    assert "degrees" in why


def test_one_lie_costs_itself_and_the_report_after_it() -> None:
    said = refusals(believed(), "elbow", 0.0, 1.5, 0.0, 0.0)
    assert [bool(why) for why in said] == [False, True, True, False]
    assert "jumps by 1.5 in 0.01 s" in said[1]


def test_a_robot_that_was_set_up_elsewhere_is_believed_again() -> None:
    assert [bool(why) for why in refusals(believed(), "elbow", 0.0, 1.5, 1.5)] == [0, 1, 0]


def test_the_report_that_confirms_brings_the_one_that_was_doubted() -> None:
    """Else the joints between the two would be halfway between where they were and are."""
    joints = believed()
    assert joints.take(["elbow", "roll"], [0.0, 0.0], stamp_ns=0) == (
        [(0, {"elbow": 0.0, "roll": 0.0})],
        [],
    )
    kept, (why,) = joints.take(["elbow", "roll"], [1.5, 0.1], stamp_ns=STEP_NS)
    assert kept == [(STEP_NS, {"roll": 0.1})]
    assert "jumps by 1.5" in why
    again = joints.take(["elbow", "roll"], [1.5, 0.2], stamp_ns=2 * STEP_NS)
    both = {"elbow": 1.5, "roll": 0.2}
    assert again == ([(STEP_NS, {"elbow": 1.5}), (2 * STEP_NS, both)], [])
    assert len(joints.take(["elbow"], [1.5], stamp_ns=3 * STEP_NS)[0]) == 1, "once"


def test_a_lie_is_never_brought_back() -> None:
    joints = believed()
    stamps_ns = [i * STEP_NS for i in range(4)]
    taken = [
        joints.take(["elbow"], [position], stamp_ns=stamp_ns)[0]
        for stamp_ns, position in zip(stamps_ns, (0.0, 1.5, 0.0, 0.0), strict=True)
    ]
    said = [kept["elbow"] for reports in taken for _, kept in reports if kept]
    assert said == [0.0, 0.0, 0.0]


def test_a_turn_through_pi_is_not_a_leap() -> None:
    assert not any(refusals(believed(), "roll", 3.1, -3.1, 3.1))
    assert any(refusals(believed(), "roll", 0.0, 3.1))


def test_joints_of_other_robots_and_clocks_set_back_are_not_judged() -> None:
    joints = believed()
    assert not any(refusals(joints, "wheel", 0.0, 1e6))
    assert not any(refusals(joints, "elbow", 0.0, 0.01, 0.02))
    assert not joints.refusal("elbow", 1.5, stamp_ns=0)


def test_leaps_are_not_looked_at_where_that_is_off() -> None:
    assert not any(refusals(believed(max_speed=0.0), "elbow", 0.0, 1.9, -1.9))


@given(st.lists(st.floats(-1, 1), max_size=50))
def test_what_moves_no_faster_than_allowed_is_never_refused(shares: list[float]) -> None:
    positions = [0.0]
    for share in shares:
        step = share * MAX_SPEED * STEP_NS / 1e9
        positions.append(min(2.0, max(-2.0, positions[-1] + step)))
    assert not any(refusals(believed(), "elbow", *positions))
