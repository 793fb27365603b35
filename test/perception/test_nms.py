"""Suppression: what is kept does not overlap, what is dropped does, classes stay apart."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.perception.nms import suppress


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
