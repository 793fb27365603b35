"""`bench console`: which block is whose, and what its ratios say."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robot_vision.bench.nodes.console import Block, ratios
from robot_vision.bench.nodes.console_blocks import (
    ALONE,
    CONDITIONS,
    IDLE,
    WATCHED,
    condition_at,
    condition_of,
)
from robot_vision.cli import app


def test_every_round_has_each_condition_and_the_order_changes() -> None:
    rounds = [tuple(condition_of(3 * number + place) for place in range(3)) for number in range(6)]
    assert all(set(one) == set(CONDITIONS) for one in rounds)
    assert len(set(rounds)) == 6
    assert condition_at(47.9, 4.0) == condition_of(11)
    assert condition_at(48.0, 4.0) == condition_of(12)


def rounds_of(*ages_ms: dict[str, Sequence[float]]) -> list[Block]:
    return [
        Block(condition=condition, age_ms=one[condition], cpu_ms=1.0)
        for one in ages_ms
        for condition in CONDITIONS
    ]


def test_ratios_are_those_of_all_rounds_together() -> None:
    slow, fast = [20.0, 40.0], [10.0, 20.0]
    result = ratios(
        rounds_of(
            {ALONE: fast, IDLE: fast, WATCHED: slow}, {ALONE: slow, IDLE: slow, WATCHED: slow}
        )
    )
    assert result["idle_p50_ratio"] == 1.0
    assert result["idle_p50_ratio, 95 % interval"] == "1.000 to 1.000"
    assert result["watched_p50_ratio"] == 1.5  # 30 ms over 20 ms
    assert result["watched_p50_ratio, 95 % interval"] == "1.000 to 2.000"


@pytest.mark.slow
@pytest.mark.ros
def test_the_measurement_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from robot_vision.ros.tools.processes import free_domain

    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    out = tmp_path / "console.json"
    done = CliRunner().invoke(
        app, ["bench", "console", "--rounds=1", "--seconds=2.5", f"--out={out}"]
    )
    assert done.exit_code == 0, done.output
    result = json.loads(out.read_text())
    assert set(result["stage_ms"]) == {f"age, {condition}" for condition in CONDITIONS}
    assert result["viewer_messages_hz"] > 1
