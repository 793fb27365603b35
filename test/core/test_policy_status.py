"""The policy's status as JSON: what is written is read, by readers of other versions too."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.results.policy_status import POLICY_STATUS, PolicyStatus, Pose, ServerStatus

FIGURE = st.floats(-1e9, 1e9)
TEXTS = st.lists(st.text(), max_size=3).map(tuple)
SERVER = ServerStatus(
    server="openpi at 10.0.0.1:8000",
    state="lost",
    problem="it does not answer",
    reconnects=2,
    answers=40,
    late_answers=1,
    failed_requests=3,
    latency_ms={"p50": 21.5, "p95": 40.0},
    steps_past_on_arrival=0.4,
    unsaid=("statistics",),
)
VALUES = st.fixed_dictionaries(
    {
        "stamp_ns": st.integers(0, 2**62),
        "enabled": st.booleans(),
        "holding": st.booleans(),
        "reasons": TEXTS,
        "masked": TEXTS,
        "target_id": st.none() | st.integers(-1, 9),
        "action": st.none() | st.lists(FIGURE, max_size=7).map(tuple),
        "interventions": st.dictionaries(st.text(), st.integers(0, 9), max_size=3),
        "joints": st.none() | st.dictionaries(st.text(), FIGURE, max_size=3),
        "policy_server": st.sampled_from([None, SERVER]),
        "late": st.none() | st.integers(0, 9),
    }
)


def written(**changes: Any) -> dict[str, Any]:
    """A status as JSON has it, with fields replaced."""
    status = PolicyStatus(enabled=True, holding=False, policy_server=SERVER)
    return {**json.loads(POLICY_STATUS.write(status)), **changes}


@given(values=VALUES, at=st.tuples(FIGURE, FIGURE, FIGURE))
def test_what_is_written_is_read(values: dict[str, Any], at: tuple[float, float, float]) -> None:
    pose = Pose(position_m=at, quaternion_xyzw=(0.0, 0.0, 0.0, 1.0))
    status = PolicyStatus(**values, pose=pose)
    assert POLICY_STATUS.read(POLICY_STATUS.write(status)) == (status, "")


def test_the_fields_of_the_topic() -> None:
    """Programs outside read these names: a change of them breaks their code."""
    names = (
        "stamp_ns identity masked enabled holding needs_enable reasons instruction "
        "instruction_problem target_id destination_id action pose gripper_open interventions "
        "joints joint_warnings chunk_age_s perception_age_s policy_server camera_warnings "
        "policy_ms command_hz late"
    )
    assert sorted(written()) == sorted(names.split())
    without_server = POLICY_STATUS.write(PolicyStatus(enabled=True, holding=True))
    assert "policy_server" not in json.loads(without_server)


def test_numbers_that_are_not_finite_are_written_as_null() -> None:
    status = PolicyStatus(enabled=True, holding=True, chunk_age_s=float("nan"))
    assert json.loads(POLICY_STATUS.write(status))["chunk_age_s"] is None


def test_fields_of_a_newer_node_are_ignored_with_a_note() -> None:
    status, note = POLICY_STATUS.read(json.dumps(written(mood="calm")))
    assert status.enabled
    assert status.follows
    assert note == "the policy's status has fields that this version ignores: 'mood'"


def test_fields_that_are_missing_are_named() -> None:
    message = written()
    del message["holding"], message["reasons"]
    with pytest.raises(ForeignFileError, match="lacks holding, reasons; expected a sender as new"):
        POLICY_STATUS.read(json.dumps(message))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"enabled": 1}, "enabled = 1"),
        ({"late": -1}, "late = -1"),
        ({"pose": [1, 2]}, "pose = "),
        ({"action": [1e12]}, "action.0 = 1000000000000.0"),
        ({"policy_server": {"state": "ready"}}, "policy_server.server = "),
    ],
)
def test_values_that_are_wrong_are_named(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ForeignFileError, match=words):
        POLICY_STATUS.read(json.dumps(written(**changes)))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 10_000])
def test_input_that_is_not_a_status_is_refused(text: str) -> None:
    with pytest.raises(ForeignFileError, match="the policy's status"):
        POLICY_STATUS.read(text)
