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

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.code_permission import permit_code
from robot_vision.rollouts.evaluating import evaluate
from robot_vision.rollouts.evaluating.evaluate import evaluate_policy
from robot_vision.rollouts.evaluating.outside import environment_of

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
    monkeypatch: pytest.MonkeyPatch,
    policy: StandIn,
    *,
    episodes: int = 1,
    out: Path | None = None,
    name: str = NAME,
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
        environment=name,
        out=out,
    )
    return report["conditions"][name]


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


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ("del Reacher.is_done", "lacks is_done"),
        ("Reacher.control_s = 0.0", "control_s is 0.0"),
        ("Reacher.reset = lambda self, seed: None", "reset returned 'None'"),
        ("change(rgb={'front': np.zeros((64, 64, 3))})", "'front' is float64"),
        ("change(rgb={'front': np.zeros((3, 64, 64), np.uint8)})", r"shape \(3, 64, 64\)"),
        ("change(base_from_tool=np.zeros((4, 4)))", "expected a 4×4 matrix"),
        ("change(base_from_tool=np.full((4, 4), np.nan))", "expected a 4×4 matrix"),
        ("change(gripper_open=80.0)", r"gripper_open is 80.0, expected 0 \(closed\) to 1"),
        ("change(joint_names=('a', 'b'))", "expected 2 finite numbers"),
    ],
)
def test_what_an_environment_must_not_report_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, change: str, fault: str
) -> None:
    file = tmp_path / "odd.py"
    file.write_text(
        EXAMPLE.read_text()
        + "\n\nfrom dataclasses import replace\n"
        + "def change(**values):\n    seen = Reacher.observe\n"
        + "    Reacher.observe = lambda self, *, pictures: "
        + "replace(seen(self, pictures=pictures), **values)\n"
        + f"{change}\n"
    )
    with pytest.raises(ConfigError, match=fault):
        judged(monkeypatch, StandIn(shown("front"), COLORS_RGB, place_m), name=f"{file}:make")


def test_a_folder_is_kept_to_one_evaluation(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    policy = StandIn(shown("front"), COLORS_RGB, place_m)
    with pytest.raises(ConfigError, match="has no attribute 'mke'"):
        judged(monkeypatch, policy, out=tmp_path, name=f"{EXAMPLE}:mke")
    judged(monkeypatch, policy, out=tmp_path)  # nothing was in the folder
    other = tmp_path / "other.py"
    other.write_text(EXAMPLE.read_text())
    with pytest.raises(ConfigError, match=r"\(environment '.*make', requested '.*other.py:make'"):
        judged(monkeypatch, policy, out=tmp_path, name=f"{other}:make")
