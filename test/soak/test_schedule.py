"""Which fault comes when, and that every fault can be begun and ended on messages."""

from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.checks import changes
from robot_vision.soak.fault import chosen
from robot_vision.soak.schedule import Planned, schedule

CONFIG = SoakConfig()


def first(count: int, seed: int, names: str = "") -> list[Planned]:
    return list(islice(schedule(chosen(names), seed, CONFIG), count))


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    assert first(200, seed=3) == first(200, seed=3)
    assert first(200, seed=3) != first(200, seed=4)


def test_every_fault_comes_once_in_a_round_within_its_bounds() -> None:
    faults = chosen("")
    for of_round in (first(2 * len(faults), 0)[: len(faults)], first(len(faults), 7)):
        assert {planned.fault.name for planned in of_round} == {fault.name for fault in faults}
    for planned in first(300, 1):
        assert planned.fault.least_s <= planned.duration_s <= planned.fault.most_s
        assert CONFIG.least_pause_s <= planned.pause_s <= CONFIG.most_pause_s


def test_faults_are_chosen_by_name_and_unknown_names_are_refused() -> None:
    assert [fault.name for fault in chosen("camera_black, arm_nan")] == ["camera_black", "arm_nan"]
    with pytest.raises(ConfigError, match=r"unknown fault 'arm_bored'; available: .*arm_silent"):
        chosen("arm_bored")


def test_every_fault_says_what_it_is_and_can_be_judged() -> None:
    for fault in chosen(""):
        assert fault.about.endswith("."), fault.name
        assert 0 < fault.least_s <= fault.most_s <= 12, fault.name
        assert not fault.must_hold or fault.known_after_s < fault.most_s, fault.name


def message(x: float = 0.5) -> Any:
    stamp = SimpleNamespace(sec=100, nanosec=500_000_000)
    pose = SimpleNamespace(position=SimpleNamespace(x=x, y=0.0, z=0.3))
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), pose=pose)


def test_changes_of_messages() -> None:
    one, two, three = message(0.1), message(0.2), message(0.3)
    assert changes.nothing(one) == []
    in_pairs = changes.swapped()
    assert [in_pairs(m) for m in (one, two, three)] == [[], [two, one], []]
    either = changes.first(1, changes.nothing, changes.as_it_is)
    assert [either(m) for m in (one, two, three)] == [[], [two], [three]]
    still = changes.frozen("pose")
    assert [still(m)[0].pose.position.x for m in (message(0.1), message(0.9))] == [0.1, 0.1]
    (late,) = changes.shifted(-0.75)(message())
    assert (late.header.stamp.sec, late.header.stamp.nanosec) == (99, 750_000_000)
    (unstamped,) = changes.unstamped(message())
    assert (unstamped.header.stamp.sec, unstamped.header.stamp.nanosec) == (0, 0)
