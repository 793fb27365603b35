"""Where joints were at a stamp: interpolated, never predicted, and nothing where it is unknown."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.sync.joint_history import JointHistory

NS = 1_000_000_000


def heard(*reports: tuple[float, dict[str, float]]) -> JointHistory:
    history = JointHistory()
    for at_s, joints in reports:
        history.add(list(joints), list(joints.values()), stamp_ns=round(at_s * NS))
    return history


@given(share=st.floats(0, 1), first=st.floats(-3, 3), step=st.floats(-1, 1))
def test_between_two_reports_lies_what_is_between(share: float, first: float, step: float) -> None:
    history = heard((1.0, {"a": first}), (1.1, {"a": first + step}))
    found, stale = history.at(["a"], round((1 + 0.1 * share) * NS), max_age_s=0.1)
    assert not stale
    assert found["a"] == pytest.approx(first + share * step, abs=1e-6)


def test_arm_and_gripper_may_publish_apart() -> None:
    history = heard((1.0, {"a": 0.0}), (1.01, {"grip": 5.0}), (1.02, {"a": 2.0}))
    found, stale = history.at(["a", "grip", "never"], round(1.01 * NS), max_age_s=0.1)
    assert found == {"a": pytest.approx(1.0), "grip": 5.0}
    assert not stale


def test_after_the_newest_report_nothing_is_predicted() -> None:
    history = heard((1.0, {"a": 0.0}), (1.1, {"a": 1.0}))
    assert history.at(["a"], round(1.15 * NS), max_age_s=0.1)[0] == {"a": 1.0}


@pytest.mark.parametrize("at_s", [0.8, 1.25])
def test_a_joint_that_was_not_reported_around_the_frame_is_named(at_s: float) -> None:
    history = heard((1.0, {"a": 0.0, "b": 1.0}), (1.1, {"a": 1.0, "b": 1.0}), (1.25, {"a": 1.0}))
    found, stale = history.at(["a", "b"], round(at_s * NS), max_age_s=0.1)
    assert found == {}
    assert "was last reported 0." in stale
    assert "at most 0.1 s is accepted" in stale


def test_a_clock_that_began_anew_begins_anew() -> None:
    history = heard((100.0, {"a": 0.0}), (1.0, {"a": 3.0}))
    assert history.at(["a"], NS, max_age_s=0.1)[0] == {"a": 3.0}


def test_reports_of_velocities_change_nothing() -> None:
    history = heard((1.0, {"a": 3.0}))
    history.add(["a"], [], stamp_ns=2 * NS)
    assert history.at(["a"], NS, max_age_s=0.1)[0] == {"a": 3.0}


@pytest.mark.parametrize(
    ("names", "positions"), [(["a"], [1.0, 2.0]), (["a"], [math.nan]), ([], [1.0])]
)
def test_input_that_is_not_a_report_is_refused(names: list[str], positions: list[float]) -> None:
    with pytest.raises(ValueError, match="expected a finite one for each"):
        JointHistory().add(names, positions, stamp_ns=NS)


def test_more_joints_than_robots_have_are_refused() -> None:
    with pytest.raises(ValueError, match="more than 256 joints"):
        JointHistory().add([f"j{k}" for k in range(300)], [0.0] * 300, stamp_ns=NS)
