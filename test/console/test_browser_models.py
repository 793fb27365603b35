"""The page of what models answered: one picture, all models side by side."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from asked_pictures import write_asked_set
from browser_rig import (
    DESKTOP,
    PHONE,
    low_contrasts,
    opened,
    overflow_px,
    wait_for_text,
    wait_until_true,
)
from console_rig import console_rig

from robot_vision.multimodal.answerer import baselines
from robot_vision.multimodal.benchmark import BenchmarkOptions, run_benchmark
from robot_vision.multimodal.pictures import open_pictures
from robot_vision.multimodal.question import KINDS, questions_about


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark of what needs no weights: it answers nothing, or always the same."""
    folder = tmp_path_factory.mktemp("models")
    questions = questions_about(open_pictures(write_asked_set(folder / "set"), count=4), [*KINDS])
    options = BenchmarkOptions(asks_hosted=False, most_usd=0.0)
    chosen = [one for one in baselines() if one.name != "service"]
    run_benchmark(chosen, questions, folder / "out", options)
    return folder / "out"


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_one_picture_and_all_models(chromium: Any, answers: Path, size: Any, theme: str) -> None:
    with (
        console_rig(feed=False, multimodal=str(answers)) as rig,
        opened(chromium, f"{rig.url}/models", size=size, theme=theme) as page,
    ):
        wait_for_text(page, "#summary td", "constant")
        assert page.locator("#heads th").all_inner_texts() == ["question", "nothing", "constant"]
        assert page.locator("#picture option").count() == 4
        first = page.locator("#answers").inner_text()
        assert "Describe this picture" in first
        page.click("#next")
        answers_now = "document.querySelector('#answers').innerText"
        wait_until_true(page, f"{answers_now} !== {json.dumps(first)}")
        images = "[...document.querySelectorAll('#shown img')]"
        wait_until_true(page, f"{images}.length === 2")
        wait_until_true(page, f"{images}.every((image) => image.naturalWidth > 100)")
        assert overflow_px(page) <= 0
        assert not low_contrasts(page)


def test_without_a_benchmark_the_page_says_so(chromium: Any) -> None:
    with (
        console_rig(feed=False) as rig,
        opened(chromium, f"{rig.url}/models", quiet=False) as page,
    ):
        wait_for_text(page, "#problem", "started without a benchmark")


def test_programs_get_the_same(answers: Path, tmp_path: Path) -> None:
    with console_rig(feed=False, multimodal=str(answers)) as rig:
        found = httpx.get(f"{rig.url}/api/multimodal").json()
        assert [model["name"] for model in found["models"]] == ["nothing", "constant"]
        picture = httpx.get(f"{rig.url}/api/multimodal/pictures/0")
        assert picture.headers["content-type"] == "image/jpeg"
        for number, status in (("99", 404), ("-1", 422), ("..%2f..", 404)):
            answer = httpx.get(f"{rig.url}/api/multimodal/pictures/{number}")
            assert answer.status_code == status
    (tmp_path / "results.json").write_text('{"models": "none"}')
    with console_rig(feed=False, multimodal=str(tmp_path)) as rig:
        answer = httpx.get(f"{rig.url}/api/multimodal")
        assert answer.status_code == 503
        assert "is not of `robot-vision bench multimodal`" in answer.json()["detail"]
