"""Frames that nobody counted, and processes that grow."""

import mmap
import os
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from soak_cases import NS, violated

from robot_vision.core.parameters.soak_config import SoakConfig
from robot_vision.soak.checks.frames import FrameCount
from robot_vision.soak.checks.machine import Sample, growth, judge_growth, look
from robot_vision.soak.ledger import INVARIANTS, Ledger

CONFIG = SoakConfig()


def counted(results: int, drops: dict[str, int], *, later: int = 0) -> set[str]:
    """A hundred frames sent in ten seconds, after ten of which all is known."""
    ledger = Ledger()
    frames = FrameCount(ledger, CONFIG)

    def count(stamp_ns: int, outputs: int, dropped: dict[str, int]) -> None:
        values = {f"dropped: {cause}": str(count) for cause, count in dropped.items()}
        frames.inputs(stamp_ns, values | {"rgb_hz": "10.0"})
        frames.outputs({"outputs": str(outputs)})

    for k in range(10):
        frames.sent_at(k * NS // 10)
    count(NS, 10, {})
    frames.check()
    for k in range(10, 100 + later):
        frames.sent_at(k * NS // 10)
    count(10 * NS - 1, results, drops)
    frames.check()
    return violated(ledger)


def test_frames_are_results_or_drops_by_cause() -> None:
    assert counted(100, {}) == set()
    assert counted(60, {"superseded": 30, "image unreadable": 10}) == set()
    assert counted(100, {}, later=50) == set()
    assert counted(97, {}) == set()
    assert counted(90, {}) == {"frames counted"}
    # Depth is not what is counted here.
    assert counted(60, {"depth without stamp": 40}) == {"frames counted"}


def samples(
    minutes: float,
    *,
    mb_per_h: float = 0.0,
    jump_mb: float = 0.0,
    threads: int = 0,
    segments: int = 0,
    shared_mb_per_h: float = 0.0,
) -> list[Sample]:
    made = []
    for at_s in range(0, round(minutes * 60), 2):
        late = at_s > 0.6 * minutes * 60
        made.append(
            Sample(
                at_s=at_s,
                rss_mb=700 + shared_mb_per_h * at_s / 3600,
                private_mb=400 + mb_per_h * at_s / 3600 + jump_mb * late + (at_s % 10) / 10,
                segments=5 + segments * late,
                children=1,
                threads=30 + threads * late,
                files=40,
                cpu_s=at_s / 2,
            )
        )
    return made


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (samples(60), set()),
        (samples(60, mb_per_h=0.5), set()),
        (samples(60, mb_per_h=3.0), {"memory"}),
        (samples(5, jump_mb=30), set()),
        (samples(5, jump_mb=200), {"memory"}),
        (samples(5, threads=20), {"threads"}),
        (samples(60, segments=3), {"segments"}),
        # Pages of shared segments count from the first touch on; their size bounds them.
        (samples(60, shared_mb_per_h=60.0), set()),
    ],
)
def test_growth(found: list[Sample], wrong: set[str]) -> None:
    ledger = Ledger()
    grown = growth("service", found, CONFIG)
    assert grown is not None
    assert (grown.slope_mb_per_h is None) == (found[-1].at_s < 1800)
    judge_growth(grown, CONFIG, ledger)
    assert violated(ledger) == wrong


def test_growth_of_files_and_runs_too_short_to_say() -> None:
    ledger = Ledger()
    few = samples(5)
    more = [replace(s, files=round(s.at_s)) for s in few]
    grown = growth("service", more, CONFIG)
    assert grown is not None
    judge_growth(grown, CONFIG, ledger)
    assert violated(ledger) == {"files"}
    assert growth("service", few[:5], CONFIG) is None


def test_a_look_at_this_process_and_at_one_that_is_gone() -> None:
    seen = look(os.getpid(), 1.0)
    assert seen is not None
    assert seen.rss_mb > seen.private_mb > 10
    assert seen.threads >= 1
    assert look(2**22 + 1, 1.0) is None


def test_a_mapped_segment_counts_once() -> None:
    before = look(os.getpid(), 1.0)
    path = Path(f"/dev/shm/fastrtps_{uuid4().hex[:16]}")
    path.write_bytes(bytes(4096))
    try:
        with path.open("r+b") as file:
            first, second = mmap.mmap(file.fileno(), 0), mmap.mmap(file.fileno(), 0)
            seen = look(os.getpid(), 2.0)
            first.close()
            second.close()
    finally:
        path.unlink()
    assert before is not None
    assert seen is not None
    assert seen.segments == before.segments + 1


def test_every_violation_is_of_a_known_invariant_and_counted_by_fault() -> None:
    ledger = Ledger()
    with pytest.raises(KeyError, match="unknown invariant 'luck'"):
        ledger.check("luck", True)
    assert ledger.check("speed", True)
    ledger.fault = "arm_nan"
    for k in range(5):
        assert not ledger.check("speed", False, f"leap {k}")
    (violation,) = ledger.violations
    assert (violation.invariant, violation.fault, violation.count) == ("speed", "arm_nan", 5)
    assert len(violation.examples) == 3
    assert ledger.of_fault("arm_nan") == {"speed": 5}
    assert ledger.checks["speed"] == 6
    assert set(INVARIANTS) >= {"speed", "rate", "memory"}
