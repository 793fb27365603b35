"""Frames of an index that look like a picture, over the console's API."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from browser_rig import low_contrasts, opened, overflow_px, wait_until_true
from console_rig import SERVICE, console_rig, encoded, perceptions
from looking_bundle import looking_bundle

from robot_vision.core.parameters.config import ServiceConfig
from robot_vision.replay.reading.bag import BagOptions
from robot_vision.similar.build import add_source, index_for
from robot_vision.similar.embedder import Embedder


def index_of_frames(folder: Path, bundle: Path) -> Path:
    """An index of what the rig's camera saw, and of noise."""
    noise = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)
    seen = [perception.frame.rgb for perception in perceptions()[:3]]
    (folder / "pictures").mkdir(parents=True)
    for number, rgb in enumerate([noise, *seen]):
        cv2.imwrite(str(folder / "pictures" / f"{number}.png"), rgb[..., ::-1])
    add_to(folder / "index", bundle, folder / "pictures")
    return folder / "index"


def add_to(folder: Path, bundle: Path, source: Path) -> None:
    embedder = Embedder(str(bundle))
    index, options = index_for(folder, embedder), BagOptions()
    add_source(index, embedder, source, config=ServiceConfig(), options=options)


def test_the_frame_itself_comes_first_with_its_picture(tmp_path: Path) -> None:
    bundle = looking_bundle(tmp_path / "looks")
    index = index_of_frames(tmp_path, bundle)
    service = SERVICE.model_copy(update={"feature_model": str(bundle)})
    rgb = perceptions()[1].frame.rgb
    with console_rig(service=service, index=str(index)) as rig, rig.client() as console:
        answer = console.analyze(encoded(".png", rgb), tasks=("similar_frames",))
        found = answer.pictures[0].similar_frames
        small = console.image(found[0].image)
    assert found[0].name == "2.png"
    assert found[0].similarity > 0.9999
    assert found[-1].name == "0.png"
    assert found[0].source == str(tmp_path / "pictures")
    assert cv2.imdecode(np.frombuffer(small, np.uint8), -1).shape == (120, 160, 3)
    assert answer.notes == []


def test_frames_of_a_source_that_is_added_later_are_found(tmp_path: Path) -> None:
    bundle = looking_bundle(tmp_path / "looks")
    index = index_of_frames(tmp_path, bundle)
    service = SERVICE.model_copy(update={"feature_model": str(bundle)})
    rgb = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    with console_rig(service=service, index=str(index)) as rig, rig.client() as console:
        console.analyze(encoded(".png", rgb), tasks=("similar_frames",))
        (tmp_path / "more").mkdir()
        cv2.imwrite(str(tmp_path / "more" / "new.png"), rgb[..., ::-1])
        add_to(index, bundle, tmp_path / "more")
        answer = console.analyze(encoded(".png", rgb), tasks=("similar_frames",))
    assert answer.pictures[0].similar_frames[0].name == "new.png"


def test_an_index_of_another_model_is_not_asked_and_it_says_so(tmp_path: Path) -> None:
    index = index_of_frames(tmp_path, looking_bundle(tmp_path / "looks"))
    other = looking_bundle(tmp_path / "others", middle=0.4)
    service = SERVICE.model_copy(update={"feature_model": str(other)})
    rgb = encoded(".png", perceptions()[1].frame.rgb)
    with console_rig(service=service, index=str(index)) as rig, rig.client() as console:
        answer = console.analyze(rgb, tasks=("similar_frames",))
    assert answer.pictures[0].similar_frames is None
    assert "with looks@1, but the features come from others@1" in answer.notes[0]


def test_without_an_index_it_says_how_to_give_one() -> None:
    rgb = encoded(".png", perceptions()[1].frame.rgb)
    with console_rig() as rig, rig.client() as console:
        answer = console.analyze(rgb, tasks=("similar_frames",))
    assert answer.notes == ["the console was started without an index (--index)"]


def test_the_page_shows_them(chromium: Any, tmp_path: Path) -> None:
    bundle = looking_bundle(tmp_path / "looks")
    index = index_of_frames(tmp_path, bundle)
    service = SERVICE.model_copy(update={"feature_model": str(bundle)})
    picture = str(tmp_path / "pictures" / "2.png")
    with (
        console_rig(service=service, index=str(index)) as rig,
        opened(chromium, f"{rig.url}/analyze") as page,
    ):
        page.click("#tasks button[value=similar_frames]")
        page.set_input_files("#files", picture)
        page.click("#go")
        # Two models are loaded for it, on a machine that may be busy.
        page.wait_for_selector("#similar-frames li", timeout=120_000)
        assert page.locator("#similar-frames li").count() == 4
        assert page.locator("#similar-frames li").first.inner_text() == "1.000\n2.png"
        loaded = (
            "[...document.querySelectorAll('#similar-frames img')].every((i) => i.naturalWidth)"
        )
        wait_until_true(page, loaded)
        assert low_contrasts(page) == []
        assert overflow_px(page) <= 0
