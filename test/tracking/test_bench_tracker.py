"""What the bench says of the tracker: exact in space, honest about it, at least as good."""

import numpy as np
import pytest

from robot_vision.bench.merged_boxes import merged_boxes
from robot_vision.bench.mot import judge, read_mot_sequence
from robot_vision.bench.tracker import (
    answers_of,
    build_set,
    compare,
    point_errors,
)
from robot_vision.bench.tracker_sequences import keep_frames, thin_all
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.config import TrackerConfig
from robot_vision.core.errors import ConfigError
from robot_vision.tracking import build_tracker


def test_positions_and_velocities_are_exact_and_their_covariance_is_honest():
    sequence = keep_frames(build_set("crossings", seeds=[0])[0], np.arange(100), name="start")
    errors = point_errors([sequence])
    assert errors["samples"] > 300
    assert errors["median_position_error_m"] < 0.02
    assert errors["median_velocity_error_mps"] < 0.05
    # Three degrees of freedom: 3 on average where the covariance tells the truth.
    assert 2.0 < errors["mean_nees"] < 4.0


def test_public_detections_are_tracked_as_well_as_by_the_best(shared_data):
    sequence = read_mot_sequence(shared_data / "mot" / "TUD-Campus")
    hota = {name: one["hota"] for name, one in compare([sequence])["full"].items()}
    ours = hota.pop("ours, boxes only")
    assert ours >= max(hota.values())


def test_the_nearer_of_two_that_overlap_swallows_the_other():
    boxes = np.array([[0.0, 0, 10, 20], [4, 0, 14, 20], [50, 0, 60, 20]])
    merged, kept = merged_boxes(
        boxes,
        overlap=pairwise_iou(boxes, boxes),
        depth_m=np.array([5.0, 4.0, 3.0]),
        merge_iou=np.full(3, 0.4),
        share=np.full(3, 0.5),
    )
    assert kept.tolist() == [False, True, True]
    assert merged[1].tolist() == [2, 0, 14, 20]
    assert merged[2].tolist() == boxes[2].tolist()


def test_a_perfect_answer_scores_a_hundred(shared_data):
    sequence = keep_frames(
        read_mot_sequence(shared_data / "mot" / "TUD-Campus"), np.arange(5), name="start"
    )
    answers = answers_of(build_tracker(TrackerConfig()), sequence)
    perfect = [
        type(answer)(track_id=truth.object_id, box_xyxy_px=truth.box_xyxy_px)
        for answer, truth in zip(answers, sequence.truths, strict=True)
    ]
    assert judge(sequence, perfect).hota == pytest.approx(100)


def test_a_folder_that_is_no_sequence_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"det\.txt"):
        read_mot_sequence(tmp_path)


@pytest.mark.parametrize(("left_px", "known"), [(0.0, (640, 480)), (-30.0, None)])
def test_the_image_s_size_is_told_where_boxes_end_at_its_border(tmp_path, left_px, known):
    for name in ("det", "gt"):
        (tmp_path / name).mkdir()
        row = f"1,1,{left_px},100,50,80,1\n"
        (tmp_path / name / f"{name}.txt").write_text(row)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimWidth=640\nimHeight=480\n")
    assert read_mot_sequence(tmp_path).measurements[0].image_size_px == known


def test_thinning_takes_each_frame_in_one_phase():
    sequence = build_set("crossings", seeds=[0])[0]
    thinned = thin_all(sequence, frame_rate_hz=15)
    stamps = sorted(m.stamp_ns for one in thinned for m in one.measurements)
    assert len(thinned) == 2
    assert stamps == [m.stamp_ns for m in sequence.measurements]
