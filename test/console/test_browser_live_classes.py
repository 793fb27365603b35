"""Classes of the view and of its pixels on the live page."""

import os
from pathlib import Path
from typing import Any

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
from console_rig import FRAMES, SERVICE, console_rig, perceptions
from picture_models import CLASSES, color_classifier, color_segmenter

from robot_vision.core.types import Perception
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.reading.example_frames import load_frames

# Of a palette for classes; a console that draws nothing over the picture has none of them.
_COLORFUL = """(() => {
  const canvas = document.querySelector("#inside canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let most = 0;
  for (let i = 0; i < data.length; i += 4) {
    const rgb = [data[i], data[i + 1], data[i + 2]];
    most = Math.max(most, Math.max(...rgb) - Math.min(...rgb));
  }
  return most > 100;
})()"""


@pytest.fixture(scope="module")
def with_classes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Perception, ...]:
    """What the shipped detector and two small models beside it say of the shipped recording."""
    root = tmp_path_factory.mktemp("models")
    models = {
        "classifier_model": str(color_classifier(root / "classes")),
        "segmentation_model": str(color_segmenter(root / "parts")),
    }
    pipeline = build_pipeline(SERVICE.model_copy(update=models))
    frames = load_frames(None, count=FRAMES, width_px=640, height_px=480)
    return tuple(pipeline.process(frame) for frame in frames)


def shares(page: Any, kind: str) -> dict[str, float]:
    """Per cent by name, as a person reads them."""
    rows = page.locator(f"#{kind} li").all_inner_texts()
    return {row.split("\n")[0]: float(row.split("\n")[-1].split()[0]) for row in rows}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_classes_of_the_view_and_a_legend_of_its_pixels(
    chromium: Any, with_classes: tuple[Perception, ...], size: Any, theme: str
) -> None:
    with (
        console_rig(seen=with_classes) as rig,
        opened(chromium, rig.url, size=size, theme=theme) as page,
    ):
        page.locator("#pixel-classes li").first.wait_for()
        page.locator("#classes-panel").scroll_into_view_if_needed()
        of_view, of_pixels = shares(page, "view-classes"), shares(page, "pixel-classes")
        assert of_view.keys() == {*CLASSES}
        assert [*of_view.values()] == sorted(of_view.values(), reverse=True)
        assert sum(of_view.values()) == pytest.approx(100, abs=0.2)
        assert of_pixels.keys() <= {*CLASSES, "none"}
        assert sum(of_pixels.values()) == pytest.approx(100, abs=0.2)
        assert page.locator("#view-classes h3").inner_text().endswith("classes@1")
        colors = page.eval_on_selector_all(
            "#pixel-classes .swatch", "all => all.map((e) => getComputedStyle(e).backgroundColor)"
        )
        assert len(set(colors)) == len(of_pixels)
        assert page.locator("#view-classes .swatch").count() == 0
        page.locator("#inside").scroll_into_view_if_needed()
        page.click('#inside-topic button[value="segmentation"]')
        wait_until_true(page, _COLORFUL)
        assert overflow_px(page) <= 0
        assert not low_contrasts(page)
        shoot(page, f"live_classes_{'phone' if size == PHONE else 'desktop'}_{theme}.jpg")


def shoot(page: Any, name: str) -> None:
    """For the documents, where ROBOT_VISION_SCREENSHOTS says so."""
    folder = os.environ.get("ROBOT_VISION_SCREENSHOTS")
    if folder:
        height_px = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": page.viewport_size["width"], "height": height_px})
        page.wait_for_timeout(1500)
        page.screenshot(path=Path(folder) / name, type="jpeg", quality=62)


def test_without_such_models_there_is_no_panel_and_the_page_says_why(chromium: Any) -> None:
    with console_rig() as rig, opened(chromium, rig.url) as page:
        page.locator("#objects tr").first.wait_for()
        assert page.locator("#classes-panel").is_hidden()
        page.click('#inside-topic button[value="segmentation"]')
        wait_for_text(page, "#inside", "segmentation_model")


def test_what_no_model_says_any_more_goes(
    chromium: Any, with_classes: tuple[Perception, ...]
) -> None:
    with console_rig(seen=with_classes) as rig, opened(chromium, rig.url) as page:
        page.locator("#pixel-classes li").first.wait_for()
        rig.feeder.seen = perceptions()
        page.locator("#classes-panel").wait_for(state="hidden")
        rig.feeder.seen = with_classes
        page.locator("#view-classes li").first.wait_for()


def test_of_a_dead_camera_classes_are_marked_as_old(
    chromium: Any, with_classes: tuple[Perception, ...]
) -> None:
    with console_rig(seen=with_classes) as rig, opened(chromium, rig.url) as page:
        page.locator("#view-classes li").first.wait_for()
        old = page.locator("#classes-panel .old")
        assert old.is_hidden()
        rig.feeder.stop()
        old.wait_for()
        assert shares(page, "view-classes").keys() == {*CLASSES}
