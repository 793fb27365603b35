"""Pictures of every page for the documents: `pytest -m slow test/console/test_screenshots.py`.

They go to a temporary folder, or to where ROBOT_VISION_SCREENSHOTS says (docs/console).
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from browser_rig import DESKTOP, JPEG_QUALITY, PHONE, opened, shoot, wait_for_text
from console_rig import wait_until
from policy_rig import ros_arguments, served
from rclpy.context import Context
from seeker import Seeker

from robot_vision.console.client import Console, ConsoleRefusedError, PictureMessage
from robot_vision.core.errors import BundleError
from robot_vision.core.parameters.groups.policy_config import PolicyConfig
from robot_vision.model_store.policies import find_policy
from robot_vision.model_store.store import find_bundle
from robot_vision.ros.console.node import ConsoleNode
from robot_vision.ros.perception.node import PerceptionNode
from robot_vision.ros.policy.loading import LoadedPolicy
from robot_vision.ros.policy.node import PolicyNode
from robot_vision.ros.tools.monitor import Monitor
from robot_vision.ros.tools.operator import Operator
from robot_vision.ros.tools.processes import child, free_domain

pytestmark = [pytest.mark.ros, pytest.mark.slow]

SIZES = {"desktop": DESKTOP, "phone": PHONE}
TOKEN = "a-token-of-this-test"
POSE = {"camera_pose.source": "topic"}
MOST_BYTES = 1_500_000


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = Path(os.environ.get("ROBOT_VISION_SCREENSHOTS", tmp_path / "pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def policy_of(context: Context, seeing: PerceptionNode) -> PolicyNode:
    """The shipped policy; where there is none, the tests' own with the shipped model's names."""
    arguments = ros_arguments(POSE)
    try:
        find_policy(PolicyConfig().policy)
    except BundleError:
        manifest = find_bundle("native-s").manifest
        names = tuple(manifest.classes)
        stand_in = Seeker(f"{manifest.name}@{manifest.version}", names)
        loaded = LoadedPolicy(policy=stand_in, class_names=names)
        return PolicyNode(
            perception=seeing, load=lambda _: loaded, context=context, cli_args=arguments
        )
    return PolicyNode(perception=seeing, context=context, cli_args=arguments)


@contextmanager
def service(**console: Any) -> Iterator[str]:
    """Perception, policy and console; their address."""

    def make(context: Context) -> list[Any]:
        seeing = PerceptionNode(context=context, cli_args=ros_arguments(POSE))
        limits = {"port": 0, "limits.requests_hz": 1e5, **console}
        showing = ConsoleNode(perception=seeing, context=context, cli_args=ros_arguments(limits))
        return [seeing, policy_of(context, seeing), showing]

    with served(make) as nodes:
        yield nodes[-1].server.url


def each_variant(chromium: Any, url: str) -> Iterator[tuple[str, Any]]:
    """The page on a desktop and on a phone, in light and dark, one after the other."""
    for size, pixels in SIZES.items():
        for theme in ("light", "dark"):
            # At an address that needs a token Chromium complains until it is shown.
            with opened(chromium, url, size=pixels, theme=theme, quiet=False) as page:
                yield f"{size}_{theme}.jpg", page


def wait_until_moving(page: Any, console: Console) -> None:
    """As an operator does: where a busy machine makes the policy ask for it, enable anew."""

    def is_moving() -> bool:
        policy = console.state().policy
        if policy is not None and policy.needs_enable:
            console.enable()
        page.wait_for_timeout(100)
        return "MOVING" in page.inner_text("#arm")

    wait_until(is_moving, timeout_s=120)


def shoot_live(chromium: Any, console: Console, out: Path) -> None:
    for name, page in each_variant(chromium, console.url):
        wait_for_text(page, "#link", "Live")
        wait_until_moving(page, console)
        page.wait_for_selector("#objects tr")
        if "dark" in name:
            page.click("#inside-topic button[value=attention]")
        # The last minute is what the charts show.
        page.wait_for_timeout(15_000 if name == "desktop_light.jpg" else 0)
        shoot(page, out / f"live_{name}")


def shoot_answers(chromium: Any, url: str, picture: Path, out: Path) -> None:
    for name, page in each_variant(chromium, f"{url}/analyze"):
        page.click("#tasks button[value=features]")
        page.set_input_files("#files", str(picture))
        page.click("#go")
        page.wait_for_selector("#found tr")
        if "dark" in name:
            page.click("#layers button[value=depth]")
        shoot(page, out / f"analyze_{name}")


def shoot_no_camera(chromium: Any, url: str, out: Path) -> None:
    for name, page in each_variant(chromium, url):
        if name in ("desktop_light.jpg", "phone_dark.jpg"):
            wait_for_text(page, "#link", "No camera")
            page.wait_for_timeout(1500)
            page.screenshot(path=out / f"no_camera_{name}", type="jpeg", quality=JPEG_QUALITY)


def shoot_login(chromium: Any, url: str, out: Path) -> None:
    for name, page in each_variant(chromium, url):
        page.locator("#token").wait_for()
        page.screenshot(path=out / f"login_{name}", type="jpeg", quality=JPEG_QUALITY)


def frame_of(console: Console) -> bytes:
    """The newest picture of the camera, a JPEG."""
    shown = next(m for m in console.stream({"frame": 10}) if isinstance(m, PictureMessage))
    return shown.image


def is_heard(console: Console, text: str) -> bool:
    """Whether the policy listens by now, and got the instruction."""
    try:
        console.instruct(text)
    except ConsoleRefusedError:
        return False
    return True


def words_for(console: Console, task: str) -> str:
    """The task of the scene; for the tests' policy the name of something that is in view."""
    if "seeker" not in json.dumps(console.state().model_dump()["diagnostics"]):
        return task
    return f"reach the {console.objects().objects[0].class_name}"


def test_pictures_of_every_page(
    chromium: Any, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    monitor = Monitor()
    operator = Operator(monitor)
    with service() as url, Console(url) as console:
        with child("robot_vision.ros.simulation.node", log=str(tmp_path / "robot.log")):
            ready = monitor.spin_until(
                lambda: bool(operator.seen.task) and console.state().commands.allowed,
                timeout_s=120.0,
            )
            assert ready, (tmp_path / "robot.log").read_text()
            monitor.spin_until(console.is_ready, timeout_s=60.0)
            assert monitor.spin_until(lambda: is_heard(console, "sing a song"), timeout_s=60.0)
            console.instruct(words_for(console, operator.task.instruction))
            console.enable()
            shoot_live(chromium, console, out)
            console.hold()
            picture = tmp_path / "table.jpg"
            picture.write_bytes(frame_of(console))
        shoot_answers(chromium, url, picture, out)
        shoot_no_camera(chromium, url, out)
    with service(token=TOKEN) as url:
        shoot_login(chromium, url, out)
    monitor.close()
    files = list(out.glob("*.jpg"))
    assert len(files) == 14
    assert sum(file.stat().st_size for file in files) < MOST_BYTES
