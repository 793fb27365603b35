"""Every client against a server of its protocol: what goes out, and what no fault may do."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import numpy as np
import pytest
from policy_servers import FAULTS, SERVERS, Behaviour
from remote_bundle import LIMIT_S, PATIENT_S, ROWS, observation, remote_bundle

from robot_vision.core.errors import BundleError
from robot_vision.core.types import Decision
from robot_vision.policies.remote.policy import RemotePolicy

# A machine with neighbours; what is measured is whether anything waits for a server.
SLACK_S = 1.0
TOKEN = "s3cret-42"
WORDS = {
    "half": "",
    "steps": "steps",
    "width": "another robot",
    "keys": "",
    "text": "",
    "garbage": "",
    "objects": "",
}


@contextmanager
def asking(
    folder: Path,
    protocol: str,
    behaviour: Behaviour,
    *,
    limit_s: float = PATIENT_S,
    **bundle: Any,
) -> Iterator[tuple[RemotePolicy, Any]]:
    """A policy with its server, connected."""
    server = SERVERS[protocol](behaviour)
    policy = None
    given = {"limit_s": limit_s, **bundle}
    try:
        policy = RemotePolicy(remote_bundle(folder / "mine", protocol, server.url, **given))
        wait_until(policy, "ready")
        yield policy, server
    finally:
        if policy is not None:
            policy.close()
        server.kill()


def wait_until(policy: RemotePolicy, state: str, *, timeout_s: float = 40.0) -> None:
    until_s = monotonic() + timeout_s
    while policy.status().state != state:
        assert monotonic() < until_s, policy.status()
        sleep(0.01)


def decide(policy: RemotePolicy, text: str = "pick it up") -> Decision:
    """One decision, which never takes longer than its limit."""
    started_s = monotonic()
    decision = policy.decide(observation(), policy.instruct(text))
    remote = policy.manifest.remote
    assert remote is not None
    assert monotonic() - started_s < remote["server"]["limit_s"] + SLACK_S
    return decision


def held(policy: RemotePolicy) -> str:
    """The reason of a decision to hold."""
    decision = decide(policy)
    assert decision.action is None
    assert decision.hold_reason
    return decision.hold_reason


def follows(policy: RemotePolicy, *, timeout_s: float = 40.0) -> Decision:
    """Ask until there is a chunk."""
    until_s = monotonic() + timeout_s
    while (decision := decide(policy)).action is None:
        assert monotonic() < until_s, decision.hold_reason
        sleep(0.02)
    return decision


@pytest.mark.parametrize("protocol", SERVERS)
def test_what_goes_out_and_what_comes_back(protocol: str, tmp_path: Path) -> None:
    with asking(tmp_path, protocol, Behaviour(rows=ROWS)) as (policy, server):
        decision = decide(policy)
        assert decision.action is not None
        expected = np.concatenate([ROWS[:, :6], np.ones((len(ROWS), 1))], axis=1)
        np.testing.assert_allclose(decision.action, expected, atol=1e-6)
        picture, state, text = SENT[protocol](server.behaviour.seen[-1])
        assert picture.shape[-3:] == (32, 32, 3)
        assert not picture.reshape(32, 32, 3)[:4].any(), "padded above"
        assert picture.reshape(32, 32, 3)[4:28].any()
        np.testing.assert_allclose(np.ravel(state), [0.4, 0.1, 0.3, np.pi, 0, 0, 0.0], atol=1e-6)
        assert text == "pick it up"
        status = policy.status()
        assert status.answers == 1
        assert 0 < status.latency_ms["p50"] < 1e3 * PATIENT_S


SENT = {
    "openpi": lambda r: (r["observation/image"], r["observation/state"], r["prompt"]),
    "openvla": lambda r: (r["image"], r["state"], r["instruction"]),
    "groot": lambda r: (
        r["video"]["front"],
        np.concatenate([r["state"]["tool"], r["state"]["gripper"]], axis=-1),
        r["language"]["task"][0][0],
    ),
    "lerobot": lambda r: (
        r["front"],
        [r[name] for name in ("x", "y", "z", "rx", "ry", "rz", "gripper")],
        r["task"],
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("protocol", SERVERS)
def test_an_answer_that_is_none_holds_with_words_and_the_next_one_counts(
    protocol: str, fault: str, tmp_path: Path
) -> None:
    behaviour = Behaviour(rows=ROWS)
    with asking(tmp_path, protocol, behaviour) as (policy, _):
        follows(policy)
        behaviour.fault = fault
        if fault == "nan":
            action = decide(policy).action
            assert action is not None
            assert not np.isfinite(action).all(), "the safety filter counts and refuses these"
        else:
            assert WORDS[fault] in held(policy)
        behaviour.fault = ""
        follows(policy)


@pytest.mark.real_time
@pytest.mark.parametrize("protocol", SERVERS)
def test_a_server_that_is_killed_holds_and_is_found_again(protocol: str, tmp_path: Path) -> None:
    behaviour = Behaviour(rows=ROWS)
    with asking(tmp_path, protocol, behaviour, limit_s=LIMIT_S) as (policy, server):
        follows(policy)
        policy.news()
        server.kill()
        killed_s = monotonic()
        reason = held(policy)
        assert monotonic() - killed_s < 2 * LIMIT_S + SLACK_S
        assert "the server at" in reason
        wait_until(policy, "lost")
        assert "is lost" in held(policy)
        again = SERVERS[protocol](behaviour, server.port)
        try:
            wait_until(policy, "ready")
            follows(policy)
            said = policy.news()
            assert any("is lost" in words for words in said)
            assert any("reconnected" in words for words in said)
            assert policy.status().reconnects >= 1
        finally:
            again.kill()
            server.kill = lambda: None


@pytest.mark.real_time
@pytest.mark.parametrize("protocol", SERVERS)
def test_a_server_that_is_slow(protocol: str, tmp_path: Path) -> None:
    behaviour = Behaviour(rows=ROWS, delay_s=0.2)
    given = {"limit_s": LIMIT_S, "server": {"give_up_s": 30.0}}
    with asking(tmp_path, protocol, behaviour, **given) as (policy, _):
        took_s = follows(policy).stage_s["policy_server"]
        assert took_s >= 0.2
        assert policy.status().steps_past_on_arrival >= 2, "trimmed by the stamps of the chunk"
        behaviour.delay_s = 3.0
        assert "did not answer within 0.3 s" in held(policy)
        assert "did not answer within 0.3 s: an answer has been due for" in held(policy)
        behaviour.delay_s = 0.0
        follows(policy)
        assert policy.status().late_answers >= 1
        assert any("was dropped" in words for words in policy.news())


@pytest.mark.real_time
@pytest.mark.parametrize("protocol", SERVERS)
def test_a_server_that_owes_for_too_long_is_connected_to_again(
    protocol: str, tmp_path: Path
) -> None:
    behaviour = Behaviour(rows=ROWS)
    with asking(tmp_path, protocol, behaviour, limit_s=LIMIT_S) as (policy, _):
        follows(policy)
        behaviour.delay_s = 2.0
        assert "did not answer within" in held(policy)
        behaviour.delay_s = 0.0
        wait_until(policy, "lost")
        follows(policy)
        assert policy.status().reconnects >= 1


@pytest.mark.parametrize("protocol", SERVERS)
def test_nobody_there_is_no_error_until_somebody_is(protocol: str, tmp_path: Path) -> None:
    server = SERVERS[protocol](Behaviour(rows=ROWS))
    server.kill()
    bundle = remote_bundle(tmp_path / "mine", protocol, server.url, limit_s=PATIENT_S)
    policy = RemotePolicy(bundle)
    try:
        assert "is unreachable" in held(policy)
        server = SERVERS[protocol](Behaviour(rows=ROWS), server.port)
        follows(policy)
    finally:
        policy.close()
        server.kill()


@pytest.mark.parametrize("protocol", SERVERS)
def test_a_server_of_another_robot_is_refused_before_anything_moves(
    protocol: str, tmp_path: Path
) -> None:
    with (
        pytest.raises(BundleError, match="is the server for another robot"),
        asking(tmp_path, protocol, Behaviour(rows=ROWS, fault="width")),
    ):
        pass


@pytest.mark.parametrize("protocol", SERVERS)
def test_a_token_comes_from_the_environment_and_is_in_no_text(
    protocol: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"token_variable": "MY_TOKEN"}
    behaviour = Behaviour(rows=ROWS, token=TOKEN)
    with pytest.raises(BundleError, match="MY_TOKEN, which is not set"):
        asking(tmp_path, protocol, behaviour, server=given).__enter__()
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    with asking(tmp_path / "right", protocol, behaviour, server=given) as (policy, _):
        follows(policy)
        said = f"{policy.status()} {policy.news()} {policy.provider}"
        assert TOKEN not in said
    if protocol == "openvla":
        return  # it is asked for a token with the first picture alone
    monkeypatch.setenv("MY_TOKEN", "wrong-42")
    server = SERVERS[protocol](behaviour)
    policy = RemotePolicy(remote_bundle(tmp_path / "wrong", protocol, server.url, server=given))
    try:
        wait_until(policy, "unreachable")
        assert "wrong-42" not in f"{held(policy)} {policy.status()} {policy.news()}"
    finally:
        policy.close()
        server.kill()
