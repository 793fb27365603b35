"""Intervals of held-out figures: as wide as theory has them, from the counts of the figure."""

from dataclasses import replace

import numpy as np
import pytest

from robot_vision.training.data.samples.samples import Sample
from robot_vision.training.metrics.bootstrap import bounds, draws, resampled_mean
from robot_vision.training.metrics.classification import resampled_top1
from robot_vision.training.metrics.coco import average_precision
from robot_vision.training.metrics.matches import match, precision, resampled_precision
from robot_vision.training.metrics.presence import presence_figures, resampled_presence
from robot_vision.training.metrics.segmentation import SegmentationCounts
from robot_vision.training.metrics.selected import FoundBoxes

NAMES = ("a", "b", "c")
PICTURES = 40


def test_draws_are_the_same_on_every_call_and_keep_neighbours_together() -> None:
    times = draws(100)
    assert np.array_equal(times, draws(100))
    assert times.shape == (1000, 100)
    assert (times.sum(axis=1) == 100).all()
    assert (times[:, :5] == times[:, :1]).all()
    assert times.mean() == pytest.approx(1)


def test_pictures_of_a_small_set_are_drawn_one_by_one_and_of_a_large_one_in_fewer_rounds() -> None:
    few, many = draws(7), draws(30_000)
    assert few.shape == (1000, 7)
    assert (few[:, 0] != few[:, 1]).any()
    assert many.shape == (333, 30_000)


def test_a_mean_is_as_sure_as_its_standard_error_says() -> None:
    values = np.random.default_rng(5).normal(0.5, 0.1, 1000)
    found = bounds({"x": resampled_mean(values)})
    half = 1.96 * values.std() / np.sqrt(1000)
    assert found["x_low"] == pytest.approx(values.mean() - half, abs=half / 4)
    assert found["x_high"] == pytest.approx(values.mean() + half, abs=half / 4)


def test_neighbours_that_are_alike_make_a_figure_less_sure() -> None:
    of_scenes = np.random.default_rng(5).normal(0.5, 0.1, 200)
    alike = bounds({"x": resampled_mean(np.repeat(of_scenes, 5))})
    half = 1.96 * of_scenes.std() / np.sqrt(200)
    assert (alike["x_high"] - alike["x_low"]) / 2 == pytest.approx(half, rel=0.2)


def test_one_picture_says_nothing_of_how_sure_a_figure_is() -> None:
    assert bounds({"x": resampled_mean(np.array([0.3]))}) == {}
    assert bounds({"x": np.full(5, np.nan)}) == {}


def test_crops_of_one_picture_are_drawn_together() -> None:
    rng = np.random.default_rng(1)
    picture = np.repeat(np.arange(100), 8)
    is_right = np.repeat(rng.random(100) < 0.7, 8)
    probability = np.stack([is_right, ~is_right], axis=1).astype(np.float64)
    found = resampled_top1(probability, np.zeros(800, np.int64), picture)["top1"]
    # As of a hundred that are each right or wrong, not of eight hundred.
    assert found.std() == pytest.approx(np.sqrt(0.21 / 100), rel=0.35)


def found_boxes(rng: np.random.Generator, number: int) -> FoundBoxes:
    """A picture with some objects, hidden ones, and detections of all kinds of quality."""

    def boxes(count: int) -> np.ndarray:
        corner = rng.uniform(0, 60, (count, 2))
        return np.concatenate([corner, corner + rng.uniform(8, 40, (count, 2))], axis=1)

    true, hidden = boxes(rng.integers(0, 5)), boxes(rng.integers(0, 3))
    classes, hidden_classes = rng.integers(0, 3, len(true)), rng.integers(0, 3, len(hidden))
    near = np.concatenate([true, true, hidden])
    near = near + rng.normal(0, 2, near.shape)
    box = np.concatenate([near, boxes(6)])
    class_id = np.concatenate([classes, classes, hidden_classes, rng.integers(0, 3, 6)])
    class_id[rng.random(len(class_id)) < 0.2] = 0
    order = np.argsort(-(score := rng.random(len(box))))
    blank = np.zeros((96, 128), np.uint8)
    sample = Sample(
        image_id=number + 1,
        focal_px=0.0,
        rgb=np.zeros((96, 128, 3), np.uint8),
        depth_mm=blank.astype(np.uint16),
        depth_true_mm=blank.astype(np.uint16),
        instances=blank,
        box_xyxy_px=true.astype(np.float32),
        class_id=classes,
        color_id=classes,
        instance_id=np.arange(len(true)) + 1,
        crowd_xyxy_px=hidden.astype(np.float32),
        crowd_class_id=hidden_classes,
    )
    return FoundBoxes(
        sample=sample,
        box_xyxy_px=box[order].astype(np.float32),
        score=score[order].astype(np.float32),
        class_id=class_id[order],
    )


@pytest.fixture(scope="module")
def found() -> list[FoundBoxes]:
    rng = np.random.default_rng(2)
    return [found_boxes(rng, number) for number in range(PICTURES)]


def test_matches_give_the_ap_of_coco(found: list[FoundBoxes]) -> None:
    ours = precision(match(found, 3), np.ones((1, PICTURES)))[..., 0]
    theirs = average_precision(found, NAMES, kind="bbox")
    assert theirs["AP"] > 0.1
    assert ours.mean() == pytest.approx(theirs["AP"], abs=1e-9)
    assert ours[:, 0].mean() == pytest.approx(theirs["AP50"], abs=1e-9)
    for row, name in enumerate(NAMES):
        assert ours[row].mean() == pytest.approx(theirs[f"AP/{name}"], abs=1e-9)


def test_a_round_has_the_ap_of_the_pictures_drawn(found: list[FoundBoxes]) -> None:
    resampled = resampled_precision(found, 3)
    for number in (0, 1, 2):
        times = draws(PICTURES)[number].astype(int)
        drawn = [f for f, count in zip(found, times, strict=True) for _ in range(count)]
        renamed = [
            replace(f, sample=replace(f.sample, image_id=row + 1)) for row, f in enumerate(drawn)
        ]
        theirs = average_precision(renamed, NAMES, kind="bbox")
        assert resampled["AP"][number] == pytest.approx(theirs["AP"], abs=1e-9)
        assert resampled["AP50"][number] == pytest.approx(theirs["AP50"], abs=1e-9)


def test_nothing_found_has_no_interval(found: list[FoundBoxes]) -> None:
    none = [
        replace(f, box_xyxy_px=f.box_xyxy_px[:0], score=f.score[:0], class_id=f.class_id[:0])
        for f in found
    ]
    assert bounds(resampled_precision(none, 3)) == {}


def test_a_round_has_the_miou_of_the_pictures_drawn() -> None:
    rng = np.random.default_rng(4)
    pairs = []
    for _ in range(12):
        truth = rng.integers(0, 3, (6, 8)).astype(np.uint8)
        answer = np.where(rng.random((6, 8)) < 0.3, rng.integers(0, 3, (6, 8)), truth)
        pairs.append((answer.astype(np.uint8), truth))
    counts = SegmentationCounts(NAMES)
    for answer, truth in pairs:
        counts.add(answer, truth)
    drawn = SegmentationCounts(NAMES)
    for (answer, truth), times in zip(pairs, draws(12)[3].astype(int), strict=True):
        for _ in range(times):
            drawn.add(answer, truth)
    resampled = counts.resampled()["miou"]
    assert resampled[3] == pytest.approx(drawn.summary()["miou"])
    low, high = bounds({"miou": resampled}).values()
    assert low < counts.summary()["miou"] < high


def test_presence_is_resampled_about_its_figure() -> None:
    rng = np.random.default_rng(6)
    is_present = rng.random((200, 3)) < 0.4
    probability = np.clip(is_present * 0.4 + rng.random((200, 3)) * 0.6, 0, 1)
    figure = presence_figures(probability, is_present)["presence_map"]
    low, high = bounds(resampled_presence(probability, is_present)).values()
    assert low < figure < high
    assert high - low < 0.15
