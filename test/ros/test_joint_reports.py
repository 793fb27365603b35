"""Joint states of several publishers: merged by name, forgotten when lost, refused when twice."""

import math

import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from robot_vision.ros.messages.convert import stamp_from_ns
from robot_vision.ros.policy.joint_reports import JointReports

NS = 1_000_000_000
pytestmark = pytest.mark.ros


def message(at_s: float, **joints: float) -> JointState:
    header = Header(stamp=stamp_from_ns(round(at_s * NS)))
    return JointState(header=header, name=list(joints), position=list(joints.values()))


def heard(*messages: tuple[float, int | None, dict[str, float]]) -> JointReports:
    reports = JointReports()
    for at_s, number, joints in messages:
        reports.add(message(at_s, **joints), sequence=number, now_ns=round(at_s * NS))
    return reports


def test_arm_and_gripper_may_publish_apart() -> None:
    reports = heard(
        (10.0, 1, {"a": 1, "b": 2}), (10.1, 1, {"grip": 3}), (10.2, 2, {"a": 4, "b": 5})
    )
    positions, stamp_ns = reports.positions((), gripper="grip")
    assert positions == {"a": 4, "b": 5, "grip": 3}
    assert stamp_ns == round(10.1 * NS)
    assert reports.reported_twice(round(10.2 * NS)) == ()


def test_other_joints_do_not_make_the_arm_old() -> None:
    arm = [(10 + k / 50, k, {"a": 1, "b": 2, "grip": 3}) for k in range(50)]
    reports = heard((10.0, 1, {"head": math.nan}), *arm)
    positions, stamp_ns = reports.positions((), gripper="grip")
    assert list(positions) == ["a", "b", "grip"]
    assert stamp_ns == round(10.98 * NS)
    assert "head" in reports.positions(("head",), gripper="grip")[0]


def test_a_joint_that_is_not_reported_any_more_makes_the_state_old_and_is_then_forgotten() -> None:
    arm = {"a": 1.0, "b": 2.0, "grip": 3.0}
    before = heard((10.0, 1, arm), (11.9, 2, {"a": 3}), (11.9, 2, {"grip": 3}))
    assert before.positions(("a", "b"), gripper="grip")[1] == 10 * NS
    after = heard((10.0, 1, arm), (12.1, 2, {"a": 3}), (12.1, 2, {"grip": 3}))
    with pytest.raises(ValueError, match="no joint 'b' with a position; it has 'a, grip'"):
        after.positions(("a", "b"), gripper="grip")
    assert after.positions((), gripper="grip") == ({"a": 3, "grip": 3}, round(12.1 * NS))


def test_a_stamp_that_says_nothing_changes_nothing() -> None:
    reports = heard((10.0, 1, {"a": 1, "grip": 2}))
    for stamp_s, now_s in ((0.0, 10.0), (60.0, 10.0)):
        with pytest.raises(ValueError, match="stamp"):
            reports.add(message(stamp_s, a=5.0), sequence=2, now_ns=round(now_s * NS))
    assert reports.positions((), gripper="grip") == ({"a": 1, "grip": 2}, 10 * NS)


def test_one_joint_in_two_sets_of_names_is_reported_twice() -> None:
    reports = heard((10.0, 1, {"a": 1, "b": 2}), (10.01, 1, {"b": 3, "c": 4}))
    assert reports.reported_twice(round(10.1 * NS)) == ("b",)
    assert reports.reported_twice(round(11.5 * NS)) == ()


def test_the_same_joints_twice_are_found_by_the_messages_numbers() -> None:
    one = heard(*[(10 + k / 50, k, {"a": 1.0}) for k in range(20)])
    assert one.reported_twice(round(10.4 * NS)) == ()
    restarted = heard((10.0, 90, {"a": 1.0}), (10.1, 1, {"a": 1.0}), (10.2, 2, {"a": 1.0}))
    assert restarted.reported_twice(round(10.2 * NS)) == ()
    two = heard(*[(10 + k / 100, 50 * (k % 2) + k // 2, {"a": 1.0}) for k in range(20)])
    assert two.reported_twice(round(10.2 * NS)) == ("a",)


def test_no_robot_has_a_thousand_joints() -> None:
    with pytest.raises(ValueError, match="more than 256 joints"):
        heard((10.0, 1, {f"j{k}": 0.0 for k in range(300)}))
