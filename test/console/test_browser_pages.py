"""The pages in Chromium, before the shipped model's answers: analyse, log in, look."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from browser_rig import (
    DESKTOP,
    PHONE,
    low_contrasts,
    opened,
    overflow_px,
    wait_for_text,
    wait_until_true,
)
from console_rig import (
    ConsoleRig,
    HeardCommander,
    console_rig,
    diagnosis,
    perceptions,
    video_of,
)

TOKEN = "a token of this test"


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig(fps=10, commander=HeardCommander()) as made:
        yield made


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "table.png"
    cv2.imwrite(str(path), cv2.cvtColor(perceptions()[0].frame.rgb, cv2.COLOR_RGB2BGR))
    return path


def analyze(page: Any, *files: Path) -> None:
    page.set_input_files("#files", [str(file) for file in files])
    page.click("#go")
    wait_until_true(page, "document.querySelector('#go').textContent === 'Analyse'")


def test_a_picture_gives_detections_depth_and_json(
    chromium: Any, rig: ConsoleRig, picture: Path, tmp_path: Path
) -> None:
    with opened(chromium, f"{rig.url}/analyze") as page:
        page.click("#tasks button[value=features]")
        analyze(page, picture)
        page.wait_for_selector("#found tr")
        with page.expect_download() as download:
            page.click("#download")
        download.value.save_as(tmp_path / "answer.json")
        answer = json.loads((tmp_path / "answer.json").read_text())
        found = answer["pictures"][0]["detections"]
        assert page.locator("#found tr").count() == len(found) > 0
        assert page.locator("#found tr td").first.text_content() == found[0]["class"]
        assert_changes(page, "button[value=boxes]", "#layers")
        assert_changes(page, "button[value=depth]", "#layers")
        assert "m" in page.text_content("#scale")
        assert_changes(page, "button[value=features]", "#layers")


def assert_changes(page: Any, button: str, group: str) -> None:
    """The button changes the picture."""
    canvas = "document.querySelector('#picture canvas').toDataURL()"
    before = page.evaluate(canvas)
    page.click(f"{group} {button}")
    wait_until_true(page, f"{canvas} !== {json.dumps(before)}")


def test_two_pictures_are_compared(chromium: Any, rig: ConsoleRig, picture: Path) -> None:
    with opened(chromium, f"{rig.url}/analyze") as page:
        page.set_input_files("#files", str(picture))
        page.click("#tasks button[value=similarity]")
        assert "two pictures; 1 chosen" in page.text_content("#hint")
        assert page.is_disabled("#go")
        analyze(page, picture)
        wait_for_text(page, "#summary", "similarity (cosine)1.000")


def test_a_video_is_shown_frame_by_frame(chromium: Any, rig: ConsoleRig, tmp_path: Path) -> None:
    video = tmp_path / "table.mp4"
    video_of([perception.frame.rgb for perception in perceptions()[:4]], video, fps=4)
    with opened(chromium, f"{rig.url}/analyze") as page:
        analyze(page, video)
        wait_for_text(page, "#frame-name", "0.00 s")
        page.focus("#frame")
        page.keyboard.press("ArrowRight")
        wait_for_text(page, "#frame-name", "0.25 s")


def test_what_cannot_be_analysed_is_said_in_words(
    chromium: Any, rig: ConsoleRig, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"this is no picture")
    # Chromium itself writes a line for each answer of 4xx.
    with opened(chromium, f"{rig.url}/analyze", quiet=False) as page:
        analyze(page, broken)
        wait_for_text(page, "#problem", "is not a PNG, JPEG or WebP")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("path", ["/", "/analyze", "/login"])
def test_texts_can_be_read_and_fit(
    chromium: Any, rig: ConsoleRig, path: str, size: Any, theme: str
) -> None:
    with opened(chromium, rig.url + path, size=size, theme=theme) as page:
        if path == "/":
            wait_for_text(page, "#link", "Live")
            page.wait_for_selector("#objects tr")
        assert page.locator("html").get_attribute("data-theme") == theme
        assert low_contrasts(page) == []
        assert overflow_px(page) <= 0


def test_the_theme_is_switched_and_remembered(chromium: Any, rig: ConsoleRig) -> None:
    with opened(chromium, rig.url, theme="light") as page:
        page.click("#theme")
        assert page.locator("html").get_attribute("data-theme") == "dark"
        page.goto(f"{rig.url}/analyze")
        assert page.locator("html").get_attribute("data-theme") == "dark"


def test_logging_in_with_the_token(chromium: Any) -> None:
    with (
        console_rig(fps=10, token=TOKEN) as rig,
        opened(chromium, rig.url, quiet=False) as page,
    ):
        assert page.url.endswith("/login")
        page.fill("#token", "a guess")
        page.click("text=Log in")
        wait_for_text(page, "#outcome", "not the console's token")
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        wait_for_text(page, "#link", "Live")


def test_a_long_cause_does_not_push_its_total_out_of_view(chromium: Any) -> None:
    cause = "depth is rough, from colour alone: objects stay in 2-D (depth.lift_rough)"
    with console_rig(fps=10) as rig:
        rig.snapshots.diagnosed([diagnosis("inputs", "", **{f"degraded: {cause}": "41"})])
        with opened(chromium, rig.url) as page:
            wait_for_text(page, "#degraded", cause)
            total = page.locator("#degraded td", has_text="41").bounding_box()
            table = page.locator(".scroll:has(#degraded)").bounding_box()
            assert total["x"] + total["width"] <= table["x"] + table["width"] + 1


def test_a_server_that_ends_and_comes_back(chromium: Any) -> None:
    with console_rig(fps=10) as rig:
        port = int(rig.url.rpartition(":")[2])
        with opened(chromium, rig.url, quiet=False) as page:
            page.wait_for_selector("#camera[data-stale=false]")
            rig.server.close()
            wait_for_text(page, "#camera .over", "Disconnected")
            assert page.get_attribute("#camera", "data-stale") == "true"
            assert "OLD FRAME" in page.text_content("#camera .age")
            assert page.text_content("#arm strong") == "UNKNOWN"
            with console_rig(fps=10, port=port):
                wait_for_text(page, "#link", "Live")
                page.wait_for_selector("#camera[data-stale=false]")
