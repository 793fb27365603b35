"""The real service before 200 slow clients: `pytest -m slow -s test/console/test_crowd.py`."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from socket import MSG_DONTWAIT, socket
from threading import Event, Thread
from time import monotonic, sleep

import psutil
import pytest
import requests
from console_rig import wait_until
from deaf_clients import deaf_client
from goes import measured

from robot_vision.console.client import Console
from robot_vision.ros.tools.processes import child, free_domain

pytestmark = [pytest.mark.ros, pytest.mark.slow]

CLIENTS = 200
FPS = 10
MEASURED_S = 20.0
SETTLE_S = 3.0
SIP_S, SIP_BYTES = 0.25, 8192
SPARE_MB = 150


def results_of(console: Console) -> int:
    text = requests.get(f"{console.url}/metrics", timeout=30).text
    return int(float(text.partition("\nrobot_vision_results_total ")[2].split()[0]))


def results_hz(console: Console) -> float:
    before, begin_s = results_of(console), monotonic()
    sleep(MEASURED_S)
    return (results_of(console) - before) / (monotonic() - begin_s)


def sip(clients: Sequence[socket], stopping: Event) -> None:
    """Read a few kB per second from each, so that there is always something to send again."""
    while not stopping.wait(SIP_S):
        for client in clients:
            with suppress(BlockingIOError):
                client.recv(SIP_BYTES, MSG_DONTWAIT)


def test_200_slow_clients_cost_the_pipeline_no_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    log = tmp_path / "service.log"
    # They are to stay for as long as it is measured.
    limits = ["-p", "console:limits.send_s:=120.0", "-p", "console:limits.requests_hz:=1e5"]
    service = ["run", "--no-policy", "--console", "--console-port=0", *limits]
    with (
        child("robot_vision.ros.tools.camera", f"--fps={FPS}", "--seconds=600"),
        child("robot_vision", *service, log=str(log)) as process,
    ):
        wait_until(lambda: "console at " in log.read_text(), timeout_s=60)
        url = log.read_text().partition("console at ")[2].split()[0]
        memory = psutil.Process(process.pid).memory_info
        with Console(url) as console:
            wait_until(console.is_ready, timeout_s=60)
            sleep(SETTLE_S)
            alone_mb = memory().rss / 1e6

            def lost_share() -> float:
                alone_hz = results_hz(console)
                with crowd_of_slow_clients(console):
                    crowded_hz, crowded_mb = results_hz(console), memory().rss / 1e6
                    assert console.state().viewers == CLIENTS
                print(
                    f"{CLIENTS} slow clients: {alone_hz:.2f} → {crowded_hz:.2f} results/s, "
                    f"{alone_mb:.0f} → {crowded_mb:.0f} MB"
                )
                assert crowded_mb - alone_mb < SPARE_MB
                return 1 - crowded_hz / alone_hz

            assert measured(lost_share, below=0.05) < 0.05


@contextmanager
def crowd_of_slow_clients(console: Console) -> Iterator[None]:
    """Half of them read nothing at all."""
    with ExitStack() as crowd:
        clients = [crowd.enter_context(deaf_client(console.url)) for _ in range(CLIENTS)]
        stopping = Event()
        sipping = Thread(target=sip, args=(clients[::2], stopping))
        sipping.start()
        crowd.callback(sipping.join)
        crowd.callback(stopping.set)
        wait_until(lambda: console.state().viewers == CLIENTS, timeout_s=60)
        yield
    wait_until(lambda: console.state().viewers == 0, timeout_s=60)
