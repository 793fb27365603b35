"""Joint states of several publishers: merged by name, forgotten when lost, refused when twice."""

import pytest
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from robot_vision.ros.convert import stamp_from_ns
from robot_vision.ros.joint_reports import JointReports

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
    assert reports.positions() == {"a": 4, "b": 5, "grip": 3}
    assert reports.stamp_ns() == round(10.1 * NS)
    assert reports.reported_twice(round(10.2 * NS)) == ()


def test_a_joint_that_is_not_reported_any_more_makes_the_state_old_and_is_then_forgotten() -> None:
    before = heard((10.0, 1, {"a": 1}), (10.0, 1, {"lost": 2}), (11.9, 2, {"a": 3}))
    assert before.stamp_ns() == 10 * NS
    after = heard((10.0, 1, {"a": 1}), (10.0, 1, {"lost": 2}), (12.1, 2, {"a": 3}))
    assert after.positions() == {"a": 3}
    assert after.stamp_ns() == round(12.1 * NS)


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
