"""The service's own stream passes; each way to break it is found, under its name."""

import numpy as np
import pytest
from soak_cases import NS, PERIOD_NS, START_M, UPRIGHT, checks, command, streamed, violated

from robot_vision.core import quaternions
from robot_vision.soak.checks.command_checks import SentCommand
from robot_vision.soak.ledger import Ledger


@pytest.mark.parametrize("seed", range(4))
def test_the_services_own_stream_violates_nothing(seed: int) -> None:
    ledger = Ledger()
    check = checks(ledger)
    for sent in streamed(1500, seed=seed):
        check.add(sent)
    assert ledger.violations == []
    assert ledger.checks["speed"] == 1499
    assert ledger.checks["acceleration"] > 1000
    assert ledger.checks["rate"] > 1000


def still(count: int) -> list[SentCommand]:
    return [command(NS + k * PERIOD_NS) for k in range(count)]


def broken(**changed: object) -> set[str]:
    """What is found where, after a second of standing, one command is another."""
    ledger = Ledger()
    check = checks(ledger)
    for sent in still(100):
        check.add(sent)
    wrong = {"stamp_ns": NS + 100 * PERIOD_NS} | changed
    check.add(command(**wrong))
    return violated(ledger)


def test_no_numbers_and_other_frames() -> None:
    assert broken(position_m=np.array([np.nan, 0.0, 0.3])) == {"finite"}
    assert broken(quaternion=np.full(4, np.inf)) == {"finite"}
    assert broken(frame_id="camera") == {"frame"}


def test_a_leap_and_a_step_that_is_too_quick() -> None:
    assert "speed" in broken(position_m=START_M + np.array([0.1, 0.0, 0.0]))
    # 0.3 m/s is allowed, but not from one period to the next.
    assert broken(position_m=START_M + np.array([0.003, 0.0, 0.0])) == {"acceleration"}
    assert broken(position_m=START_M + np.array([0.0002, 0.0, 0.0])) == set()


def test_a_turn_that_is_too_quick() -> None:
    def turned(rad: float) -> np.ndarray:
        return quaternions.multiply(quaternions.exp(np.array([0.0, 0.0, rad])), UPRIGHT)

    assert "turn speed" in broken(quaternion=turned(0.2))
    assert broken(quaternion=turned(0.012)) == {"turn acceleration"}
    assert broken(quaternion=turned(0.0005)) == set()


def test_zeros_and_places_outside_the_workspace() -> None:
    assert broken(position_m=np.zeros(3)) == {"speed", "workspace", "zeros"}
    assert broken(position_m=np.array([0.4, 0.0, 1e300])) == {"speed", "workspace"}
    ledger = Ledger()
    outside = np.array([0.4, 0.48, 0.3])
    check = checks(ledger, outside)
    check.add(command(NS, outside))
    assert ledger.violations == []


def test_stamps_that_go_back_and_streams_that_pause_or_are_slow() -> None:
    assert broken(stamp_ns=NS) == {"order"}
    assert broken(stamp_ns=NS + 200 * PERIOD_NS) == {"rate"}
    ledger = Ledger()
    check = checks(ledger)
    for k in range(100):
        check.add(command(NS + k * 4 * PERIOD_NS))
    assert violated(ledger) == {"rate"}


def test_a_pause_while_the_service_is_stopped_is_allowed() -> None:
    ledger = Ledger()
    check = checks(ledger)
    for sent in still(100):
        check.add(sent)
    check.allow_gap(NS + 300 * PERIOD_NS)
    check.add(command(NS + 290 * PERIOD_NS))
    assert ledger.violations == []


def test_a_start_elsewhere_is_allowed_after_enabling_alone_and_at_the_true_tool_alone() -> None:
    there = START_M + np.array([0.2, 0.1, 0.0])
    ledger = Ledger()
    check = checks(ledger, there)
    check.enables(NS)
    check.enabled(NS)
    stamps = [NS + k * PERIOD_NS for k in range(300)]
    check.add(command(stamps[0], there))
    check.add(command(stamps[1], there))
    assert ledger.violations == []
    # Enabled again while it holds: the stream may begin anew, at once.
    check = checks(ledger, START_M)
    check.add(command(stamps[0], START_M))
    check.enables(stamps[1])
    check.add(command(stamps[2], START_M))
    check.enabled(stamps[2])
    check.add(command(stamps[3], there))
    assert violated(ledger) == {"start"}
    # Long after it was enabled nothing may leap any more.
    check.add(command(stamps[200], there))
    check.add(command(stamps[201], START_M))
    assert "speed" in violated(ledger)
    # The stream was off: what comes next is a start, wherever it is.
    ledger = Ledger()
    check = checks(ledger, there)
    check.add(command(NS, there))
    check.enables(2 * NS)
    check.enabled(2 * NS)
    check.add(command(9 * NS, START_M))
    assert violated(ledger) == {"start"}


@pytest.mark.parametrize("late_ms", [2, 10, 20, 28])
@pytest.mark.parametrize("jump_mm", [0.01, 0.3, 0.9, 1.2])
def test_a_start_a_millimetre_away_is_a_start_however_late_its_tick(
    late_ms: int, jump_mm: float
) -> None:
    there = START_M + np.array([jump_mm * 1e-3, 0.0, 0.0])
    ledger = Ledger()
    check = checks(ledger, there)
    check.enables(NS)
    for k in range(10):  # a quaternion that turns by rounding, as that of a tool at rest does
        check.add(command(NS + k * PERIOD_NS, quaternion=UPRIGHT + np.eye(4)[0] * (k % 2) * 1e-16))
    began_ns = NS + 9 * PERIOD_NS
    check.enables(began_ns)
    check.enabled(began_ns)
    started_ns = began_ns + late_ms * NS // 1000
    for k in range(10):
        check.add(command(started_ns + k * PERIOD_NS // 4, there))
    assert ledger.violations == []
