"""Suppression, votes and doubts: what is kept, where it lies and how sure it is."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.perception.nms import doubt, suppress, vote, weigh_overlaps


def iou(a: np.ndarray, b: np.ndarray) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = np.prod(np.maximum(high - low, 0))
    return float(shared / (np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2]) - shared))


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    count = draw(st.integers(0, 12))
    corner = draw(arrays(np.float32, (count, 2), elements=st.integers(0, 20)))
    size = draw(arrays(np.float32, (count, 2), elements=st.integers(1, 20)))
    score = draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32)))
    class_id = draw(arrays(np.int64, count, elements=st.integers(0, 2)))
    limit = draw(st.sampled_from([0.0, 0.3, 0.55, 0.9]))
    return np.concatenate([corner, corner + size], axis=1), score, class_id, limit


@given(cases())
def test_kept_and_dropped_as_defined(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    box, score, class_id, limit = case
    kept = suppress(box, score, class_id, iou=limit, limit=100)
    assert (np.diff(score[kept]) <= 0).all()
    for i, a in enumerate(kept):
        for b in kept[i + 1 :]:
            assert class_id[a] != class_id[b] or iou(box[a], box[b]) <= limit + 1e-6
    for dropped in set(range(len(score))) - set(kept.tolist()):
        assert any(
            class_id[k] == class_id[dropped]
            and score[k] >= score[dropped]
            and iou(box[k], box[dropped]) > limit - 1e-6
            for k in kept
        )


def test_the_limit_keeps_the_best() -> None:
    box = np.array([[i, 0, i + 1, 1] for i in range(0, 20, 2)], np.float32)
    score = np.linspace(0, 0.9, 10).astype(np.float32)
    kept = suppress(box, score, np.zeros(10, np.int64), iou=0.5, limit=3)
    assert kept.tolist() == [9, 8, 7]


@given(cases())
def test_votes_stay_within_what_overlaps(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    box, score, class_id, limit = case
    kept = suppress(box, score, class_id, iou=limit, limit=100)
    voted = vote(kept, box, score, class_id)
    assert voted.shape == (len(kept), 4)
    for row, corners in zip(kept, voted, strict=True):
        near = [iou(box[row], other) > 0.7 - 1e-6 for other in box]
        voters = box[np.array(near) & (class_id == class_id[row])]
        assert (corners >= voters.min(axis=0) - 1e-4).all()
        assert (corners <= voters.max(axis=0) + 1e-4).all()


def test_sure_votes_count_for_more_and_other_classes_for_nothing() -> None:
    box = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [0, 1, 10, 11]], np.float32)
    score, class_id = np.array([0.8, 0.4, 0.4], np.float32), np.array([0, 0, 1])
    voted = vote(np.array([0]), box, score, class_id)[0]
    assert 0 < voted[0] < 1 / 3
    assert voted[1] == 0
    surer = vote(np.array([0]), box, np.array([0.8, 0.7, 0.4], np.float32), class_id)[0]
    assert voted[0] < surer[0] < 0.5


@given(cases())
def test_doubt_only_lowers_scores_and_never_the_surest(
    case: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> None:
    box, score, class_id, limit = case
    kept = suppress(box, score, class_id, iou=limit, limit=100)
    doubted = doubt(box[kept], score[kept], class_id[kept])
    assert (doubted <= score[kept]).all()
    assert (doubted >= 0).all()
    for row, (before, after) in enumerate(zip(score[kept], doubted, strict=True)):
        if all(iou(box[kept[row]], box[surer]) == 0 for surer in kept[:row]):
            assert after == before


def test_a_second_name_of_one_thing_is_doubted_and_one_inside_another_is_not() -> None:
    box = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [3, 3, 7, 7]], np.float32)
    score, class_id = np.array([0.8, 0.7, 0.6], np.float32), np.array([0, 1, 2])
    assert np.allclose(doubt(box, score, class_id), [0.8, 0.7 * (1 - 0.8 / 2), 0.6])


def test_the_more_a_surer_one_of_its_class_overlaps_the_less_a_box_is_worth() -> None:
    box = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [8, 20, 18, 30]], np.float32)
    score, class_id = np.array([0.9, 0.8, 0.7], np.float32), np.zeros(3, np.int64)
    beside, nearer = (
        doubt(box + np.array([[0] * 4, [shift, 0] * 2, [0] * 4], np.float32), score, class_id)
        for shift in (0, -1)
    )
    assert nearer[1] < beside[1] < 0.8
    assert beside[2] == nearer[2] == np.float32(0.7)


def test_what_is_doubted_below_the_threshold_goes_and_the_rest_stays_in_order() -> None:
    box = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [30, 0, 40, 10]], np.float32)
    score, class_id = np.array([0.8, 0.7, 0.6], np.float32), np.array([0, 1, 1])
    everything = weigh_overlaps(np.arange(3), box, score, class_id, min_score=0.0)
    assert everything[0].tolist() == [0, 2, 1]
    row, kept_box, kept_score = weigh_overlaps(np.arange(3), box, score, class_id, min_score=0.5)
    assert row.tolist() == [0, 2]
    assert np.array_equal(kept_box, box[row])
    assert np.array_equal(kept_score, score[row])
