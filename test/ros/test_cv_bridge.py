"""cv_bridge as the last resort: what it cannot do, and that it never takes the node along."""

import os
import sys
from array import array
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest
import rclpy
from bridges import CRASHES, make_bridge
from rclpy.qos import QoSProfile
from ros_harness import TestCamera
from sensor_msgs.msg import Image
from typer.testing import CliRunner

from robot_vision.bridge_trial import BridgeTrial
from robot_vision.cli import app
from robot_vision.core.errors import EncodingError
from robot_vision.ros.messages import bridge
from robot_vision.ros.messages.convert import rgb_from_message
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.processes import child

HANGS = "time.sleep(60)"


@pytest.fixture(autouse=True)
def untried() -> Iterator[None]:
    """Nothing that a test found out about its cv_bridge is remembered by another."""
    forget()
    yield
    forget()


def forget() -> None:
    if bridge._trial.cache_info().currsize:
        bridge._trial().wait()
    bridge._trial.cache_clear()
    bridge._bridge.cache_clear()
    sys.modules.pop("cv_bridge", None)


def image(encoding: str) -> Image:
    return Image(height=2, width=3, step=9, encoding=encoding, data=array("B", bytes(18)))


def answer(encoding: str) -> str:
    """What is said about an image of that encoding once cv_bridge has been tried."""
    until_s = monotonic() + 90
    while True:
        with pytest.raises(EncodingError) as caught:
            rgb_from_message(image(encoding))
        if "is being tried" not in str(caught.value) or monotonic() > until_s:
            return str(caught.value)
        sleep(0.05)


@pytest.mark.parametrize(
    ("conversion", "at_import", "problem"),
    [
        (CRASHES, "", "cv_bridge ends its process by SIGSEGV"),
        ("pass", CRASHES, "cv_bridge ends its process by SIGSEGV"),
        ("import os; os.abort()", "", "cv_bridge ends its process by SIGABRT"),
        ("pass", "import missing_half", "No module named 'missing_half'"),
        ("raise AttributeError('newbyteorder')", "", "AttributeError: newbyteorder"),
        ("return np.zeros((2, 2, 3), np.uint8)", "", "converts bgr8 to rgb8 wrongly"),
    ],
)
def test_a_cv_bridge_that_fails_its_trial_is_never_imported(
    conversion: str, at_import: str, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path, conversion, at_import=at_import))
    words = answer("yuv9")
    assert words.startswith("'yuv9' is not decoded by robot_vision itself, and cv_bridge")
    assert problem in words
    assert "numpy<2" in words


def test_a_cv_bridge_that_hangs_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path, HANGS))
    assert "converts no image within 3 s" in BridgeTrial(limit_s=3).wait().problem


def test_a_cv_bridge_that_works_converts_what_we_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path))
    refused = answer("yuv10")
    assert "cv_bridge refuses 'yuv10': Unrecognized image encoding [yuv10]" in refused
    assert (rgb_from_message(image("yuv9")) == 99).all()


def test_what_cv_bridge_would_make_of_a_bomb_is_not_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path))
    huge = Image(height=60_000, width=60_000, step=1, encoding="yuv9")
    with pytest.raises(EncodingError, match="60000×60000 px"):
        rgb_from_message(huge)


def test_the_doctor_tries_cv_bridge_and_lives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path, CRASHES))
    report = " ".join(CliRunner().invoke(app, ["doctor"], terminal_width=400).output.split())
    assert "SIGSEGV" in report
    assert "numpy<2" in report


def outlives(native_bundle: Path, *words: str) -> None:
    """A node is sent an encoding that it does not know: it says the words, and serves the next."""
    arguments = ["-p", f"model:={native_bundle}", "-p", "diagnostics.period_s:=0.2"]
    monitor = Monitor()
    context = rclpy.Context()
    rclpy.init(context=context)
    sender = rclpy.create_node("camera", context=context)
    camera = TestCamera(sender, QoSProfile(depth=5))

    def said() -> str:
        status = monitor.heard.status.get("perception: inputs")
        return status.message if status else ""

    def refused() -> bool:
        camera.send(encoding="yuv9")
        return all(word in said() for word in words)

    def served() -> bool:
        camera.send()
        return bool(monitor.heard.results)

    try:
        with child("robot_vision.ros.run", *arguments) as node:
            assert monitor.spin_until(refused, timeout_s=60), said()
            assert monitor.spin_until(served, timeout_s=30), said()
            assert node.poll() is None
    finally:
        sender.destroy_node()
        context.try_shutdown()
        monitor.close()


@pytest.mark.ros
def test_a_node_outlives_a_cv_bridge_that_crashes_and_says_why(
    native_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = [str(make_bridge(tmp_path, CRASHES)), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    outlives(native_bundle, "SIGSEGV", "numpy<2")


@pytest.mark.ros
def test_a_node_outlives_the_compiled_cv_bridge_and_says_what_it_says(native_bundle: Path) -> None:
    """Whether it fits this NumPy or not: docs/distributions.md says how to have both."""
    spec = find_spec("cv_bridge")
    home = Path(spec.origin).parent if spec and spec.origin else None
    if home is None or not list(home.rglob("cv_bridge_boost*.so")):
        pytest.skip("no compiled cv_bridge is installed")
    outlives(native_bundle, BridgeTrial().wait().problem or "cv_bridge refuses 'yuv9'")


def test_our_own_decoders_do_without_cv_bridge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(make_bridge(tmp_path, CRASHES, at_import=CRASHES))
    for encoding in ("rgb8", "bgr8"):
        assert not np.any(rgb_from_message(image(encoding)))
    with pytest.raises(EncodingError, match="depth"):
        rgb_from_message(image("16UC1"))
