"""Metrics: perfect findings score one, wrong ones less, and calibration is what it says."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_vision.training.data.samples.samples import SampleCache
from robot_vision.training.data.sets.coco import load_coco_set
from robot_vision.training.engine.curves import append_row, draw_curves, read_rows
from robot_vision.training.metrics.calibration import (
    best_threshold,
    expected_calibration_error,
    mistakes,
    right_detections,
)
from robot_vision.training.metrics.coco import average_precision
from robot_vision.training.metrics.confusions import confusions
from robot_vision.training.metrics.depth import DepthErrors
from robot_vision.training.metrics.gallery import draw_gallery
from robot_vision.training.metrics.selected import Found, Selection

NAMES = ("disc", "slab")


@pytest.fixture
def perfect(shapes_set: Path, tmp_path: Path) -> list[Found]:
    cache = SampleCache(load_coco_set(shapes_set), width_px=128, height_px=96, folder=tmp_path)
    found = []
    for index in range(6):
        sample = cache[index]
        quarter = sample.instances[2::4, 2::4]
        found.append(
            Found(
                sample=sample,
                box_xyxy_px=sample.box_xyxy_px,
                score=np.linspace(0.9, 0.8, len(sample.class_id), dtype=np.float32),
                class_id=sample.class_id,
                mask=np.stack([quarter == i for i in sample.instance_id]),
                depth_m=(sample.depth_true_mm[2::4, 2::4] / 1000).astype(np.float32),
            )
        )
    return found


def test_perfect_findings_have_an_ap_of_one(perfect: list[Found]) -> None:
    ap = average_precision(perfect, NAMES, kind="bbox")
    assert ap["AP"] == pytest.approx(1.0)
    assert ap["AP/disc"] == pytest.approx(1.0)


def test_masks_on_the_quarter_grid_nearly_reach_one(perfect: list[Found]) -> None:
    ap = average_precision(perfect, NAMES, kind="segm")
    assert ap["AP50"] == pytest.approx(1.0)
    assert 0.5 < ap["AP"] < 1.0


def test_wrong_classes_have_an_ap_of_zero(perfect: list[Found]) -> None:
    wrong = [replace(f, class_id=1 - f.class_id) for f in perfect]
    assert average_precision(wrong, NAMES, kind="bbox")["AP"] < 0.5
    assert not any(right_detections(f).any() for f in wrong if len(set(f.class_id)) == 1)


def test_nothing_found_is_zero_not_an_error(perfect: list[Found]) -> None:
    none = [
        replace(
            f,
            box_xyxy_px=f.box_xyxy_px[:0],
            score=f.score[:0],
            class_id=f.class_id[:0],
            mask=f.mask[:0],
        )
        for f in perfect
    ]
    assert average_precision(none, NAMES, kind="bbox")["AP"] == 0.0
    assert best_threshold(none) == (0.0, 0.0)
    assert np.isnan(expected_calibration_error(none))


def test_calibration_is_the_gap_of_score_and_precision(perfect: list[Found]) -> None:
    scores = np.concatenate([f.score for f in perfect])
    assert expected_calibration_error(perfect) == pytest.approx(1 - scores.mean(), abs=1e-5)
    assert best_threshold(perfect)[0] == pytest.approx(1.0)


def doubled(found: Found) -> Found:
    """Every detection twice."""
    return replace(
        found,
        box_xyxy_px=np.repeat(found.box_xyxy_px, 2, axis=0),
        score=np.repeat(found.score, 2),
        class_id=np.repeat(found.class_id, 2),
        mask=np.repeat(found.mask, 2, axis=0),
    )


def test_each_object_is_right_once(perfect: list[Found]) -> None:
    twice = doubled(perfect[0])
    assert right_detections(twice).sum() == len(perfect[0].class_id)
    assert mistakes(twice, 0.5) == len(perfect[0].class_id)
    assert mistakes(perfect[0], 0.5) == 0


def test_confusions_separate_names_from_misses_and_false_alarms(
    perfect: list[Found], tmp_path: Path
) -> None:
    objects = np.bincount(np.concatenate([f.sample.class_id for f in perfect]), minlength=2)
    right = confusions(perfect, NAMES, threshold=0.5)
    assert right.counts.tolist() == [[objects[0], 0, 0], [0, objects[1], 0], [0] * 3, [0] * 3]
    assert "most often confused: none" in right.summary()

    misnamed = [replace(f, class_id=np.zeros_like(f.class_id)) for f in perfect]
    discs = confusions(misnamed, NAMES, threshold=0.5)
    assert discs.counts[1].tolist() == [objects[1], 0, 0]
    assert f"slab for disc ({objects[1]})" in discs.summary()
    discs.write(tmp_path / "confusions.csv")
    assert (tmp_path / "confusions.csv").read_text().splitlines() == [
        "truth,disc,slab,not found",
        f"disc,{objects[0]},0,0",
        f"slab,{objects[1]},0,0",
        "found before,0,0,0",
        "no object,0,0,0",
    ]

    unsure = confusions(perfect, NAMES, threshold=0.95)
    assert unsure.counts[:, -1].tolist() == [*objects, 0, 0]

    first = perfect[0]
    twice = confusions([doubled(first)], NAMES, threshold=0.5)
    assert "0 not found" in twice.summary()
    assert f"{len(first.class_id)} found twice, 0 false alarms" in twice.summary()
    elsewhere = replace(first, box_xyxy_px=first.box_xyxy_px + np.float32(500))
    lost = confusions([elsewhere], NAMES, threshold=0.5)
    assert lost.counts[-1, :-1].sum() == lost.counts[:-1, -1].sum() == len(first.class_id)


def test_decoding_selects_as_the_service_does(perfect: list[Found]) -> None:
    box = np.array([[10, 10, 30, 30], [14, 10, 34, 30], [60, 40, 90, 300]], np.float32)
    scores = np.array([[0.9, 0.0], [0.8, 0.0], [0.0, 0.5]], np.float32)
    found = Selection(NAMES, width_px=128, height_px=96)(
        perfect[0].sample,
        {
            "boxes_xyxy": box[None],
            "scores": scores[None],
            "mask_coefficients": np.ones((1, 3, 2), np.float32),
            "mask_prototypes": np.ones((1, 2, 24, 32), np.float32),
            "depth_m": np.ones((1, 1, 24, 32), np.float32),
        },
    )
    assert found.class_id.tolist() == [0, 1]
    assert found.box_xyxy_px[1, 3] == 96
    assert found.mask[0].sum() == 36


def test_boxes_are_compared_whole_though_reported_up_to_the_border(perfect: list[Found]) -> None:
    """Two things that leave the picture at one place are two, as the service has it."""
    box = np.array([[100, 10, 140, 30], [100, 10, 240, 30]], np.float32)
    found = Selection(NAMES, width_px=128, height_px=96)(
        perfect[0].sample,
        {
            "boxes_xyxy": box[None],
            "scores": np.array([[[0.9, 0.0], [0.8, 0.0]]], np.float32),
            "mask_coefficients": np.ones((1, 2, 2), np.float32),
            "mask_prototypes": np.ones((1, 2, 24, 32), np.float32),
            "depth_m": np.ones((1, 1, 24, 32), np.float32),
        },
    )
    assert len(found.score) == 2
    assert found.box_xyxy_px[:, 2].tolist() == [128, 128]


def test_depth_errors_are_those_of_the_literature() -> None:
    errors = DepthErrors()
    true_m = np.full((4, 4), 2.0, np.float32)
    errors.add(true_m * 1.1, true_m, np.ones((4, 4), bool))
    errors.add(true_m * 1.5, true_m, np.eye(4, dtype=bool))
    summary = errors.summary()
    assert summary["absrel"] == pytest.approx((16 * 0.1 + 4 * 0.5) / 20, rel=1e-4)
    assert summary["rmse_m"] == pytest.approx(np.sqrt((16 * 0.04 + 4 * 1.0) / 20), rel=1e-4)
    assert summary["delta1"] == pytest.approx(16 / 20)
    assert np.isnan(DepthErrors().summary()["absrel"])


def test_the_gallery_shows_the_worst_first(perfect: list[Found], tmp_path: Path) -> None:
    bad = replace(perfect[2], class_id=1 - perfect[2].class_id)
    mixed = [*perfect[:2], bad, *perfect[3:]]
    shown = draw_gallery(mixed, NAMES, tmp_path / "worst.png", threshold=0.5, count=3)
    assert shown[0] == bad.sample.image_id
    assert len(shown) == 3
    assert (tmp_path / "worst.png").stat().st_size > 1000


def test_the_log_takes_new_columns_and_is_drawn(tmp_path: Path) -> None:
    log = tmp_path / "curves.csv"
    append_row(log, {"step": 1, "minutes": 0.5, "part": 0.1, "total": 3.0})
    append_row(log, {"step": 2, "minutes": 1.0, "part": 0.2, "total": 2.0, "AP": 0.1})
    rows = read_rows(log)
    assert [row["AP"] for row in rows] == ["", "0.1"]
    draw_curves(log, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
