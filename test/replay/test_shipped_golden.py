"""The shipped model on the shipped recording still does what the golden file says."""

from pathlib import Path

import pytest

from robot_vision.core.parameters.config import NodeConfig
from robot_vision.replay.jobs.job import Job, run_job

ROOT = Path(__file__).parents[2]
RECORDING = ROOT / "robot_vision" / "data" / "tabletop"
GOLDEN = ROOT / "test" / "golden" / "tabletop.json"


@pytest.mark.skipif(not GOLDEN.exists(), reason=f"no golden file {GOLDEN}")
def test_shipped_recording_has_not_drifted() -> None:
    job = Job(name="tabletop", path=RECORDING, config=NodeConfig(), golden=GOLDEN)
    result = run_job(job)
    assert result["error"] == ""
    assert result["run"]["processed"] == result["run"]["read"] == 165
    assert result["drifts"] == [], "changed on purpose? see test/golden/README.md"
