"""What the bench says of the tracker: exact in space, honest about it, at least as good."""

from importlib.util import find_spec

import cv2
import numpy as np
import pytest

from robot_vision.bench.tracking.merged_boxes import merged_boxes
from robot_vision.bench.tracking.mot import judge, read_mot_sequence
from robot_vision.bench.tracking.tracker import (
    answers_of,
    build_set,
    compare,
    point_errors,
)
from robot_vision.bench.tracking.tracker_sequences import keep_frames, thin_all
from robot_vision.core.boxes import pairwise_iou
from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.tracking import build_tracker

needs_judge = pytest.mark.skipif(
    find_spec("trackers") is None or find_spec("trackeval") is None,
    reason="requirements-compare.txt is not installed",
)


def test_positions_and_velocities_are_exact_and_their_covariance_is_honest():
    sequence = keep_frames(build_set("crossings", seeds=[0])[0], np.arange(100), name="start")
    errors = point_errors([sequence])
    assert errors["samples"] > 300
    assert errors["median_position_error_m"] < 0.02
    assert errors["median_velocity_error_mps"] < 0.05
    # Three degrees of freedom: 3 on average where the covariance is right.
    assert 2.0 < errors["mean_nees"] < 4.0


@needs_judge
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


@needs_judge
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


def test_a_folder_that_is_not_a_sequence_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"det\.txt"):
        read_mot_sequence(tmp_path)


@pytest.mark.parametrize(("left_px", "known"), [(0.0, (640, 480)), (-30.0, None)])
def test_the_image_s_size_is_used_where_boxes_end_at_its_border(tmp_path, left_px, known):
    for name in ("det", "gt"):
        (tmp_path / name).mkdir()
        row = f"1,1,{left_px},100,50,80,1\n"
        (tmp_path / name / f"{name}.txt").write_text(row)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nimWidth=640\nimHeight=480\n")
    assert read_mot_sequence(tmp_path).measurements[0].image_size_px == known


def sequence_folder(folder, *, truth: str, seen: str = "1,-1,10,10,50,80,1\n"):
    for name, text in (("det", seen), ("gt", truth)):
        (folder / name).mkdir()
        (folder / name / f"{name}.txt").write_text(text)
    return folder


@pytest.mark.parametrize("world", ["-1,-1,-1", "4.2,-0.3,0", "1,0.5,0", "2,1,0"])
def test_places_in_the_world_of_mot15_are_not_classes(tmp_path, world):
    folder = sequence_folder(tmp_path, truth=f"1,1,10,10,50,80,1,{world}\n")
    (truth,) = read_mot_sequence(folder).truths
    assert truth.object_id.tolist() == [1]


def test_of_mot16_pedestrians_count_and_what_has_none_is_named(tmp_path):
    car, walker = "1,1,10,10,50,80,1,3,1.0\n", "1,2,20,10,50,80,1,1,0.8\n"
    (tmp_path / "mixed").mkdir()
    folder = sequence_folder(tmp_path / "mixed", truth=car + walker)
    assert read_mot_sequence(folder).truths[0].object_id.tolist() == [2]
    (tmp_path / "cars").mkdir()
    with pytest.raises(ConfigError, match=r"no row has class 1 .* it has 3"):
        read_mot_sequence(sequence_folder(tmp_path / "cars", truth=car))


def test_truth_that_is_all_to_be_ignored_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no row counts"):
        read_mot_sequence(sequence_folder(tmp_path, truth="1,1,10,10,50,80,0,-1,-1,-1\n"))


def test_the_image_s_size_comes_from_the_pictures_or_is_given(tmp_path):
    folder = sequence_folder(tmp_path, truth="1,1,10,10,50,80,1\n")
    unknown = read_mot_sequence(folder)
    assert unknown.measurements[0].image_size_px is None
    assert "image size unknown" in unknown.notes[0]
    (folder / "img1").mkdir()
    cv2.imwrite(str(folder / "img1" / "000001.jpg"), np.zeros((240, 320, 3), np.uint8))
    assert read_mot_sequence(folder).measurements[0].image_size_px == (320, 240)
    given = read_mot_sequence(folder, image_size_px=(640, 480))
    assert given.measurements[0].image_size_px == (640, 480)


def test_thinning_takes_each_frame_in_one_phase():
    sequence = build_set("crossings", seeds=[0])[0]
    thinned = thin_all(sequence, frame_rate_hz=15)
    stamps = sorted(m.stamp_ns for one in thinned for m in one.measurements)
    assert len(thinned) == 2
    assert stamps == [m.stamp_ns for m in sequence.measurements]
