"""Joint states of several publishers: merged by name, forgotten when lost, refused when twice."""

import math

import pytest

from robot_vision.sync.joint_reports import JointReports

NS = 1_000_000_000


def heard(*messages: tuple[float, int | None, dict[str, float]]) -> JointReports:
    reports = JointReports()
    for at_s, number, joints in messages:
        at_ns = round(at_s * NS)
        names, positions = list(joints), list(joints.values())
        reports.add(names, positions, stamp_ns=at_ns, sequence=number, now_ns=at_ns)
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


def test_names_in_any_order_and_some_left_out_are_one_publisher() -> None:
    arm = {"a": 1.0, "b": 2.0, "c": 3.0}
    turned = dict(reversed(arm.items()))
    partly = {"b": 5.0}
    messages = [(10 + k / 50, k, (arm, turned, partly)[k % 3]) for k in range(48)]
    reports = heard(*messages, (10.96, 3, {"grip": 0.5}), (10.97, 4, {"grip": 0.5}))
    now_ns = round(10.97 * NS)
    assert reports.reported_twice(now_ns) == ()
    assert reports.names() == ("a", "b", "c", "grip")
    positions, stamp_ns = reports.positions((), gripper="grip")
    assert positions == {"a": 1.0, "b": 5.0, "c": 3.0, "grip": 0.5}
    assert stamp_ns == round(10.92 * NS)  # of the joints that the last message left out


def test_without_numbers_only_names_that_overlap_are_two_publishers() -> None:
    one = heard((10.0, None, {"a": 1, "b": 2}), (10.1, None, {"a": 1}), (10.2, None, {"b": 2}))
    assert one.reported_twice(round(10.2 * NS)) == ()
    two = heard((10.0, None, {"a": 1, "b": 2}), (10.1, None, {"b": 1, "c": 2}))
    assert two.reported_twice(round(10.2 * NS)) == ("b",)


def test_two_arms_have_all_their_joints_in_an_order_that_is_always_the_same() -> None:
    left, right = {"l1": 1.0, "l0": 2.0}, {"r1": 3.0, "r0": 4.0}
    for first, second in ((left, right), (right, left)):
        reports = heard((10.0, 1, {"grip": 0.0}), (10.1, 1, first), (10.1, 1, second))
        assert reports.names() == ("l1", "l0", "r1", "r0", "grip")
        assert reports.positions((), gripper="grip")[0].keys() == {*left, *right, "grip"}


@pytest.mark.parametrize(
    ("names", "positions"), [(["a", "b"], [1.0]), (["a"], [1.0, 2.0]), (["a", "a"], [1.0, 2.0])]
)
def test_positions_that_do_not_match_the_names_change_nothing(
    names: list[str], positions: list[float]
) -> None:
    reports = heard((10.0, 1, {"a": 1, "grip": 2}))
    with pytest.raises(ValueError, match="expected one for each, no name twice"):
        reports.add(names, positions, stamp_ns=11 * NS, sequence=2, now_ns=11 * NS)
    assert reports.add(["a"], [], stamp_ns=11 * NS, sequence=3, now_ns=11 * NS) == {}
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
