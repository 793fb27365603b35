"""A policy on a server in the node, over DDS: what the arm, the status and the log see of it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pixel_node import pixel_node
from policy_rig import Surroundings, going
from policy_servers import Behaviour, OpenpiServer
from remote_bundle import ROWS, remote_bundle

pytestmark = pytest.mark.ros


def server_of(around: Surroundings) -> dict[str, Any]:
    return around.statuses[-1]["policy_server"]


def test_a_server_that_goes_and_comes_back(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    behaviour = Behaviour(rows=ROWS)
    server = OpenpiServer(behaviour)
    try:
        bundle = remote_bundle(tmp_path / "mine", "openpi", server.url).path
        with pixel_node(bundle) as around:
            going(around, "pick it up")
            assert behaviour.seen[-1]["prompt"] == "pick it up"
            identity = around.policy._configured.policy.manifest.identity
            assert around.statuses[-1]["identity"] == identity
            around.wait_until_said("policy", "server ready; answers p50")
            server.kill()
            around.wait_until_held_for("the server at", "is lost")
            around.wait_for(lambda: server_of(around)["state"] == "lost")
            around.wait_until_said("policy", "server lost: ")
            server = OpenpiServer(behaviour, server.port)
            around.wait_until_moving()
            around.wait_for(lambda: server_of(around)["reconnects"] >= 1)
            around.wait_until_said("policy", " reconnect")
        log = capfd.readouterr().err
        assert "is lost" in log
        assert "reconnected after" in log
        assert "Traceback" not in log
    finally:
        server.kill()


def test_what_a_server_may_do_wrong_holds_in_words_and_ends(tmp_path: Path) -> None:
    behaviour = Behaviour(rows=ROWS, delay_s=0.1)
    server = OpenpiServer(behaviour)
    try:
        bundle = remote_bundle(tmp_path / "mine", "openpi", server.url).path
        with pixel_node(bundle) as around:
            going(around, "pick it up")
            assert server_of(around)["latency_ms"]["p50"] >= 100
            for fault, words in (
                ("nan", "not finite"),
                ("width", "is the server for another robot"),
                ("half", "the server at"),
                ("", ""),
            ):
                behaviour.fault = fault
                if words:
                    around.wait_until_held_for(words)
            around.wait_until_moving()
            behaviour.delay_s = 2.0
            around.wait_until_held_for("did not answer within 0.3 s")
            behaviour.delay_s = 0.0
            around.wait_until_moving()
    finally:
        server.kill()


def test_nobody_is_there_when_the_node_starts(tmp_path: Path) -> None:
    server = OpenpiServer(Behaviour(rows=ROWS))
    server.kill()
    bundle = remote_bundle(tmp_path / "mine", "openpi", server.url).path
    with pixel_node(bundle) as around:
        around.instruct("pick it up")
        around.enable()
        around.wait_until_held_for("is unreachable: cannot connect")
        server = OpenpiServer(Behaviour(rows=ROWS), server.port)
        try:
            around.wait_until_moving()
        finally:
            server.kill()


def test_a_server_of_another_robot_keeps_the_node_from_starting(tmp_path: Path) -> None:
    server = OpenpiServer(Behaviour(rows=np.concatenate([ROWS, ROWS], axis=1)))
    try:
        bundle = remote_bundle(tmp_path / "mine", "openpi", server.url).path
        with pixel_node(bundle) as around:
            assert "is the server for another robot" in around.policy.problem
            assert around.policy.state != "active"
    finally:
        server.kill()
