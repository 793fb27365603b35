"""Who may come in: hosts, origins, tokens, sizes and rates; and what every answer carries."""

import http.client
import json
import logging
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from console_rig import ConsoleRig, HeardCommander, console_rig, wait_until
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from robot_vision.console.client import Console, ConsoleRefusedError
from robot_vision.console.serving.server import ConsoleServer
from robot_vision.console.state.snapshots import Snapshots
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.console_config import ConsoleConfig

TOKEN = "a token of many characters"
COMMANDS = ("instruction", "enable", "hold", "reset")


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    """On loopback, without a token."""
    with console_rig(commander=HeardCommander()) as made:
        yield made


@pytest.fixture(scope="module")
def locked() -> Iterator[ConsoleRig]:
    """With a token."""
    with console_rig(commander=HeardCommander(), token=TOKEN) as made:
        yield made


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def stream_status(rig: ConsoleRig, **headers: str) -> int:
    """HTTP's status of an attempt to open the stream."""
    try:
        address = rig.url.replace("http", "ws") + "/api/stream"
        with connect(address, proxy=None, additional_headers=headers, origin=None):
            return 101
    except InvalidStatus as error:
        return error.response.status_code


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8088", "127.0.0.1.evil.example", ""]
)
def test_foreign_host_names_are_refused(rig: ConsoleRig, host: str) -> None:
    response = httpx.get(f"{rig.url}/api/state", headers={"Host": host})
    assert response.status_code == 421
    assert "allowed_hosts" in response.json()["detail"]
    address = rig.url.removeprefix("http://")
    with closing(http.client.HTTPConnection(address)) as connection:
        connection.request("GET", "/", headers={"Host": host})
        assert connection.getresponse().status == 421


@pytest.mark.parametrize("host", ["localhost", "localhost:1", "127.0.0.1", "[::1]:80"])
def test_names_of_this_machine_are_answered(rig: ConsoleRig, host: str) -> None:
    assert httpx.get(f"{rig.url}/healthz", headers={"Host": host}).status_code == 200


def test_a_name_that_was_allowed_is_answered() -> None:
    with console_rig(feed=False, allowed_hosts=["robot.lab"]) as rig:
        for host, status in (("robot.lab:80", 200), ("other.lab", 421)):
            response = httpx.get(f"{rig.url}/healthz", headers={"Host": host})
            assert response.status_code == status


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "x"])
def test_pages_of_other_origins_may_neither_command_nor_listen(
    rig: ConsoleRig, origin: str
) -> None:
    heard = list(rig.commander.heard)
    for command in COMMANDS:
        response = httpx.post(
            f"{rig.url}/api/{command}", json={"text": "x"}, headers={"Origin": origin}
        )
        assert response.status_code == 403
    assert rig.commander.heard == heard
    assert stream_status(rig, Origin=origin) == 403


def test_the_console_s_own_pages_may(rig: ConsoleRig) -> None:
    response = httpx.post(f"{rig.url}/api/hold", headers={"Origin": rig.url})
    assert response.status_code == 200
    assert stream_status(rig, Origin=rig.url) == 101


@pytest.mark.parametrize(
    "path", ["/api/state", "/api/objects", "/readyz", "/metrics", "/openapi.json"]
)
def test_without_the_token_nothing_is_answered(locked: ConsoleRig, path: str) -> None:
    refused = httpx.get(locked.url + path)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"] == "Bearer"
    assert "token" in refused.json()["detail"]
    assert httpx.get(locked.url + path, headers=bearer("wrong " + TOKEN)).status_code == 401
    assert httpx.get(locked.url + path, headers=bearer()).status_code == 200


def test_without_the_token_commands_are_refused_and_logged(
    locked: ConsoleRig, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), Console(locked.url) as stranger:
        for command in (stranger.enable, stranger.hold, stranger.reset):
            with pytest.raises(ConsoleRefusedError) as caught:
                command()
            assert caught.value.status == 401
    assert locked.commander.heard == []
    assert "rejected without the token: POST '/api/enable' from 127.0.0.1" in caplog.text
    with Console(locked.url, token=TOKEN) as owner:
        assert owner.enable().done
        assert owner.hold().done
    assert locked.commander.heard == ["enable", "hold"]


def test_without_the_token_there_is_no_stream(locked: ConsoleRig) -> None:
    assert stream_status(locked) == 401
    assert stream_status(locked, Authorization=f"Bearer {TOKEN}") == 101


def test_a_browser_logs_in_and_gets_a_cookie_that_scripts_cannot_read(locked: ConsoleRig) -> None:
    with httpx.Client(base_url=locked.url) as browser:
        page = browser.get("/")
        assert (page.status_code, page.headers["Location"]) == (303, "/login")
        wrong = browser.post("/login", data={"token": "no"}, headers={"Origin": locked.url})
        assert wrong.status_code == 401
        right = browser.post("/login", data={"token": TOKEN}, headers={"Origin": locked.url})
        assert (right.status_code, right.headers["Location"]) == (303, "/")
        cookie = right.headers["Set-Cookie"]
        assert TOKEN not in cookie
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        assert browser.get("/api/state").status_code == 200
        name, _, value = cookie.partition(";")[0].partition("=")
    assert stream_status(locked, Cookie=f"{name}={value}", Origin=locked.url) == 101
    assert stream_status(locked, Cookie=f"{name}={value[:-1]}0") == 401
    assert stream_status(locked, Cookie=f'{name}="\\377{value}') == 401


def test_another_page_cannot_log_in_or_use_the_cookie(locked: ConsoleRig) -> None:
    foreign = {"Origin": "http://evil.example"}
    response = httpx.post(f"{locked.url}/login", data={"token": TOKEN}, headers=foreign)
    assert response.status_code == 403


def test_guessing_the_token_is_slowed_down_but_its_owner_is_not() -> None:
    with console_rig(feed=False, token=TOKEN, limits={"logins_hz": 0.01}) as rig:
        guesses = [
            httpx.get(f"{rig.url}/api/state", headers=bearer(f"guess {k}")).status_code
            for k in range(10)
        ]
        assert guesses == [401] * 5 + [429] * 5
        login = httpx.post(f"{rig.url}/login", data={"token": "guess"})
        assert login.status_code == 429
        assert httpx.get(f"{rig.url}/api/state", headers=bearer()).status_code == 200


def test_any_address_but_loopback_has_a_token() -> None:
    with console_rig(feed=False, host="0.0.0.0") as rig:
        token = rig.server.token
        assert len(token) >= 32
        url = rig.url.replace("0.0.0.0", "127.0.0.1")
        assert httpx.get(f"{url}/api/state").status_code == 401
        assert httpx.get(f"{url}/api/state", headers=bearer(token)).status_code == 200
    with console_rig(feed=False) as rig:
        assert rig.server.token == ""


def test_the_token_may_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\nanything else\n")
    with console_rig(feed=False, token_file=str(path)) as rig:
        assert httpx.get(f"{rig.url}/api/state").status_code == 401
        assert httpx.get(f"{rig.url}/api/state", headers=bearer()).status_code == 200


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"token": "short"}, "at least 16"),
        ({"token_file": "/nowhere/token"}, "/nowhere/token"),
        ({"token_file": "/dev/null"}, "no token in its first line"),
    ],
)
def test_wrong_tokens_are_refused_at_the_start(config: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        ConsoleServer(Snapshots(), ConsoleConfig.model_validate(config))


def test_a_port_in_use_is_reported(rig: ConsoleRig) -> None:
    port = int(rig.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*--console-port"):
        ConsoleServer(Snapshots(), ConsoleConfig(port=port)).start()


@pytest.mark.parametrize(
    "path", ["/", "/analyze", "/login", "/api/state", "/nothing", "/static/nothing", "/metrics"]
)
def test_every_answer_has_the_security_headers(rig: ConsoleRig, path: str) -> None:
    headers = httpx.get(rig.url + path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers
    assert "server" not in headers


def test_refusals_have_the_security_headers_too(locked: ConsoleRig) -> None:
    for response in (httpx.get(f"{locked.url}/api/state"), httpx.get(f"{locked.url}/")):
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static//etc/passwd",
        "/static/..%5capp.py",
        "/api/analyze/images/..%2f..%2fapp.py",
    ],
)
def test_paths_of_clients_lead_nowhere(rig: ConsoleRig, path: str) -> None:
    with closing(http.client.HTTPConnection(rig.url.removeprefix("http://"))) as connection:
        connection.putrequest("GET", path)  # as it is: httpx would tidy it up
        connection.endheaders()
        response = connection.getresponse()
        assert response.status in (404, 422)
        assert b"create_app" not in response.read()


def test_a_body_that_is_too_long_is_refused_unread(rig: ConsoleRig) -> None:
    response = httpx.post(f"{rig.url}/api/instruction", content=b"x" * 70_000)
    assert response.status_code == 413
    assert "64000" in response.json()["detail"]


def test_a_body_that_is_longer_than_it_says_is_refused(rig: ConsoleRig) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 10_000

    response = httpx.post(f"{rig.url}/api/instruction", content=endless())
    assert response.status_code == 413


def test_an_upload_that_is_too_long_is_refused() -> None:
    with console_rig(feed=False, limits={"upload_mb": 0.1}) as rig:
        for size, statuses in ((200_000, {413}), (50_000, {415})):
            files = {"image": bytes(size)}
            response = httpx.post(
                f"{rig.url}/api/analyze", files=files, data={"tasks": "detection"}
            )
            assert response.status_code in statuses


def test_too_many_requests_are_refused_but_hold_is_not() -> None:
    commander = HeardCommander()
    with console_rig(feed=False, commander=commander, limits={"requests_hz": 0.01}) as rig:
        statuses = [httpx.get(f"{rig.url}/healthz").status_code for _ in range(4)]
        assert statuses == [200, 429, 429, 429]
        assert httpx.post(f"{rig.url}/api/enable").status_code == 429
        assert httpx.post(f"{rig.url}/api/hold").status_code == 200
    assert commander.heard == ["hold"]


def test_more_viewers_than_allowed_are_asked_to_retry_later() -> None:
    with console_rig(feed=False, limits={"viewers": 1}) as rig:
        address = rig.url.replace("http", "ws") + "/api/stream"
        with connect(address, proxy=None) as first:
            first.send(json.dumps({"topics": {"state": 10}}))
            first.recv(10)
            with (
                connect(address, proxy=None) as second,
                pytest.raises(ConnectionClosed) as caught,
            ):
                second.recv(10)
            assert caught.value.rcvd.code == 1013
            first.recv(10)


def test_connections_are_bounded() -> None:
    with console_rig(feed=False, limits={"connections": 8}) as rig:
        host, _, port = rig.url.removeprefix("http://").partition(":")
        idle = [socket.create_connection((host, int(port))) for _ in range(30)]
        wait_until(lambda: sum(_is_closed(connection) for connection in idle) >= 22)
        for connection in idle:
            connection.close()
        wait_until(lambda: _answers(rig))


def _is_closed(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def _answers(rig: ConsoleRig) -> bool:
    try:
        return httpx.get(f"{rig.url}/healthz").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.mark.parametrize(
    "path", ["/api/hold%0aWARNING forged", "/api/x%0d%0a%1b[2Jforged", "/api/%e2%80%a8forged"]
)
def test_paths_and_words_forge_no_line_of_the_log(
    locked: ConsoleRig, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    address = locked.url.removeprefix("http://")
    with caplog.at_level(logging.INFO), closing(http.client.HTTPConnection(address)) as stranger:
        stranger.putrequest("POST", path.replace(" ", "%20"))
        stranger.putheader("Authorization", "Bearer \x1b[31mred")
        stranger.endheaders()
        assert stranger.getresponse().status == 401
        with Console(locked.url, token=TOKEN) as owner:
            owner.enable()
    messages = [record.getMessage() for record in caplog.records]
    assert any("forged" in message for message in messages)
    assert all(message.isprintable() for message in messages)
