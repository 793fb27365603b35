"""A policy served by us, asked by our own client: the same decisions as where it runs itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from subprocess import run
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import msgpack
import numpy as np
import pytest
from pixel_bundle import FRONT, write_pixel_bundle
from remote_bundle import observation
from typer.testing import CliRunner
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from robot_vision.cli import app
from robot_vision.core.errors import BundleError, ConfigError
from robot_vision.core.manifests.observation_spec import ObservationSpec
from robot_vision.policies.registry import load_policy
from robot_vision.policies.remote.policy import RemotePolicy
from robot_vision.serving.robot_bundle import write_robot_bundle
from robot_vision.serving.server import Listening, PolicyServer

SEEN = ObservationSpec(cameras=(FRONT,), state="tool", words="vocabulary")
TOKEN = "s3cret-42"
PROTOCOLS = ["robot_vision", "openpi"]


@contextmanager
def served(
    folder: Path,
    protocol: str,
    *,
    seen: ObservationSpec = SEEN,
    line_s: float = 0.0,
    **listening: Any,
) -> Iterator[tuple[Any, PolicyServer, list[str]]]:
    """A policy whose numbers follow from what it sees, on a server that needs `line_s` a line."""

    def say(line: str) -> None:
        said.append(line)
        sleep(line_s)

    gains = {"rgb_front": 1e-5, "state": 1e-2, "text": 1e-3}
    bundle = write_pixel_bundle(folder / "served", observation=seen, gains=gains)
    policy, said = load_policy(str(bundle.path), threads=1), list[str]()
    server = PolicyServer(policy, protocol=protocol, listening=Listening(**listening), say=say)
    try:
        yield policy, server, said
    finally:
        server.close()


def robot_bundle(folder: Path, manifest: Any, protocol: str, server: PolicyServer) -> Any:
    """A bundle for the robot that gives a busy machine time to connect."""
    bundle = write_robot_bundle(folder, manifest, protocol=protocol, url=server.url)
    assert bundle.manifest.remote is not None
    bundle.manifest.remote["server"]["connect_s"] = 30.0
    return bundle


@contextmanager
def robot_side(folder: Path, policy: Any, server: PolicyServer, protocol: str) -> Iterator[Any]:
    remote = RemotePolicy(robot_bundle(folder, policy.manifest, protocol, server))
    try:
        until_s = monotonic() + 30
        while remote.status().state != "ready":
            assert monotonic() < until_s, remote.status()
            sleep(0.01)
        yield remote
    finally:
        remote.close()


def decided(policy: Any, text: str) -> Any:
    """A decision; of a server on a busy machine, one of the next."""
    for _ in range(50):
        decision = policy.decide(observation(), policy.instruct(text))
        if decision.action is not None or "did not answer" not in decision.hold_reason:
            return decision
        sleep(0.1)
    return decision


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_served_policy_decides_as_it_does_itself(protocol: str, tmp_path: Path) -> None:
    with (
        served(tmp_path, protocol) as (policy, server, said),
        robot_side(tmp_path / "mine", policy, server, protocol) as remote,
    ):
        here, there = decided(policy, "go left"), decided(remote, "go left")
        assert np.abs(here.action).max() > 1e-3
        np.testing.assert_allclose(there.action, here.action, atol=1e-5)
        assert remote.status().unsaid == ()
        assert decided(remote, "sing").hold_reason == decided(policy, "sing").hold_reason
        assert "connected" in said[0]


def test_history_goes_by_our_own_protocol(tmp_path: Path) -> None:
    seen = SEEN.model_copy(update={"steps": 2, "step_s": 0.1})
    with (
        served(tmp_path, "robot_vision", seen=seen) as (policy, server, _),
        robot_side(tmp_path / "mine", policy, server, "robot_vision") as remote,
    ):
        there = decided(remote, "go")
        np.testing.assert_allclose(there.action, decided(policy, "go").action, atol=1e-6)
        assert there.masked == ("camera front (1 of 2 steps)", "state of the arm (1 of 2 steps)")
    with pytest.raises(BundleError, match="needs 2 moments, which openpi's protocol does not"):
        PolicyServer(policy, protocol="openpi", listening=Listening(), say=print)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_server_of_another_policy_is_refused(protocol: str, tmp_path: Path) -> None:
    with served(tmp_path, protocol) as (policy, server, _):
        other = {"identity": "f" * 64}
        manifest = policy.manifest.model_copy(update=other)
        bundle = robot_bundle(tmp_path / "mine", manifest, protocol, server)
        with pytest.raises(BundleError, match=r"robot_vision.identity is .*, expected ffff"):
            RemotePolicy(bundle)
        spec = policy.manifest.action_spec.model_copy(update={"step_s": 0.2})
        manifest = policy.manifest.model_copy(update={"action_spec": spec})
        bundle = robot_bundle(tmp_path / "slower", manifest, protocol, server)
        with pytest.raises(BundleError, match=r"step_s is 0.1, policy.yaml expects 0.2"):
            RemotePolicy(bundle)


def test_what_decides_by_perception_stays_on_the_robot(tmp_path: Path) -> None:
    seen = ObservationSpec(cameras=(FRONT,), words="none", perception=("features",))
    with (
        pytest.raises(BundleError, match=r"uses perception \(features\)"),
        served(tmp_path, "robot_vision", seen=seen),
    ):
        pass


def test_one_robot_at_a_time_and_a_health_check(tmp_path: Path) -> None:
    with served(tmp_path, "openpi") as (_, server, _), connect(server.url) as first:
        said = msgpack.unpackb(first.recv(timeout=10))["robot_vision"]
        assert said["gripper"] == {"closed": 0.0, "open": 1.0}
        with connect(server.url) as second, pytest.raises(ConnectionClosed, match="another robot"):
            second.recv(timeout=10)
        health = server.url.replace("ws://", "http://") + "/healthz"
        with urlopen(health, timeout=10) as answer:  # noqa: S310 (loopback)
            assert answer.status == 200
        with pytest.raises(HTTPError, match="404"):
            urlopen(health.replace("healthz", "other"), timeout=10)  # noqa: S310 (loopback)


def test_a_robot_that_reconnects_at_once_is_served(tmp_path: Path) -> None:
    with served(tmp_path, "openpi", line_s=0.2) as (_, server, _):
        for _ in range(3):
            with connect(server.url) as robot:
                assert robot.recv(timeout=10)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("sent", [b"\xc1", msgpack.packb([1]), msgpack.packb({}), "text"])
def test_a_request_that_is_none_ends_its_connection_in_words(
    protocol: str, sent: bytes | str, tmp_path: Path
) -> None:
    with served(tmp_path, protocol) as (_, server, said):
        for _ in range(2):
            with connect(server.url) as robot:
                robot.recv(timeout=10)
                robot.send(sent)
                words = robot.recv(timeout=10)
                assert isinstance(words, str)
                assert words
                with pytest.raises(ConnectionClosed):
                    robot.recv(timeout=10)
        assert any(words in line for line in said)


def test_the_network_needs_a_token(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="--token-variable"),
        served(tmp_path / "open", "robot_vision", host="0.0.0.0"),
    ):
        pass
    with served(tmp_path, "robot_vision", token=TOKEN) as (_, server, _):
        right = {"Authorization": f"Bearer {TOKEN}"}
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            with pytest.raises(InvalidStatus, match="401"):
                connect(server.url, additional_headers=headers).__enter__()
        with connect(server.url, additional_headers=right) as robot:
            assert robot.recv(timeout=10)


def test_check_times_a_server_and_says_what_it_leaves_unsaid(tmp_path: Path) -> None:
    with served(tmp_path, "openpi") as (policy, server, _):
        folder = tmp_path / "mine"
        write_robot_bundle(folder, policy.manifest, protocol="openpi", url=server.url)
        found = CliRunner().invoke(app, ["serve", "check", str(folder), "--requests", "3"])
        assert "matches policy.yaml" in found.output, found.output
        assert " of 3 answers took p50" in found.output, found.output
        assert (found.exit_code == 0) == ("3 of 3" in found.output)
        given = ["--requests", "2", "--instruction", "sing"]
        found = CliRunner().invoke(app, ["serve", "check", str(folder), *given])
        assert found.exit_code == 1
        assert "2 without: " in found.output
        assert "sing" in found.output


@pytest.mark.skipif(not which("openssl"), reason="makes a certificate")
def test_certificates_are_checked(tmp_path: Path) -> None:
    subject = ["-subj", "/CN=here", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    files = ["-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem"]
    run([*made, *files, *subject], cwd=tmp_path, check=True, capture_output=True)
    pem = str(tmp_path / "cert.pem")
    asked = {"certificate": pem, "key": str(tmp_path / "key.pem")}
    with served(tmp_path, "robot_vision", **asked) as (policy, server, _):
        assert server.url.startswith("wss://")
        bundle = robot_bundle(tmp_path / "mine", policy.manifest, "robot_vision", server)
        stranger = RemotePolicy(bundle)
        try:
            reason = stranger.decide(observation(), stranger.instruct("go")).hold_reason
            assert "certificate verify failed" in reason
        finally:
            stranger.close()
        bundle.manifest.remote["server"]["ca_file"] = pem
        trusting = RemotePolicy(bundle)
        try:
            assert decided(trusting, "go").action is not None
        finally:
            trusting.close()
