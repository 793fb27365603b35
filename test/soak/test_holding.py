"""Holds that come, come late or do not last, judged by stamps."""

from random import Random

import numpy as np
import pytest
from soak_cases import CONFIG, NS, PERIOD_NS, POLICY, START_M, command, violated

from robot_vision.core.results.policy_status import PolicyStatus
from robot_vision.soak.checks.command_checks import SentCommand
from robot_vision.soak.checks.holding import HeldStays, HoldJudge, Verdict, braking_s
from robot_vision.soak.fault import Fault, Rig
from robot_vision.soak.ledger import Ledger

STATUS_NS = NS // 10
BEGIN_NS = 10 * NS


def nothing(rig: Rig, random: Random) -> None:  # noqa: ARG001
    raise AssertionError("never begun")


def a_fault(**values: float) -> Fault:
    return Fault(
        name="arm_lies",
        about="It lies.",
        steps=nothing,  # pyright: ignore[reportArgumentType]
        least_s=1.0,
        most_s=2.0,
        must_hold=True,
        known_after_s=values.pop("known_after_s", 0.2),
        **values,
    )


def judged(
    *,
    held_after_s: float,
    stands_after_s: float,
    lasts_s: float = 2.0,
    speed: float = 0.3,
    **values: float,
) -> tuple[Verdict, set[str]]:
    """A fault under which statuses hold and commands stand from so long after it began on."""
    ledger = Ledger()
    statuses = [
        PolicyStatus(stamp_ns=at, enabled=True, holding=at - BEGIN_NS >= held_after_s * NS)
        for at in range(BEGIN_NS - NS, BEGIN_NS + round(lasts_s * NS), STATUS_NS)
    ]
    commands = []
    for at in range(BEGIN_NS - NS, BEGIN_NS + round(lasts_s * NS), PERIOD_NS):
        went_s = min((at - BEGIN_NS) / NS, stands_after_s)
        commands.append(command(at, START_M + np.array([0.0, speed * went_s, 0.0])))
    verdict = HoldJudge(ledger, POLICY, CONFIG).judge(
        a_fault(**values),
        begin_ns=BEGIN_NS,
        end_ns=BEGIN_NS + round(lasts_s * NS),
        commands=commands,
        statuses=statuses,
    )
    return verdict, violated(ledger)


def test_a_hold_in_time_is_held() -> None:
    assert judged(held_after_s=0.2, stands_after_s=0.4) == ("held", set())


def test_a_hold_that_is_reported_late_or_never() -> None:
    assert judged(held_after_s=0.8, stands_after_s=0.4) == ("not held", {"hold reported"})
    assert judged(held_after_s=9.0, stands_after_s=9.0) == (
        "not held",
        {"hold reported", "stands"},
    )


def test_commands_that_go_on_under_a_reported_hold() -> None:
    assert judged(held_after_s=0.2, stands_after_s=1.5) == ("not held", {"stands"})


def test_what_is_too_short_or_hardly_moves_is_not_judged() -> None:
    assert judged(held_after_s=9, stands_after_s=9, lasts_s=0.25)[0] == "too short to judge"
    slow = judged(held_after_s=9, stands_after_s=9, speed=0.01, travel_m=0.1)
    assert slow == ("no hold required", set())
    quick = judged(held_after_s=9, stands_after_s=9, speed=0.3, travel_m=0.1)
    assert quick == ("not held", {"hold reported", "stands"})
    # The truth is back before the fault ends.
    assert judged(held_after_s=0.2, stands_after_s=9, judged_s=0.5)[0] == "held"


def test_braking_takes_what_the_limits_say() -> None:
    assert braking_s(POLICY) == pytest.approx(0.4 / 3 + 2 * 3 / 60)


def stays(from_s: float, until_s: float, *, holding: bool = True, followed: bool = False) -> set:
    """Commands move between two moments; it holds all the time, by its statuses."""
    ledger = Ledger()
    held = HeldStays(ledger, POLICY, CONFIG)

    def place(at_ns: int) -> SentCommand:
        went_s = max(min((at_ns - NS) / NS, until_s) - from_s, 0.0)
        return command(at_ns, START_M + np.array([0.0, 0.0, 0.1 * went_s]))

    for k in range(20):
        for at_ns in range(NS + k * STATUS_NS, NS + (k + 1) * STATUS_NS, PERIOD_NS):
            held.add(place(at_ns))
        status = PolicyStatus(stamp_ns=NS + (k + 1) * STATUS_NS, enabled=True, holding=holding)
        held.said(status, followed=followed)
    return violated(ledger)


def test_a_held_arm_stays() -> None:
    assert stays(0.0, 0.0) == set()
    assert stays(1.0, 1.5) == {"held stays"}
    # It brakes at first.
    assert stays(0.0, 0.3) == set()
    # It did not hold, or not between two statuses.
    assert stays(0.0, 2.0, holding=False) == set()
    assert stays(0.0, 2.0, followed=True) == set()
