"""Pointing at things by the API and the Python client, in pictures and in the live stream."""

import json
from collections.abc import Iterator

import cv2
import httpx
import numpy as np
import pytest
from color_segmenter import discs, write_color_segmenter
from console_rig import ConsoleRig, console_rig, encoded, wait_until
from held_here import HeldHere, still

from robot_vision.console.client import ConsoleRefusedError
from robot_vision.console.segment_schema import PicturePrompt
from robot_vision.model_store.segmenters import SegmenterBundle
from robot_vision.segment.live.requests import LiveRequest
from robot_vision.segment.segmenter import Segmenter

RGB = discs((40, 40), (110, 80))
RED, GREEN = RGB[..., 0] > 200, RGB[..., 1] > 190


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> SegmenterBundle:
    return write_color_segmenter(tmp_path_factory.mktemp("by_color"))


@pytest.fixture(scope="module")
def rig(bundle: SegmenterBundle) -> Iterator[ConsoleRig]:
    frames, newest = still(RGB)
    live = HeldHere(Segmenter(bundle), newest)
    with console_rig(seen=frames, live=live, segment_model=str(bundle.path)) as made:
        yield made


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def test_several_things_of_a_picture_at_once(rig: ConsoleRig) -> None:
    with rig.client() as console:
        answer = console.segment(
            encoded(".png", RGB),
            PicturePrompt(points=[(40, 40)]),
            PicturePrompt(box=(92, 62, 128, 98)),
        )
        assert answer.mask is not None
        image = np.frombuffer(console.image(answer.mask), np.uint8)
    assert (answer.width_px, answer.height_px) == (160, 120)
    assert [one.prompt for one in answer.segments] == [0, 1]
    labels = cv2.imdecode(image, cv2.IMREAD_GRAYSCALE)
    assert overlap(labels == 1, RED) > 0.9
    assert overlap(labels == 2, GREEN) > 0.9
    assert all(len(one.outline_px[0]) > 5 for one in answer.segments)


def test_an_answer_can_be_corrected_and_all_its_masks_asked_for(rig: ConsoleRig) -> None:
    png = encoded(".png", RGB)
    with rig.client() as console:
        prompt = PicturePrompt(points=[(40, 40)], all_masks=True)
        first = console.segment(png, prompt).segments
        assert len(first) == 3
        assert [one.score for one in first] == sorted((one.score for one in first), reverse=True)
        again = PicturePrompt(points=[(42, 40)], earlier=first[0].id)
        assert len(console.segment(png, again).segments) == 1
        with pytest.raises(ConsoleRefusedError, match="has expired") as refused:
            console.segment(png, PicturePrompt(points=[(40, 40)], earlier="never-was"))
    assert refused.value.status == 422


def test_everything_in_a_picture(rig: ConsoleRig) -> None:
    with rig.client() as console:
        answer = console.segment(encoded(".png", RGB))
    assert len(answer.segments) == 3, "two discs and the ground"
    assert {one.prompt for one in answer.segments} == {None}


@pytest.mark.parametrize(
    ("request_text", "status", "words"),
    [
        ("{", 422, "Invalid JSON"),
        ('{"prompts": []}', 422, "not both or neither"),
        ('{"prompts": [{"points": [[900, 3]]}]}', 422, "the point 900,3 is not in the picture"),
        ('{"prompts": [{"not_points": [[9, 3]]}]}', 422, "needs a point on the object"),
        ('{"prompts": [{"points": [[1e999, 3]]}]}', 422, "points"),
        ('{"colour": 1}', 422, "colour"),
    ],
)
def test_what_is_wrong_is_refused_in_words(
    rig: ConsoleRig, request_text: str, status: int, words: str
) -> None:
    response = httpx.post(
        f"{rig.url}/api/segment",
        files={"image": encoded(".png", RGB)},
        data={"request": request_text},
    )
    assert response.status_code == status
    assert words in response.json()["detail"]


def test_without_a_model_it_says_how_to_get_one() -> None:
    with console_rig() as rig, rig.client() as console:
        with pytest.raises(ConsoleRefusedError, match="set the console's parameter segment_model"):
            console.segment(encoded(".png", RGB))
        with pytest.raises(ConsoleRefusedError, match="there is no live stream"):
            console.point_at(LiveRequest(points=[(3, 3)]))


def test_a_damaged_picture_is_refused(rig: ConsoleRig) -> None:
    with rig.client() as console, pytest.raises(ConsoleRefusedError) as refused:
        console.segment(encoded(".png", RGB)[:200], PicturePrompt(points=[(1, 1)]))
    assert refused.value.status in (415, 422)


def test_a_thing_of_the_live_picture_is_held_and_released(rig: ConsoleRig) -> None:
    with rig.client() as console:
        assert console.point_at(LiveRequest(id="disc", points=[(110, 80)])).done
        wait_until(lambda: bool(console.held().held))
        held = console.held().held
        assert held is not None
        (thing,) = held.segments
        assert (thing.id, thing.track_id) == ("disc", None)
        assert thing.area_px == pytest.approx(np.count_nonzero(GREEN), rel=0.1)
        with pytest.raises(ConsoleRefusedError, match="needs a point on the object"):
            console.point_at(LiveRequest(not_points=[(1, 1)]))
        console.point_at(LiveRequest(id="nowhere", points=[(3000, 1)]))
        wait_until(lambda: bool(console.held().answers))
        assert "is not in the picture" in console.held().answers[-1].problems[0]
        console.point_at(LiveRequest(op="release", id="nobody"))
        wait_until(lambda: len(console.held().answers) > 1)
        assert "nothing named 'nobody' is held" in console.held().answers[-1].problems[0]
        wait_until(lambda: (console.held().held or held).problems == [])
        console.point_at(LiveRequest(op="release"))
        wait_until(lambda: not (console.held().held or held).segments)


def test_the_route_is_documented(rig: ConsoleRig) -> None:
    described = httpx.get(f"{rig.url}/openapi.json", timeout=60).json()
    assert {"/api/segment", "/api/segment/live"} <= set(described["paths"])
    assert "409" in json.dumps(described["paths"]["/api/segment/live"])
