"""The page "Why": maps of the live frame and of pictures that clients send, by a real child."""

from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from browser_rig import low_contrasts, opened, overflow_px, wait_until_true
from console_rig import ConsoleRig, console_rig, encoded, perceptions

# Where other tests run beside, a process that imports torch takes long to start.
_CHILD_S = 300.0


@pytest.fixture(scope="module")
def rig() -> Iterator[ConsoleRig]:
    with console_rig(fps=5, why={"limit_s": _CHILD_S, "gap_s": 0.0}) as made:
        yield made


def asked(url: str, body: dict[str, Any]) -> Any:
    answer = requests.post(f"{url}/api/why", json=body, timeout=_CHILD_S)
    assert answer.status_code == 200, answer.text
    return answer.json()


def refusal(url: str, body: dict[str, Any]) -> tuple[int, str]:
    answer = requests.post(f"{url}/api/why", json=body, timeout=_CHILD_S)
    return answer.status_code, answer.json()["detail"]


def picture_of(url: str, path: str) -> np.ndarray:
    data = requests.get(url + path, timeout=10).content
    picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_an_object_of_the_live_frame_is_explained(rig: ConsoleRig) -> None:
    track = perceptions()[0].tracks
    best = int(track.score.argmax())
    x0, y0, x1, y1 = track.box_xyxy_px[best].tolist()
    place = f"box:{(x0 + x1) / 2:.1f},{(y0 + y1) / 2:.1f}"
    why = asked(rig.url, {"target": place, "ways": ["hires_cam", "rollout"]})
    height_px, width_px = perceptions()[0].frame.rgb.shape[:2]
    assert (why["width_px"], why["height_px"]) == (width_px, height_px)
    left, top, right, bottom = why["box_xyxy_px"]
    assert left <= (x0 + x1) / 2 <= right
    assert top <= (y0 + y1) / 2 <= bottom
    shown, refused = why["maps"]
    assert shown["refused"] == ""
    assert "encoder" in shown["about"]
    assert picture_of(rig.url, shown["image"]).shape == (height_px, width_px, 3)
    assert "runs no attention" in refused["refused"]
    assert refused["image"] == ""


def test_what_cannot_be_asked_is_refused_in_words(rig: ConsoleRig) -> None:
    assert refusal(rig.url, {"model": "classifier"}) == (
        422,
        "the service has no classifier: no bundle is configured",
    )
    code, words = refusal(rig.url, {"target": "box:unicorn"})
    assert code == 422
    assert "class 'unicorn' is not known; the model has ball" in words
    assert refusal(rig.url, {"target": "box:$(reboot)"})[0] == 422
    assert refusal(rig.url, {"ways": ["magic"]})[0] == 422


def test_more_often_than_it_may_is_refused() -> None:
    with console_rig(fps=5, why={"gap_s": 600.0, "limit_s": _CHILD_S}) as rig:
        assert refusal(rig.url, {"target": "box:unicorn"})[0] == 422
        code, words = refusal(rig.url, {})
    assert code == 503
    assert "only one picture every 600 s" in words


def test_a_click_on_a_picture_of_mine_shows_maps(
    chromium: Any, rig: ConsoleRig, tmp_path: Any
) -> None:
    file = tmp_path / "table.png"
    file.write_bytes(encoded(".png", perceptions()[0].frame.rgb))
    with opened(chromium, f"{rig.url}/why") as page:
        page.set_input_files("#file", str(file))
        wait_until_true(page, "document.querySelector('#source').textContent === 'table.png'")
        page.click("#ask")
        page.wait_for_selector("#maps figure:nth-child(2)", timeout=_CHILD_S * 1000)
        words = page.inner_text("#about")
        captions = page.inner_text("#maps")
        assert "native-s says" in words
        assert "HiResCAM" in captions
        assert overflow_px(page) <= 0
        assert low_contrasts(page) == []
        page.screenshot(path=str(tmp_path / "why.png"))
