"""Browser tests: this machine's Chromium, driven by Playwright; skipped where there is none."""

import shutil
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest

HAS_ROS = find_spec("rclpy") is not None
_CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-sync",
    "--disable-component-update",
)

collect_ignore_glob = (
    [] if HAS_ROS else ["test_browser_live.py", "test_crowd.py", "test_screenshots.py"]
)
if HAS_ROS:
    with warnings.catch_warnings():
        # The wheels' message generator imports lark, which imports what Python deprecates.
        warnings.simplefilter("ignore", DeprecationWarning)
        import rosidl_generator_py  # noqa: F401


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """The browser. Of a module, not of the session: Playwright keeps the thread's event loop."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    if _CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        yield browser
        browser.close()
