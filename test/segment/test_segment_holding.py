"""Things held on a stream: followed by their tracks, segmented anew once a period."""

from dataclasses import replace

import numpy as np
import pytest
from color_segmenter import discs, write_color_segmenter

from robot_vision.core.parameters.groups.segment_config import SegmentConfig
from robot_vision.core.results.unperceived import unperceived
from robot_vision.core.types import Frame, Perception, Tracks
from robot_vision.segment.live.answers import answer_json, answer_labels
from robot_vision.segment.live.holding import Answer, Holder
from robot_vision.segment.live.requests import LiveRequest
from robot_vision.segment.segmenter import Embedding, Segmenter

RADIUS_PX = 18
FIRST_NS = 5_000_000_000


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> Segmenter:
    return Segmenter(write_color_segmenter(tmp_path_factory.mktemp("by_color")))


def seen(
    at_s: float,
    *centres: tuple[float, float],
    tracked: bool = True,
    epoch: int = 0,
) -> Perception:
    """Discs, each with a track whose box is right, at a time after the first frame."""
    stamp_ns = FIRST_NS + round(at_s * 1e9)
    frame = Frame(stamp_ns=stamp_ns, frame_id="camera", rgb=discs(*centres))
    count = len(centres) if tracked else 0
    boxes = [(x - RADIUS_PX, y - RADIUS_PX, x + RADIUS_PX, y + RADIUS_PX) for x, y in centres]
    unknown = np.full((count, 3), np.nan, np.float32)
    tracks = Tracks(
        stamp_ns=stamp_ns,
        track_id=np.arange(7, 7 + count),
        state=np.ones(count, np.int64),
        box_xyxy_px=np.array(boxes[:count], np.float32).reshape(-1, 4),
        score=np.ones(count, np.float32),
        class_id=np.zeros(count, np.int64),
        position_in_camera_m=unknown,
        position_covariance_m2=np.full((count, 3, 3), np.nan, np.float32),
        velocity_in_camera_mps=unknown,
        velocity_covariance_m2ps2=np.full((count, 3, 3), np.nan, np.float32),
        size_m=unknown,
        age_s=np.ones(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        detection_index=np.arange(count),
        epoch=epoch,
    )
    return replace(unperceived(frame), tracks=tracks)


def red_and_green(perception: Perception) -> tuple[np.ndarray, np.ndarray]:
    rgb = perception.frame.rgb
    return rgb[..., 0] > 200, rgb[..., 1] > 190


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return np.count_nonzero(a & b) / np.count_nonzero(a | b)


def holds(holder: Holder, perception: Perception, *requests: LiveRequest) -> Answer:
    answers = holder.step(perception, requests)
    assert len(answers) == 1, "what is held is said once a frame"
    return answers[0]


def test_a_thing_is_held_by_its_track(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig(embed_period_s=1.0))
    start = seen(0, (40, 40), (110, 80))
    (one,) = holds(holder, start, LiveRequest(id="red", points=[(42, 38)])).shown
    assert (one.id, one.how, one.mask_age_s, one.track_id) == ("red", "segmented", 0.0, 7)
    assert overlap(one.segment.mask, red_and_green(start)[0]) > 0.9

    between = seen(0.4, (48, 46), (110, 80))
    (one,) = holds(holder, between).shown
    assert (one.how, one.mask_age_s) == ("carried", pytest.approx(0.4))
    assert overlap(one.segment.mask, red_and_green(between)[0]) > 0.9

    later = seen(1.0, (60, 60), (110, 80))
    (one,) = holds(holder, later).shown
    assert (one.how, one.mask_age_s) == ("segmented", 0.0)
    assert overlap(one.segment.mask, red_and_green(later)[0]) > 0.9


def test_a_mask_grows_as_its_tracks_box_does(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig())
    start = seen(0, (60, 60))
    (before,) = holds(holder, start, LiveRequest(box=(42, 42, 78, 78))).shown
    grown = np.array([[24, 24, 96, 96]], np.float32)
    near = seen(0.2, (60, 60))
    near = replace(near, tracks=replace(near.tracks, box_xyxy_px=grown))
    (after,) = holds(holder, near).shown
    assert after.segment.area_px == pytest.approx(4 * before.segment.area_px, rel=0.05)


def test_without_a_track_a_thing_is_held_by_its_mask(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig(embed_period_s=0.5))
    start = seen(0, (60, 60), tracked=False)
    (one,) = holds(holder, start, LiveRequest(id="it", points=[(60, 60)])).shown
    assert one.track_id is None
    moved = seen(0.5, (66, 60), tracked=False)
    (one,) = holds(holder, moved).shown
    assert one.how == "segmented"
    assert overlap(one.segment.mask, red_and_green(moved)[0]) > 0.9
    away = seen(1.0, tracked=False)
    gone = holds(holder, away)
    assert gone.shown == ()
    assert "'it' is lost: nothing similar is at its last place" in gone.problems[0]


def test_a_thing_whose_track_is_gone_for_too_long_is_lost(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig(lost_after_s=2.0))
    holds(holder, seen(0, (60, 60)), LiveRequest(id="it", points=[(60, 60)]))
    kept = holds(holder, seen(1.5))
    assert [one.how for one in kept.shown] == ["carried"]
    lost = holds(holder, seen(2.6))
    assert lost.shown == ()
    assert lost.problems == ("'it' is lost: its track 7 is gone, or left the picture",)
    assert holder.step(seen(2.7), []) == []


def test_encoding_is_bounded_whatever_the_rate_of_frames(
    segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs: list[int] = []
    embed = segmenter.embed

    def counted(rgb: np.ndarray) -> Embedding:
        runs.append(1)
        return embed(rgb)

    monkeypatch.setattr(segmenter, "embed", counted)
    holder = Holder(segmenter, SegmentConfig(embed_period_s=1.0))
    holds(holder, seen(0, (60, 60)), LiveRequest(points=[(60, 60)]))
    for step in range(1, 100):
        holds(holder, seen(step * 0.033, (60, 60)))
    assert len(runs) == 4


def test_requests_are_answered_once_or_refused_in_words(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig(most_held=1, points_per_side=8))
    perception = seen(0, (40, 40), (110, 80))
    asked = [
        LiveRequest(op="once", id="a", points=[(110, 80)]),
        LiveRequest(op="everything", id="all"),
        LiveRequest(id="first", points=[(40, 40)]),
        LiveRequest(id="second", points=[(110, 80)]),
        LiveRequest(id="outside", points=[(5000, 80)]),
        LiveRequest(op="release", id="nobody"),
    ]
    answers = {answer.request: answer for answer in holder.step(perception, asked)}
    assert overlap(answers["a"].shown[0].segment.mask, red_and_green(perception)[1]) > 0.9
    assert len(answers["all"].shown) == 3
    assert "1 objects are held already" in answers["second"].problems[0]
    assert "the point 5000,80 is not in the picture" in answers["outside"].problems[0]
    assert answers[""].problems == ("nothing named 'nobody' is held; held: nothing",)
    assert [one.id for one in answers[""].shown] == ["first"]
    labels = answer_labels(answers["all"])
    assert set(np.unique(labels)) == {0, 1, 2, 3}, "two discs, the ground, and their edges"
    assert '"request": "all"' in answer_json(answers["all"], model_id="m@1")


def test_release_and_a_new_epoch_end_it(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig())
    holds(holder, seen(0, (60, 60)), LiveRequest(id="it", points=[(60, 60)]))
    assert holds(holder, seen(0.1, (60, 60)), LiveRequest(op="release", id="it")).shown == ()
    assert holder.is_idle
    holds(holder, seen(0.2, (60, 60)), LiveRequest(id="it", points=[(60, 60)]))
    ended = holds(holder, seen(0.3, (60, 60), epoch=1))
    assert ended.shown == ()
    assert "tracking restarted" in ended.problems[0]


def test_pictures_of_another_size_end_it_in_words(segmenter: Segmenter) -> None:
    holder = Holder(segmenter, SegmentConfig(embed_period_s=0.5))
    holds(holder, seen(0, (60, 60), tracked=False), LiveRequest(id="it", points=[(60, 60)]))
    frame = Frame(
        stamp_ns=FIRST_NS + 600_000_000, frame_id="camera", rgb=discs((30, 30))[:60, :80]
    )
    ended = holds(holder, unperceived(frame))
    assert ended.shown == ()
    assert "picture size changed" in ended.problems[0]
