"""Pointing at things in Chromium: click, Ctrl- and shift-click, a dragged box, everything."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_rig import opened, wait_for_text, wait_until_true
from color_segmenter import discs, write_color_segmenter
from console_rig import ConsoleRig, console_rig, encoded, wait_until
from held_here import HeldHere, still

from robot_vision.segment.segmenter import Segmenter

RGB = discs((160, 160), (440, 320), width_px=640, height_px=480, radius_px=72)


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsoleRig]:
    bundle = write_color_segmenter(tmp_path_factory.mktemp("by_color"))
    frames, newest = still(RGB)
    live = HeldHere(Segmenter(bundle), newest)
    with console_rig(seen=frames, fps=5, live=live, segment_model=str(bundle.path)) as made:
        made.commander = live
        yield made


def at(page: Any, selector: str, x: float, y: float) -> tuple[float, float]:
    """Where a pixel of the picture is on the page."""
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    return box["x"] + x / 640 * box["width"], box["y"] + y / 480 * box["height"]


def click(page: Any, selector: str, x: float, y: float, *keys: str) -> None:
    for key in keys:
        page.keyboard.down(key)
    page.mouse.click(*at(page, selector, x, y))
    for key in keys:
        page.keyboard.up(key)


def drag(page: Any, selector: str, *corners: tuple[float, float]) -> None:
    (from_x, from_y), (to_x, to_y) = (at(page, selector, *corner) for corner in corners)
    page.mouse.move(from_x, from_y)
    page.mouse.down()
    page.mouse.move((from_x + to_x) / 2, (from_y + to_y) / 2)
    page.mouse.move(to_x, to_y)
    page.mouse.up()


def test_pointing_at_things_in_a_chosen_picture(
    chromium: Any, rig: ConsoleRig, tmp_path: Path
) -> None:
    file, canvas = tmp_path / "discs.png", "#segment-picture canvas"
    file.write_bytes(encoded(".png", RGB))
    with opened(chromium, f"{rig.url}/analyze") as page:
        page.set_input_files("#files", str(file))
        wait_for_text(page, "#segment-says", "Click an object")
        click(page, canvas, 160, 160, "Shift")
        wait_for_text(page, "#segment-says", "Click an object first")
        before = page.locator(canvas).screenshot()
        click(page, canvas, 160, 160)
        wait_for_text(page, "#segment-says", "score 0.96")  # the best of those that are meant
        area = page.locator("#segment-says").inner_text().split(", ")[1]
        after = page.locator(canvas).screenshot()
        assert before != after, "the mask is drawn"
        click(page, canvas, 600, 30, "Shift")
        # A point off it leaves no doubt, and the disc as it was; one on it would join the ground.
        wait_for_text(page, "#segment-says", f"score 0.97, {area}")
        drag(page, canvas, (360, 240), (520, 400))
        wait_for_text(page, "#segment-says", "by-color@1 on cpu: score")
        page.click("#segment-everything")
        wait_for_text(page, "#segment-says", "3 segments")


def test_pointing_at_things_in_the_live_picture(chromium: Any, rig: ConsoleRig) -> None:
    live, canvas = rig.commander, "#camera canvas"
    with opened(chromium, rig.url) as page:
        wait_until_true(page, "document.body.dataset.live === 'true'")
        page.click("#point")
        click(page, canvas, 160, 160)
        wait_for_text(page, "#held", "object 1: score 0.97, followed by its mask")
        point = np.array(live.heard[0].points[0])
        np.testing.assert_allclose(point, (160, 160), atol=3)
        click(page, canvas, 200, 200, "Shift")
        wait_until(lambda: len(live.heard) == 2)
        assert (live.heard[1].id, len(live.heard[1].not_points)) == ("object 1", 1)
        drag(page, canvas, (368, 248), (512, 392))
        wait_for_text(page, "#held", "object 2")
        np.testing.assert_allclose(np.array(live.heard[2].box), (368, 248, 512, 392), atol=4)
        page.click("text=Release >> nth=0")
        wait_until_true(page, "document.querySelectorAll('#held li').length === 1")
        page.click("#point")
        click(page, canvas, 30, 30)
        assert len(live.heard) == 4, "the tool is off: clicks choose tracks again"
