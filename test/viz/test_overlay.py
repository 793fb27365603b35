"""The overlay shows tracks where they are, coasting or seen, and leaves the frame alone."""

from dataclasses import replace

import numpy as np
import pytest

from robot_vision.core.types import (
    Classification,
    Depth,
    Detections,
    Frame,
    Perception,
    SemanticMap,
    Tracks,
    TrackState,
    no_detections,
)
from robot_vision.viz.overlay import colorize_depth, draw_overlay, label_of
from robot_vision.viz.palette import color_of
from robot_vision.viz.skeleton import SIDE_COLORS

BOX = (200.0, 150.0, 400.0, 300.0)


def tracks(*boxes: tuple[float, ...], state: TrackState = TrackState.CONFIRMED) -> Tracks:
    count = len(boxes)
    nan = np.full((count, 3), np.nan, np.float32)
    return Tracks(
        stamp_ns=1_500_000_000,
        track_id=np.arange(count) + 4,
        state=np.full(count, int(state)),
        box_xyxy_px=np.array(boxes, np.float32).reshape(count, 4),
        score=np.ones(count, np.float32),
        class_id=np.zeros(count, np.int64),
        position_in_camera_m=np.tile(np.float32([0.3, 0.4, 1.2]), (count, 1)),
        position_covariance_m2=np.zeros((count, 3, 3), np.float32),
        velocity_in_camera_mps=nan,
        velocity_covariance_m2ps2=np.zeros((count, 3, 3), np.float32),
        size_m=nan,
        age_s=np.zeros(count, np.float32),
        unseen_s=np.zeros(count, np.float32),
        detection_index=np.full(count, -1),
    )


def perception(
    found: Tracks, *, size: tuple[int, int] = (480, 640), depth_m: np.ndarray | None = None
) -> Perception:
    depth = None
    if depth_m is not None:
        depth = Depth(
            stamp_ns=1,
            depth_m=depth_m,
            confidence=np.isfinite(depth_m).astype(np.float32),
            source="sensor",
            valid_fraction=0.5,
        )
    return Perception(
        stamp_ns=1_500_000_000,
        frame=Frame(stamp_ns=1, frame_id="c", rgb=np.full((*size, 3), 90, np.uint8)),
        detections=no_detections(1),
        depth=depth,
        features=None,
        lifted=None,
        tracks=found,
        class_names=("cup",),
        model_id="m@1",
        stage_s={},
    )


def colored(image: np.ndarray, color: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(image.astype(int) - color) <= 2).all(axis=2)


def test_a_track_is_drawn_on_its_box_in_its_colour() -> None:
    seen = perception(tracks(BOX))
    image = draw_overlay(seen, age_s=0.012)
    on = colored(image, color_of(4))
    assert on[300, 210:390].all()
    assert on[155:295, 400].all()
    assert not on[170:280, 220:380].any()
    assert (seen.frame.rgb == 90).all()


def test_a_coasting_track_is_dashed() -> None:
    coasting = draw_overlay(perception(tracks(BOX, state=TrackState.COASTING)))
    share = colored(coasting, color_of(4))[300, 210:390].mean()
    assert 0.25 < share < 0.85


def test_an_ended_track_is_not_drawn() -> None:
    ended = draw_overlay(perception(tracks(BOX, state=TrackState.ENDED)))
    assert not colored(ended, color_of(4)).any()


def test_the_label_names_class_id_and_distance() -> None:
    seen = perception(tracks(BOX))
    assert label_of(seen, 0) == "cup #4 1.30 m"
    unknown = replace(tracks(BOX), position_in_camera_m=np.full((1, 3), np.nan, np.float32))
    assert label_of(perception(unknown), 0) == "cup #4"
    assert label_of(replace(seen, class_names=()), 0) == "class 0 #4 1.30 m"


def test_trails_are_drawn() -> None:
    trails = {9: [(20.0, 100.0), (120.0, 100.0), (float("nan"), 0.0)]}
    image = draw_overlay(perception(tracks()), trails=trails)
    assert np.abs(image[100, 30:110].astype(int) - color_of(9)).max() < 20  # thin, anti-aliased


def test_depth_is_inset_at_the_top_right() -> None:
    plain = draw_overlay(perception(tracks()))
    image = draw_overlay(perception(tracks(), depth_m=np.ones((48, 64), np.float32)))
    changed = (image != plain).any(axis=2)
    assert changed[:100, 520:].mean() > 0.9
    assert not changed[120:440].any()


@pytest.mark.parametrize("size", [(1, 1), (9, 700), (2160, 3840)])
def test_frames_of_any_size_and_boxes_beyond_them(size: tuple[int, int]) -> None:
    found = tracks((-1e9, -5, 1e9, 1e9), (0, 0, 0.1, 0.1), (np.nan, 0, 1, 1))
    seen = perception(found, size=size, depth_m=np.full((2, 2), np.nan, np.float32))
    assert draw_overlay(seen, age_s=1.0).shape == (*size, 3)


def test_near_is_brighter_than_far_and_unknown_is_black() -> None:
    depth_m = np.array([[0.5, 1.0, 2.0, 4.0, np.nan]], np.float32)
    colors = colorize_depth(depth_m, max_m=4.0).astype(int)
    brightness = colors[0].sum(axis=1)
    assert (np.diff(brightness[:4]) < 0).all()
    assert colors[0, 4].tolist() == [0, 0, 0]
    assert not colorize_depth(np.full((2, 2), np.nan, np.float32)).any()


@pytest.mark.parametrize("width_px", [240, 416, 640])
def test_the_last_note_is_in_the_picture(width_px: int) -> None:
    noted = perception(tracks(BOX), size=(320, width_px), depth_m=np.ones((320, width_px), "f4"))
    images = [
        draw_overlay(replace(noted, notes=("depth lost", note)), age_s=0.012)
        for note in ("camera info lost", "camera info 1 s old")
    ]
    changed = np.argwhere((images[0] != images[1]).any(axis=2))
    assert len(changed) > 50
    assert changed[:, 0].min() > 320 * 0.7


def with_shapes(state: TrackState, index: int) -> Perception:
    """A track and a detection with an oriented box and a left, a right and an unsure keypoint."""
    keypoint = [[300, 40, 0.9], [320, 60, 0.8], [300, 80, np.nan], [300, 400, 0.2]]
    found = Detections(
        stamp_ns=1,
        box_xyxy_px=np.array([BOX], np.float32),
        score=np.ones(1, np.float32),
        class_id=np.zeros(1, np.int64),
        keypoint=np.array([keypoint], np.float32),
        keypoint_names=("left_eye", "right_eye", "nose", "left_ear"),
        oriented_box=np.array([[300, 225, 100, 60, np.pi / 4]], np.float32),
    )
    seen = replace(tracks(BOX, state=state), detection_index=np.array([index]))
    return replace(perception(seen), detections=found)


def test_keypoints_have_the_colour_of_their_side_and_unsure_ones_are_left_out() -> None:
    image = draw_overlay(with_shapes(TrackState.CONFIRMED, 0))
    for xy, side in (((300, 40), "left"), ((320, 60), "right"), ((300, 80), "")):
        assert image[xy[1], xy[0]].tolist() == list(SIDE_COLORS[side])
    assert image[60, 300].tolist() == list(SIDE_COLORS["left"])  # the bone to the nose
    assert (image[395:405, 290:310] == 90).all()


def test_a_box_that_is_turned_is_drawn_as_it_lies() -> None:
    on = colored(draw_overlay(with_shapes(TrackState.CONFIRMED, 0)), color_of(4))
    step = np.array([1, 1]) / np.sqrt(2)
    for end in (50, -50):  # the middles of the short sides
        x, y = np.round(np.array([300, 225]) + end * step).astype(int)
        assert on[y - 2 : y + 3, x - 2 : x + 3].any()
    assert not on[300, 210:390].any()


def test_what_coasts_shows_nothing_of_the_frame_before() -> None:
    coasting = draw_overlay(with_shapes(TrackState.COASTING, -1))
    assert (coasting == draw_overlay(perception(tracks(BOX, state=TrackState.COASTING)))).all()


def test_classes_of_pixels_tint_the_picture_and_those_of_the_frame_have_a_legend() -> None:
    plain = perception(tracks())
    class_id = np.full((6, 8), -1)
    class_id[:, 4:] = 1
    parts = SemanticMap(stamp_ns=1, class_id=class_id, class_names=("cup", "bowl"))
    tinted = draw_overlay(replace(plain, segmentation=parts))
    before = draw_overlay(plain)
    where = np.s_[200:300]  # below the legend, above the status
    assert np.array_equal(tinted[where, :320], before[where, :320])
    expected = 0.55 * 90 + 0.45 * np.array(color_of(1))
    np.testing.assert_allclose(tinted[where, 320:].reshape(-1, 3).mean(axis=0), expected, atol=1)
    classes = Classification(
        stamp_ns=1,
        class_id=np.array([0, 1]),
        probability=np.array([0.7, 0.3], np.float32),
        class_names=("cup", "bowl"),
    )
    changed = (draw_overlay(replace(plain, classification=classes)) != before).any(axis=(1, 2))
    assert changed[:60].any()
    assert not changed[100:].any()
