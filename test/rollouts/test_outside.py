"""The example of an outside simulator, and what an environment must not do."""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

if find_spec("mujoco") is None:  # not imported here: `gl` chooses the way to render first
    pytest.skip("mujoco is not installed", allow_module_level=True)

from pixel_stand_in import StandIn, shown

from robot_vision.core.code_permission import permit_code
from robot_vision.core.errors import ConfigError
from robot_vision.rollouts import evaluate
from robot_vision.rollouts.evaluate import evaluate_policy
from robot_vision.rollouts.outside import environment_of

EXAMPLE = Path(__file__).parents[2] / "examples" / "outside_simulator" / "reacher.py"
NAME = f"{EXAMPLE}:make"
COLORS_RGB = {"red": (200, 40, 40), "green": (40, 180, 60), "blue": (50, 70, 210)}


@pytest.fixture(autouse=True)
def permitted() -> Iterator[None]:
    environment_of.cache_clear()
    permit_code(True)
    yield
    permit_code(False)


def place_m(row: float, column: float) -> np.ndarray:
    """Where in the base frame the example's camera shows a pixel."""
    return np.array([0.3, -0.2]) + (np.array([column, row]) + 0.5) * 0.4 / 64


def judged(
    monkeypatch: pytest.MonkeyPatch, policy: StandIn, *, episodes: int = 1, out: Path | None = None
) -> dict:
    monkeypatch.setattr(evaluate, "policy_of", lambda _: policy)
    monkeypatch.setattr(
        evaluate, "find_policy", lambda _: SimpleNamespace(manifest=policy.manifest)
    )
    report = evaluate_policy(
        "stand-in",
        conditions=[],
        episodes=episodes,
        seed=0,
        latency_s=0.06,
        processes=1,
        environment=NAME,
        out=out,
    )
    return report["conditions"][NAME]


def test_the_example_needs_sight_and_hearing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = judged(
        monkeypatch, StandIn(shown("front"), COLORS_RGB, place_m), episodes=2, out=tmp_path
    )
    assert found["success"] == {"share": 1.0, "low": 0.3424, "high": 1.0, "n": 2}
    assert found["reacher"] == found["success"]
    assert found["starved"] == 0
    deaf = StandIn(shown("front"), {}, place_m)
    assert judged(monkeypatch, deaf)["success"]["share"] == 0


def test_an_environment_is_code_that_has_to_be_allowed() -> None:
    permit_code(False)
    with pytest.raises(ConfigError, match="--allow-code"):
        environment_of(NAME)


@pytest.mark.parametrize(
    "name", ["reacher", "no_such_module:make", f"{EXAMPLE}:no_such", "a.py:b"]
)
def test_an_environment_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="environment"):
        environment_of(name)


def test_a_camera_that_the_environment_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"no camera 'wrist'.*\['front'\]"):
        judged(monkeypatch, StandIn(shown("wrist"), COLORS_RGB, place_m))
