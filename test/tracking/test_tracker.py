"""The tracker at its public surface: identities, time, states, space and its invariances."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from robot_vision.core.errors import UnknownNameError
from robot_vision.core.parameters.config import TrackerConfig
from robot_vision.core.types import (
    Camera,
    Detections,
    Lifted,
    Measurements,
    Tracks,
    TrackState,
    no_detections,
)
from robot_vision.tracking import TRACKERS, build_tracker

FRAME_NS = 33_333_333


def measure(
    boxes,
    *,
    frame: float = 0,
    score=None,
    class_id=None,
    position=None,
    appearance=None,
    fixed_from_camera=None,
    sigma_m: float = 0.01,
    camera=None,
    gray=None,
    image_size_px=None,
) -> Measurements:
    n = len(boxes)
    lifted = None
    if position is not None:
        lifted = Lifted(
            position_in_camera_m=np.asarray(position, np.float32).reshape(n, 3),
            covariance_m2=np.tile(np.eye(3, dtype=np.float32) * sigma_m**2, (n, 1, 1)),
            size_m=np.full((n, 3), 0.1, np.float32),
        )
    return Measurements(
        detections=Detections(
            stamp_ns=round(frame * FRAME_NS),
            box_xyxy_px=np.asarray(boxes, np.float32).reshape(n, 4),
            score=np.asarray(score if score is not None else [0.95] * n, np.float32),
            class_id=np.asarray(class_id if class_id is not None else [0] * n, np.int64),
        ),
        lifted=lifted,
        appearance=None if appearance is None else np.asarray(appearance, np.float32),
        fixed_from_camera=fixed_from_camera,
        camera=camera,
        gray=gray,
        image_size_px=image_size_px,
    )


def box_at(x: float, y: float = 100.0, side: float = 40.0) -> list[float]:
    return [x - side / 2, y - side / 2, x + side / 2, y + side / 2]


def run(frames: list[Measurements], **config) -> list[Tracks]:
    tracker = build_tracker(TrackerConfig(**config))
    return [tracker.update(frame) for frame in frames]


def test_an_unknown_tracker_is_named_with_those_there_are():
    with pytest.raises(UnknownNameError, match="robot_vision"):
        build_tracker(TrackerConfig(name="no such"))


@pytest.fixture(params=list(TRACKERS))
def name(request: pytest.FixtureRequest) -> str:
    """Of every tracker; those of other libraries where these are installed."""
    if request.param != "robot_vision":
        pytest.importorskip("trackers", reason="requirements-compare.txt is not installed")
    return request.param


def test_every_tracker_keeps_the_identity_of_a_moving_object(name):
    frames = [measure([box_at(100 + 2 * k)], frame=k) for k in range(10)]
    answers = run(frames, name=name)
    last = answers[-1]
    assert last.state.tolist() == [TrackState.CONFIRMED]
    assert last.detection_index.tolist() == [0]
    assert {i for tracks in answers[4:] for i in tracks.track_id.tolist()} == {
        int(last.track_id[0])
    }


def test_identities_are_not_used_again_after_a_reset(name):
    tracker = build_tracker(TrackerConfig(name=name))
    seen = []
    for _ in range(2):
        for k in range(6):
            tracks = tracker.update(measure([box_at(100)], frame=k))
        seen.append(set(tracks.track_id.tolist()))
        tracker.reset()
    assert seen[0]
    assert not seen[0] & seen[1]
    assert tracks.epoch == 1


def test_a_sure_detection_is_confirmed_at_once_and_an_unsure_one_needs_a_second():
    assert run([measure([box_at(100)], score=[0.95])])[0].state.tolist() == [TrackState.CONFIRMED]
    first, second = run([measure([box_at(100)], frame=k, score=[0.75]) for k in range(2)])
    assert first.state.tolist() == [TrackState.TENTATIVE]
    assert second.state.tolist() == [TrackState.CONFIRMED]


def test_a_track_coasts_then_ends_by_time_not_by_frames():
    for step in (1, 4):
        tracker = build_tracker(TrackerConfig(coast_s=1.0))
        tracker.update(measure([box_at(100)]))
        states = {}
        for frame in range(step, 48, step):
            tracks = tracker.update(Measurements(detections=no_detections(frame * FRAME_NS)))
            states[frame] = tracks.state.tolist()
            if len(tracks):
                assert tracks.unseen_s[0] == pytest.approx(frame / 30, abs=1e-3)
        assert states[28] == [TrackState.COASTING]
        assert states[32 if step == 4 else 31] == []


def test_events_report_each_change_of_state_once():
    frames = [measure([box_at(100)], frame=k, score=[0.75]) for k in range(3)]
    empty = [Measurements(detections=no_detections(k * FRAME_NS)) for k in (10, 20, 200)]
    events = [event for tracks in run(frames + empty) for event in tracks.events]
    assert [event.state for event in events] == [
        TrackState.TENTATIVE,
        TrackState.CONFIRMED,
        TrackState.COASTING,
        TrackState.ENDED,
    ]
    assert len({event.track_id for event in events}) == 1


@pytest.mark.parametrize("hidden", [6, 30, 60])
def test_identity_survives_occlusion(hidden):
    frames = [
        measure([box_at(100 + 2 * k)] if not 15 <= k < 15 + hidden else [], frame=k)
        for k in range(15 + hidden + 5)
    ]
    answers = run(frames)
    assert answers[-1].track_id.tolist() == answers[0].track_id.tolist()
    expected = box_at(100 + 2 * (15 + hidden + 4))
    np.testing.assert_allclose(answers[-1].box_xyxy_px[0], expected, atol=4)


@pytest.mark.parametrize("step", [1, 2, 4])
def test_fast_objects_keep_their_identities_at_low_rates(step):
    frames = [
        measure([box_at(100 + 4 * k), box_at(500 - 4 * k, y=190)], frame=k)
        for k in range(0, 80, step)
    ]
    answers = run(frames)
    assert all(tracks.track_id.tolist() == [1, 2] for tracks in answers)


def walker_at(x: float) -> list[float]:
    return [x - 35, 200, x + 35, 380]


def test_an_object_far_from_a_lost_neighbour_gets_a_new_id():
    """Large in the image, people are near each other: a lost one does not become the next."""
    walk = [measure([walker_at(100 + 4 * k)], frame=k) for k in range(10)]
    lost = [measure([], frame=k) for k in range(10, 20)]
    other = measure([walker_at(440)], frame=20)
    for image_size_px, known in [((640, 480), False), ((6400, 4800), True)]:
        frames = [replace(m, image_size_px=image_size_px) for m in [*walk, *lost, other]]
        tracks = run(frames)[-1]
        found = tracks.track_id[tracks.detection_index >= 0]
        assert (found == 1).tolist() == [known]


def test_a_box_that_was_being_hidden_keeps_its_size_while_unseen():
    hiding = [[100, 80, 140 - 2 * k, 120] for k in range(15)]
    frames = [measure([box_at(120)], frame=k) for k in range(10)]
    frames += [measure([box], frame=10 + k) for k, box in enumerate(hiding)]
    last = run([*frames, measure([], frame=50)])[-1]
    left, top, right, bottom = last.box_xyxy_px[0]
    assert last.state.tolist() == [TrackState.COASTING]
    assert 5 < right - left < 20
    assert bottom - top == pytest.approx(40, abs=2)


IMAGE_PX = (640, 480)


def seen_in_image(boxes) -> np.ndarray:
    """Boxes as a detector gives them: what is beyond the border is cut off."""
    return np.clip(np.asarray(boxes, np.float64), 0, [*IMAGE_PX, *IMAGE_PX])


def passing(centres_x, *, step: float = 4, side: float = 80) -> list[Measurements]:
    """An object of `side` px that is seen at these places, where it is in the image at all."""
    frames = []
    for k, x in enumerate(centres_x):
        boxes = seen_in_image([box_at(x, side=side)])
        boxes = boxes[boxes[:, 2] - boxes[:, 0] > side / 5]
        frames.append(measure(boxes, frame=step * k, image_size_px=IMAGE_PX))
    return frames


@pytest.mark.parametrize("turn_x", [-60, 700])
def test_an_object_that_left_over_the_border_keeps_its_id_however_little_is_seen(turn_x):
    away = np.sign(turn_x - 320) * np.arange(12) * 34.0
    frames = passing([*(turn_x - away[::-1]), *(turn_x - away[1:])])
    answers = run(frames)
    assert any(len(m.detections) == 0 for m in frames)
    assert {i for tracks in answers for i in tracks.track_id.tolist()} == {1}
    assert answers[-1].state.tolist() == [TrackState.CONFIRMED]


def test_the_edge_in_the_image_is_followed_as_if_the_whole_were_seen():
    centres_x = [*range(560, 670, 10), *range(660, 520, -10)]
    frames = passing(centres_x, step=1)
    whole = [measure([box_at(x, side=80)], frame=k) for k, x in enumerate(centres_x)]
    for tracks, expected in zip(run(frames), run(whole), strict=True):
        np.testing.assert_allclose(
            tracks.box_xyxy_px, seen_in_image(expected.box_xyxy_px), atol=0.5
        )


def test_the_border_is_known_in_the_first_frame_of_an_epoch_too():
    tracker = build_tracker(TrackerConfig())
    tracker.update(measure([box_at(300)], frame=9, image_size_px=IMAGE_PX))
    tracks = tracker.update(measure([[600, 80, 660, 160]], image_size_px=IMAGE_PX))
    assert tracks.epoch == 1
    assert tracks.box_xyxy_px[:, 2].tolist() == [IMAGE_PX[0]]


def test_what_left_the_image_is_reported_beyond_it():
    frames = passing([560, 580, 600, 620, 640], step=1)
    tracker = build_tracker(TrackerConfig())
    for measurements in frames:
        tracker.update(measurements)
    later = tracker.predict(round(12 * FRAME_NS))
    assert later.box_xyxy_px[0, 0] > IMAGE_PX[0]


def test_what_is_unseen_follows_what_all_others_do():
    """A camera that turns at once, without a report, carries the hidden object along."""
    places = [50, 150, 250, 350, 450]
    frames = [measure([box_at(x) for x in places], frame=k) for k in range(20)]
    frames += [
        measure([box_at(x + 6 * k) for x in places[:4]], frame=19 + k) for k in range(1, 16)
    ]
    last = run(frames)[-1]
    hidden = last.box_xyxy_px[last.track_id == 5][0]
    assert (hidden[0] + hidden[2]) / 2 == pytest.approx(450 + 6 * 15, abs=15)


def test_skipped_frames_carry_tracks_without_ending_them():
    tracker = build_tracker(TrackerConfig(coast_s=0.2))
    for k in range(10):
        tracker.update(measure([box_at(100 + 3 * k)], frame=k))
    carried = tracker.predict(20 * FRAME_NS)
    assert carried.state.tolist() == [TrackState.COASTING]
    assert carried.detection_index.tolist() == [-1]
    assert carried.unseen_s[0] == pytest.approx(11 / 30, abs=1e-3)
    assert carried.box_xyxy_px[0, 0] > 80 + 3 * 15
    back = tracker.update(measure([box_at(100 + 3 * 21)], frame=21))
    assert back.track_id.tolist() == [1]
    assert back.state.tolist() == [TrackState.CONFIRMED]


def test_stamps_that_go_back_begin_an_epoch_and_equal_ones_do_not():
    tracker = build_tracker(TrackerConfig())
    first = tracker.update(measure([box_at(100)], frame=5))
    again = tracker.update(measure([box_at(101)], frame=5))
    assert (again.epoch, again.track_id.tolist()) == (0, first.track_id.tolist())
    back = tracker.update(measure([box_at(101)], frame=4))
    assert back.epoch == 1
    assert back.track_id.tolist() == [2]
    assert (1, TrackState.ENDED) in [(event.track_id, event.state) for event in back.events]


def test_position_and_velocity_come_out_in_metres():
    frames = [
        measure([box_at(100 + 2 * k)], frame=k, position=[[0.1 + 0.01 * k, 0.0, 1.0]])
        for k in range(40)
    ]
    last = run(frames)[-1]
    np.testing.assert_allclose(last.position_in_camera_m[0], [0.49, 0, 1], atol=0.01)
    np.testing.assert_allclose(last.velocity_in_camera_mps[0], [0.3, 0, 0], atol=0.05)


def test_an_object_without_depth_stays_unknown_until_it_has_some():
    bare, deep = [box_at(100)], [[0.0, 0.0, 1.0]]
    frames = [measure(bare), measure(bare, frame=1, position=deep), measure(bare, frame=2)]
    first, second, third = run(frames)
    assert np.isnan(first.position_in_camera_m).all()
    assert np.isfinite(second.position_in_camera_m).all()
    assert np.isfinite(third.position_in_camera_m).all()
    assert third.position_covariance_m2[0, 0, 0] > second.position_covariance_m2[0, 0, 0]


def test_depth_separates_what_overlaps_in_the_image():
    near, far = [0.0, 0.0, 0.6], [0.0, 0.0, 1.8]
    boxes = [box_at(100), box_at(104)]
    tracker = build_tracker(TrackerConfig())
    for k in range(10):
        tracker.update(measure(boxes, frame=k, position=[near, far], score=[0.95, 0.9]))
    before = tracker.update(measure(boxes, frame=10, position=[near, far], score=[0.95, 0.9]))
    near_id = before.track_id[before.position_in_camera_m[:, 2].argmin()]
    swapped = tracker.update(measure(boxes, frame=11, position=[far, near], score=[0.9, 0.95]))
    assert swapped.track_id[swapped.position_in_camera_m[:, 2].argmin()] == near_id


def test_an_object_at_rest_stays_at_rest_while_the_camera_pans():
    camera = Camera(
        frame_id="camera",
        width_px=640,
        height_px=480,
        intrinsics_px=np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]]),
    )
    point = np.array([0.2, 0.0, 1.5])
    frames = []
    for k in range(30):
        angle = 0.02 * k
        pose = np.eye(4)
        pose[:3, :3] = [
            [np.cos(angle), 0, np.sin(angle)],
            [0, 1, 0],
            [-np.sin(angle), 0, np.cos(angle)],
        ]
        seen = pose[:3, :3].T @ point
        x, y = seen[:2] / seen[2] * 600 + [320, 240]
        frames.append(
            measure(
                [box_at(x, y)], frame=k, position=[seen], fixed_from_camera=pose, camera=camera
            )
        )
    answers = run(frames)
    assert all(tracks.track_id.tolist() == [1] for tracks in answers)
    assert np.linalg.norm(answers[-1].velocity_in_camera_mps[0]) < 0.02
    np.testing.assert_allclose(answers[-1].position_in_camera_m[0], seen, atol=0.005)


def test_image_flow_keeps_identities_while_the_camera_jerks():
    rng = np.random.default_rng(0)
    world = np.kron(rng.integers(0, 255, (60, 200)), np.ones((8, 8))).astype(np.uint8)
    shift = np.cumsum(rng.integers(-35, 36, 40)) + 400
    places = np.array([500.0, 560.0, 620.0])

    def frames(with_image: bool) -> list[Measurements]:
        return [
            measure(
                [box_at(x - shift[k], y=200, side=30) for x in places],
                frame=k,
                gray=np.ascontiguousarray(world[:480, shift[k] : shift[k] + 640])
                if with_image
                else None,
            )
            for k in range(40)
        ]

    steady = run(frames(True), camera_motion=True)
    assert all(sorted(tracks.track_id.tolist()) == [1, 2, 3] for tracks in steady)
    by_place = [tracks.track_id[tracks.box_xyxy_px[:, 0].argsort()].tolist() for tracks in steady]
    assert all(order == by_place[0] for order in by_place)


@pytest.mark.parametrize("returning", [0, 1])
def test_appearance_identifies_a_returning_object_where_place_does_not(returning):
    rng = np.random.default_rng(0)
    looks = np.eye(8)[:3] + 0.01 * rng.normal(size=(3, 8))
    frames = [
        measure([box_at(100), box_at(180), box_at(500)], frame=k, appearance=looks)
        for k in range(30)
    ]
    row_of_id = run(frames)[-1].detection_index.tolist()
    frames.append(measure([box_at(140)], frame=45, appearance=looks[[returning]]))
    last = run(frames)[-1]
    assert last.detection_index[row_of_id.index(returning)] == 0


def test_memory_stays_bounded_while_objects_come_and_go():
    rng = np.random.default_rng(0)
    tracker = build_tracker(TrackerConfig())
    largest = 0
    for k in range(250):
        if k % 5 == 0:
            place = rng.uniform(50, 5000, 2)
        tracks = tracker.update(measure([box_at(*place)], frame=k))
        largest = max(largest, len(tracks))
    assert largest <= 75 / 5 + 2
    assert tracks.track_id.max() > 40


def test_an_answer_stays_as_it_was_given():
    tracker = build_tracker(TrackerConfig())
    first = tracker.update(measure([box_at(100)], position=[[0.0, 0.0, 1.0]]))
    before = {name: np.copy(values) for name, values in vars(first).items()}
    tracker.update(measure([box_at(103)], frame=1, position=[[0.01, 0.0, 1.0]]))
    tracker.predict(2 * FRAME_NS)
    for name, values in vars(first).items():
        np.testing.assert_array_equal(values, before[name])


# Invariances, for any detections at all.

finite32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def wild_measurements(draw, frames: int = 4) -> list[Callable[[], Measurements]]:
    """Made in the test itself: the checks of types draw random numbers of their own."""
    stamps = sorted(draw(st.lists(st.integers(0, 10**12), min_size=frames, max_size=frames)))
    out = []
    for stamp_ns in stamps:
        n = draw(st.integers(0, 4))
        image_size_px = draw(st.sampled_from([None, IMAGE_PX]))
        box, score, position, covariance, size, look = (
            draw(hnp.arrays(np.float32, (n, *shape), elements=finite32))
            for shape in ((4,), (), (3,), (3, 3), (3,), (5,))
        )
        class_id = draw(hnp.arrays(np.int64, n, elements=st.integers(0, 3)))
        detected = {"box_xyxy_px": box, "score": score, "class_id": class_id}
        placed = {"position_in_camera_m": position, "covariance_m2": covariance, "size_m": size}
        seen = {"appearance": look, "image_size_px": image_size_px}
        out.append(partial(wild, stamp_ns, detected, placed, seen))
    return out


def wild(stamp_ns: int, detected: dict, placed: dict, seen: dict) -> Measurements:
    return Measurements(
        detections=Detections(stamp_ns=stamp_ns, **detected), lifted=Lifted(**placed), **seen
    )


@settings(max_examples=30)
@given(wild_measurements())
def test_finite_input_never_gives_nan(frames):
    tracker = build_tracker(TrackerConfig())
    for make in frames:
        measurements = make()
        for tracks in (
            tracker.update(measurements),
            tracker.predict(measurements.stamp_ns + FRAME_NS // 2),
        ):
            for name, values in vars(tracks).items():
                if isinstance(values, np.ndarray):
                    assert np.isfinite(values).all(), name


def scene(seed: int, *, frames: int = 12) -> list[Measurements]:
    """Objects that cross, with misses, noise, depth and looks; scores all differ."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 7))
    centre, velocity = rng.uniform(100, 500, (n, 2)), rng.normal(0, 3, (n, 2))
    looks = rng.normal(size=(n, 6))
    out = []
    for k in range(frames):
        here = np.flatnonzero(rng.random(n) < 0.8)
        middle = centre[here] + velocity[here] * k + rng.normal(0, 1, (len(here), 2))
        out.append(
            measure(
                np.concatenate([middle - 25, middle + 25], axis=1),
                frame=k,
                score=np.sort(rng.uniform(0.3, 1, len(here)))[::-1],
                position=np.concatenate([middle / 600, np.full((len(here), 1), 1.2)], axis=1),
                appearance=looks[here] + rng.normal(0, 0.1, (len(here), 6)),
            )
        )
    return out


def cut(measurements: Measurements, side_px: int) -> Measurements:
    """As seen in an image so small that its border cuts some of the boxes."""
    found = measurements.detections
    boxes = np.clip(found.box_xyxy_px, 0, side_px)
    return replace(
        measurements,
        detections=replace(found, box_xyxy_px=boxes),
        image_size_px=(side_px, side_px),
    )


def rows_by_id(tracks: Tracks) -> dict[int, np.ndarray]:
    return dict(zip(tracks.track_id.tolist(), tracks.box_xyxy_px, strict=True))


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_identical_input_gives_identical_output(seed):
    for one, other in zip(run(scene(seed)), run(scene(seed)), strict=True):
        for name, values in vars(one).items():
            np.testing.assert_array_equal(values, getattr(other, name))


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_permuting_detections_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    frames, shuffled, orders = scene(seed), [], []
    for measurements in frames:
        order = rng.permutation(len(measurements.detections))
        orders.append(order)
        found, lifted = measurements.detections, measurements.lifted
        shuffled.append(
            replace(
                measurements,
                detections=replace(
                    found,
                    box_xyxy_px=found.box_xyxy_px[order],
                    score=found.score[order],
                    class_id=found.class_id[order],
                ),
                lifted=Lifted(
                    position_in_camera_m=lifted.position_in_camera_m[order],
                    covariance_m2=lifted.covariance_m2[order],
                    size_m=lifted.size_m[order],
                ),
                appearance=measurements.appearance[order],
            )
        )
    for one, other, order in zip(run(frames), run(shuffled), orders, strict=True):
        np.testing.assert_array_equal(one.track_id, other.track_id)
        np.testing.assert_array_equal(one.box_xyxy_px, other.box_xyxy_px)
        matched = one.detection_index >= 0
        np.testing.assert_array_equal(
            one.detection_index[matched], order[other.detection_index[matched]]
        )


@settings(max_examples=8)
@given(st.integers(0, 10**6))
def test_no_identity_is_given_twice(seed):
    ended = set()
    for tracks in run(scene(seed), coast_s=0.2):
        assert len(set(tracks.track_id.tolist())) == len(tracks)
        assert not ended & set(tracks.track_id.tolist())
        ended |= {event.track_id for event in tracks.events if event.state == TrackState.ENDED}


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.floats(-300, 300), st.floats(-300, 300))
def test_translating_the_scene_translates_the_tracks(seed, right_px, down_px):
    shift = np.array([right_px, down_px] * 2, np.float32)
    frames = scene(seed)
    moved = [
        replace(m, detections=replace(m.detections, box_xyxy_px=m.detections.box_xyxy_px + shift))
        for m in frames
    ]
    for one, other in zip(run(frames), run(moved), strict=True):
        expected, given_boxes = rows_by_id(one), rows_by_id(other)
        assert expected.keys() == given_boxes.keys()
        for track_id, box in expected.items():
            np.testing.assert_allclose(given_boxes[track_id], box + shift, atol=0.01)


@settings(max_examples=8)
@given(st.integers(0, 10**6), st.sampled_from([None, 300]))
def test_mirroring_the_scene_mirrors_the_tracks(seed, cut_px):
    width = np.float32(cut_px or 640)
    frames = scene(seed)
    if cut_px:
        frames = [cut(m, cut_px) for m in frames]
    mirrored = []
    for m in frames:
        box = m.detections.box_xyxy_px
        flipped = np.stack([width - box[:, 2], box[:, 1], width - box[:, 0], box[:, 3]], axis=1)
        position = m.lifted.position_in_camera_m * np.array([-1, 1, 1], np.float32)
        mirrored.append(
            replace(
                m,
                detections=replace(m.detections, box_xyxy_px=flipped),
                lifted=replace(m.lifted, position_in_camera_m=position),
            )
        )
    for one, other in zip(run(frames), run(mirrored), strict=True):
        expected, given_boxes = rows_by_id(one), rows_by_id(other)
        assert expected.keys() == given_boxes.keys()
        for track_id, box in expected.items():
            flipped = [width - box[2], box[1], width - box[0], box[3]]
            np.testing.assert_allclose(given_boxes[track_id], flipped, atol=0.01)
