"""Classes of the view and of its pixels on the live page."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from browser_rig import (
    DESKTOP,
    PHONE,
    low_contrasts,
    opened,
    overflow_px,
    shoot,
    wait_for_text,
)
from console_rig import FRAMES, SERVICE, console_rig, perceptions, wait_until
from picture_models import CLASSES, color_classifier, color_segmenter

from robot_vision.core.types import Perception
from robot_vision.pipeline import build_pipeline
from robot_vision.replay.reading.example_frames import load_frames

# Between the channels of a pixel: the picture below the classes' colours is grey.
COLORFUL = 100


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
    """Per cent by name, in the order of the rows."""
    rows = page.eval_on_selector_all(
        f"#{kind} li",
        "rows => rows.map(({ children }) => [...children].map((e) => e.textContent))",
    )
    return {name: float(share.split()[0]) for name, _, share in rows}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_classes_of_the_view_and_a_legend_of_its_pixels(
    chromium: Any, with_classes: tuple[Perception, ...], size: Any, theme: str
) -> None:
    with (
        # Of one picture, so that what is read one after the other fits together.
        console_rig(fps=5, seen=with_classes[:1]) as rig,
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
        wait_until(lambda: spread_of_colors(page, "#inside canvas") > COLORFUL)
        assert overflow_px(page) <= 0
        assert not low_contrasts(page)
        folder = os.environ.get("ROBOT_VISION_SCREENSHOTS")
        if folder:  # for the documents
            kind = "phone" if size == PHONE else "desktop"
            shoot(page, Path(folder) / f"live_classes_{kind}_{theme}.jpg")


def spread_of_colors(page: Any, selector: str) -> int:
    """The largest difference between the channels of a pixel that is seen there."""
    png = np.frombuffer(page.locator(selector).screenshot(), np.uint8)
    bgr = cv2.imdecode(png, cv2.IMREAD_COLOR)
    assert bgr is not None
    return int(np.ptp(bgr, axis=2).max())


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
        page.locator("#view-classes .behind").wait_for()  # old, and soon no more
        page.locator("#classes-panel").wait_for(state="hidden")
        rig.feeder.seen = with_classes
        page.locator("#view-classes li").first.wait_for()


def test_of_a_dead_camera_classes_are_marked_as_old(
    chromium: Any, with_classes: tuple[Perception, ...]
) -> None:
    with console_rig(seen=with_classes) as rig, opened(chromium, rig.url) as page:
        page.locator("#view-classes li").first.wait_for()
        old = page.locator("#classes-panel .old")
        old.wait_for(state="hidden")
        rig.feeder.stop()
        old.wait_for()
        assert shares(page, "view-classes").keys() == {*CLASSES}
