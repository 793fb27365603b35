"""Words typed on the live page: what they find, boxes over the picture, and what is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_rig import DESKTOP, PHONE, low_contrasts, opened, overflow_px, wait_for_text
from console_rig import FRAMES, SERVICE, HeardCommander, console_rig, wait_until
from grounding_bundle import grounding_bundle

from robot_vision.console.client import Console, DataMessage
from robot_vision.core.types import Frame, Perception
from robot_vision.pipeline import build_pipeline

SIZE = (320, 240)
PROMPT = "red thing, green, blue unicorn"


@pytest.fixture(scope="module")
def named(tmp_path_factory: pytest.TempPathFactory) -> tuple[Perception, ...]:
    """What words name of a red square on grey, beside the shipped detector."""
    bundle = grounding_bundle(tmp_path_factory.mktemp("models") / "words", size=SIZE)
    config = SERVICE.model_copy(update={"grounding_model": str(bundle), "prompt": PROMPT})
    pipeline = build_pipeline(config)
    rgb = np.full((*SIZE[::-1], 3), 90, np.uint8)
    rgb[48:64, 96:112] = (255, 0, 0)
    frames = (Frame(stamp_ns=n * 33_000_000, frame_id="camera", rgb=rgb) for n in range(FRAMES))
    return tuple(pipeline.process(frame) for frame in frames)


@pytest.fixture
def page_of(chromium: Any, named: tuple[Perception, ...]) -> Iterator[Any]:
    commander = HeardCommander()
    with (
        console_rig(fps=5, seen=named[-1:], commander=commander) as rig,
        opened(chromium, rig.url) as page,
    ):
        page.locator("#words-panel li").first.wait_for()
        yield commander, page


def test_the_api_says_what_words_name(named: tuple[Perception, ...]) -> None:
    commander = HeardCommander()
    with (
        console_rig(fps=10, seen=named[-1:], commander=commander) as rig,
        Console(rig.url) as console,
    ):
        message = next(m for m in console.stream({"grounded": 10}) if isinstance(m, DataMessage))
        view = console.grounded()
        assert message.data["prompt"] == view.prompt == PROMPT
        (row,) = view.objects
        assert row.class_name == "red thing"
        assert np.round(row.box_xyxy_px or []).tolist() == [96, 48, 112, 64]
        assert [p.unknown_words for p in view.phrases] == [[], [], ["unicorn"]]
        assert console.prompt("a blue box").done
        assert commander.heard == ["a blue box"]


def test_phrases_and_boxes_show_and_words_are_sent(page_of: Any) -> None:
    commander, page = page_of
    rows = page.eval_on_selector_all(
        "#words-panel li", "all => all.map((row) => [...row.children].map((e) => e.textContent))"
    )
    assert rows[0][0] == "red thing"
    assert rows[0][1].endswith("%")
    assert rows[1] == ["green", "not seen"]
    assert "unicorn" in rows[2][1]
    assert page.input_value("#words-panel input") == PROMPT
    page.fill("#words-panel input", "the blue mug")
    page.press("#words-panel input", "Enter")
    wait_until(lambda: commander.heard == ["the blue mug"])
    assert page.input_value("#words-panel input") == "the blue mug"


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_panel_fits_and_can_be_read(
    chromium: Any, named: tuple[Perception, ...], size: Any, theme: str
) -> None:
    with (
        console_rig(fps=5, seen=named[-1:]) as rig,
        opened(chromium, rig.url, size=size, theme=theme) as page,
    ):
        wait_for_text(page, "#words-panel", "red thing")
        assert overflow_px(page) <= 0
        assert not low_contrasts(page)


def test_without_a_model_of_words_there_is_no_panel(chromium: Any) -> None:
    with console_rig() as rig, opened(chromium, rig.url) as page:
        page.locator("#objects tr").first.wait_for()
        assert page.locator("#words-panel").is_hidden()
