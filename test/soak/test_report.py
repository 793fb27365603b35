"""The report names what was violated and during what, in words, numbers and pictures."""

import json
from pathlib import Path
from xml.etree import ElementTree

from robot_vision.soak.checks.machine import Growth, Sample
from robot_vision.soak.ledger import INVARIANTS, Ledger
from robot_vision.soak.outcome import FaultRun, Outcome, Rates
from robot_vision.soak.report import write_report


def a_run(number: int, name: str, **values: object) -> FaultRun:
    given = {
        "verdict": "held",
        "recovered_s": 0.4,
        "enabled_again": False,
        "new_scene": False,
        "frames_lost": 0,
        "violations": {},
    } | values
    return FaultRun(
        number=number, name=name, begin_s=5.0 * number, end_s=5.0 * number + 2, **given
    )


def an_outcome() -> Outcome:
    outcome = Outcome(seed=7, faults=["arm_nan", "camera_black"], wanted_s=60.0, seconds=30.0)
    outcome.ended = "interrupted"
    outcome.runs = [
        a_run(0, "arm_nan"),
        a_run(1, "camera_black", verdict="no hold required"),
        a_run(2, "arm_nan", verdict="not held", recovered_s=None, violations={"speed": 3}),
    ]
    samples = [
        Sample(
            at_s=2.0 * k,
            rss_mb=600 + k,
            private_mb=400 + k,
            segments=4,
            children=1,
            threads=30,
            files=20,
            cpu_s=1.0 * k,
        )
        for k in range(10)
    ]
    outcome.samples = {"service": samples}
    outcome.growth = [
        Growth(
            process="service",
            slope_mb_per_h=None,
            growth_mb=5.0,
            segments=0,
            children=0,
            threads=0,
            files=0,
        )
    ]
    outcome.rates = [
        Rates(
            at_s=2.0 * k,
            results_hz=10.0,
            commands_hz=100.0,
            result_age_p95_ms=60.0,
            command_age_p95_ms=70.0 if k % 3 else None,
        )
        for k in range(10)
    ]
    outcome.frames_sent = 300
    return outcome


def test_a_report_with_a_violation(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.fault = "arm_nan"
    ledger.check("frame", True)
    ledger.check("speed", False, "leapt | to <b>\nzeros")
    path = write_report(tmp_path / "out", an_outcome(), ledger)
    words = path.read_text()
    assert "**1 violations**" in words
    assert "| speed | arm_nan | 1 |" in words
    assert "leapt \\| to &lt;b> zeros |" in words
    assert "| arm_nan | 2 | 1 of 2 | 1 of 2 | 0.4, 0.4 | 0 | 3 |" in words
    assert "interrupted" in words
    for name in INVARIANTS:
        assert f"| {name} |" in words
    figures = json.loads((path.parent / "report.json").read_text())
    assert figures["passed"] is False
    assert figures["invariants"]["speed"]["violations"][0]["fault"] == "arm_nan"
    assert figures["invariants"]["frame"] == {
        "says": INVARIANTS["frame"],
        "checks": 1,
        "violations": [],
    }
    assert len(figures["runs"]) == 3
    for name in ("faults.svg", "memory.svg", "rates.svg", "ages.svg"):
        assert f"]({name})" in words
        ElementTree.fromstring((path.parent / name).read_text())  # noqa: S314 - our own file
    assert "service" in (path.parent / "memory.svg").read_text()


def test_a_report_of_nothing_but_good(tmp_path: Path) -> None:
    ledger = Ledger()
    ledger.check("speed", True)
    outcome = Outcome(seed=0, faults=[], wanted_s=1.0, ended="interrupted")
    words = write_report(tmp_path, outcome, ledger).read_text()
    assert "**No invariant was violated**" in words
    assert json.loads((tmp_path / "report.json").read_text())["passed"] is True
