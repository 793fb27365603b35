"""A service whose models are changed all day needs no more memory than at first."""

import json
import subprocess
import sys

SWAPS = 24
# Without anything given back the first 24 swaps take 100 MB and more.
MOST_GROWTH_MB = 60

MEASURE = f"""
import json
from robot_vision.bench.nodes.swaps import bench_swaps
from robot_vision.core.parameters.config import ServiceConfig
print(json.dumps(bench_swaps(ServiceConfig(model="native-s", threads=2), count={SWAPS})))
"""


def test_swapping_models_does_not_grow_memory() -> None:
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE], capture_output=True, text=True, check=True, timeout=270
    )
    result = json.loads(measured.stdout.splitlines()[-1])
    memory_mb = result["memory_mb"]
    assert len(memory_mb) == SWAPS
    warmed_up_mb = max(memory_mb[:4])
    assert max(memory_mb[4:]) < warmed_up_mb + MOST_GROWTH_MB, memory_mb
    assert {"load", "swap", "give back", "frame"} <= set(result["stage_ms"])
