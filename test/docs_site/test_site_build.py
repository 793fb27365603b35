"""The website as `make docs` builds it: without a warning, without other servers, on a phone."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(out)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return out


def test_the_site_has_documents_reference_and_linked_files(site: Path) -> None:
    for page in (
        "index.html",
        "getting_started_robot.html",
        "reference/parameters_perception.html",
        "reference/commands_replay.html",
        "reference/python.html",
        "repository/ARCHITECTURE.html",
        "repository/config/perception.yaml.html",
    ):
        assert (site / page).is_file(), page
    assert "docs/images" not in (site / "index.html").read_text()
    assert (site / "images/demo.gif").is_file()


def test_nothing_comes_from_other_servers(site: Path) -> None:
    loads = re.compile(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="?(https?:)?//', re.I)
    for page in site.rglob("*.html"):
        assert not loads.search(page.read_text()), page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=["--no-sandbox", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a hundred pages, three seconds each on a machine that is busy
@pytest.mark.parametrize("size", [PHONE, DESKTOP], ids=["phone", "desktop"])
def test_no_page_is_wider_than_its_window(browser: Any, site: Path, size: dict[str, int]) -> None:
    page = browser.new_page(viewport=size)
    for file in sorted(site.rglob("*.html")):
        page.goto(file.as_uri())
        width_px = page.evaluate("document.scrollingElement.scrollWidth")
        assert width_px <= size["width"], file.relative_to(site)
    page.close()
