"""Two runs compared episode by episode, and every joint command against its limits."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("robot_vision.simulation.picture.gl", exc_type=ImportError)

from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.errors import ConfigError
from robot_vision.core.manifests.action_spec import JointSpec
from robot_vision.core.types import Command, JointCommand
from robot_vision.rollouts.evaluating.evaluate import evaluate_policy
from robot_vision.rollouts.evaluating.joint_audit import JointAudit
from robot_vision.rollouts.evaluating.summary import tango

SPEC = JointSpec(
    names=("a", "b"),
    lower=(-1.0, -1.0),
    upper=(1.0, 1.0),
    max_velocity=(2.0, 1.0),
    max_acceleration=(10.0, 10.0),
)
PERIOD_NS = 10_000_000


def audited(positions: list[tuple[float, float]]) -> dict[str, int]:
    audit = JointAudit(SPEC)
    for tick, position in enumerate(positions):
        joints = JointCommand(names=SPEC.names, position=np.array(position), velocity=np.zeros(2))
        audit.note(
            Command(
                stamp_ns=tick * PERIOD_NS,
                observation_stamp_ns=0,
                base_from_tool=np.eye(4),
                twist=np.zeros(6),
                gripper_open=1.0,
                action=np.zeros(7),
                holding=False,
                reasons=(),
                interventions=(),
                joints=joints,
            )
        )
    return audit.violations


def test_commands_within_the_limits_count_as_none() -> None:
    velocity = np.minimum(np.arange(30) * 0.1, 1.0)  # 10 rad/s², then 1 rad/s
    place = np.cumsum(velocity) * 0.01
    found = audited([(float(x), float(-x)) for x in place])
    assert found == {"position": 0, "velocity": 0, "acceleration": 0}


def test_each_limit_is_found_from_positions_alone() -> None:
    assert audited([(1.001, 0.0)])["position"] == 1
    velocity = np.minimum(np.arange(30) * 0.1, 1.1)
    fast = audited([(0.0, float(x)) for x in np.cumsum(velocity) * 0.01])
    assert fast == {"position": 0, "velocity": 19, "acceleration": 0}
    assert audited([(0.0, 0.0), (0.002, 0.0), (0.004, 0.0)])["acceleration"] == 1


@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
def test_the_paired_interval_holds_the_difference_and_mirrors(
    gained: int, lost: int, same: int
) -> None:
    count = gained + lost + same
    if not count:
        return
    low, high = tango(gained, lost, count)
    assert -1 <= low <= (gained - lost) / count <= high <= 1
    assert tango(lost, gained, count) == pytest.approx((-high, -low), abs=1e-9)


def test_the_paired_interval_without_differences_is_known() -> None:
    z2 = 1.96**2  # Tango (1998): ± z² / (n + z²)
    assert tango(0, 0, 50) == pytest.approx((-z2 / (50 + z2), z2 / (50 + z2)), abs=1e-9)


def test_other_scenes_are_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = {"policy": "any", "seed": 7}
    (tmp_path / "episodes.jsonl").write_text(json.dumps(first) + "\n")
    from robot_vision.rollouts.evaluating import evaluate

    setup = evaluate.Setup(
        policy="any", policy_id="any@1", policy_sha256="", perception_model="", seed=1,
        latency_s=0.06,
    )  # fmt: skip
    monkeypatch.setattr(evaluate, "_setup", lambda *_, **__: setup)
    with pytest.raises(ConfigError, match=r"seed '?7'?; expected seed 1"):
        evaluate_policy(
            "any", conditions=["held_out"], episodes=1, seed=1, latency_s=0.06, processes=1,
            against=tmp_path,
        )  # fmt: skip


def test_an_unknown_arm_is_named() -> None:
    from robot_vision.simulation.robot.arms.arms import arm_named

    with pytest.raises(ConfigError, match="'nine'; expected one of seven, six"):
        arm_named("nine")
