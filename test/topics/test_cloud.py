"""Points of measured depth: each lies on the ray of its pixel, and knows its colour and object."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.core.cameras.geometry import project, scaled_camera
from robot_vision.core.parameters.groups.points_config import PointsConfig
from robot_vision.core.types import (
    Camera,
    Depth,
    Detections,
    Frame,
    Lifted,
    Perception,
    Tracks,
    TrackState,
)
from robot_vision.replay.writing.file_messages import FileMessages
from robot_vision.topics.content.cloud import OBJECT_POINT, POINT
from robot_vision.topics.content.points import CloudWriter

WIDTH_PX, HEIGHT_PX = 96, 64
LENSES = st.one_of(
    st.tuples(
        st.just("plumb_bob"),
        st.tuples(
            st.floats(-0.4, 0.4),
            st.floats(-0.2, 0.2),
            st.floats(-0.01, 0.01),
            st.floats(-0.01, 0.01),
            st.floats(-0.1, 0.1),
        ),
    ),
    st.tuples(st.just("rational_polynomial"), st.tuples(*8 * [st.floats(-0.05, 0.05)])),
    st.tuples(st.just("equidistant"), st.tuples(*4 * [st.floats(-0.05, 0.05)])),
    st.tuples(st.just("plumb_bob"), st.just(())),
)


def camera_of(lens: tuple[str, tuple[float, ...]] = ("plumb_bob", ()), **more: float) -> Camera:
    fx, fy = more.get("fx", 80.0), more.get("fy", 82.0)
    return Camera(
        frame_id="optical",
        width_px=WIDTH_PX,
        height_px=HEIGHT_PX,
        intrinsics_px=np.array([[fx, 0, 47.0], [0, fy, 33.0], [0, 0, 1]]),
        distortion=np.array(lens[1], np.float64),
        distortion_model=lens[0],  # pyright: ignore[reportArgumentType]
    )


def seen(
    depth_m: np.ndarray,
    *,
    camera: Camera | None,
    confidence: np.ndarray | None = None,
    detections: Detections | None = None,
    states: tuple[TrackState, ...] = (),
    lifted_z_m: float = np.nan,
) -> Perception:
    """A frame of random colours; each detection has a track, whose id is 7 and more."""
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (HEIGHT_PX, WIDTH_PX, 3), dtype=np.uint8)
    count = len(states)
    if detections is None:
        detections = boxes(np.zeros((count, 4), np.float32))
    three = np.full((count, 3), np.nan, np.float32)
    nine = np.full((count, 3, 3), np.nan, np.float32)
    position_m = three.copy()
    position_m[:, 2] = lifted_z_m
    return Perception(
        stamp_ns=5,
        frame=Frame(stamp_ns=5, frame_id="optical", rgb=rgb, camera=camera),
        detections=detections,
        depth=Depth(
            stamp_ns=5,
            depth_m=depth_m,
            confidence=np.isfinite(depth_m).astype(np.float32)
            if confidence is None
            else confidence,
            source="fused",
            valid_fraction=1.0,
        ),
        features=None,
        lifted=Lifted(position_in_camera_m=position_m, covariance_m2=nine, size_m=three),
        tracks=Tracks(
            stamp_ns=5,
            track_id=np.arange(7, 7 + count),
            state=np.array(states, np.int64),
            box_xyxy_px=detections.box_xyxy_px,
            score=detections.score,
            class_id=detections.class_id,
            position_in_camera_m=three,
            position_covariance_m2=nine,
            velocity_in_camera_mps=three,
            velocity_covariance_m2ps2=nine,
            size_m=three,
            age_s=np.zeros(count, np.float32),
            unseen_s=np.zeros(count, np.float32),
            detection_index=np.arange(count),
        ),
        class_names=("cube", "cup", "mug"),
        model_id="m@1",
        stage_s={},
    )


def boxes(box_xyxy_px: np.ndarray, mask: np.ndarray | None = None) -> Detections:
    count = len(box_xyxy_px)
    return Detections(
        stamp_ns=5,
        box_xyxy_px=box_xyxy_px.astype(np.float32),
        score=np.ones(count, np.float32),
        class_id=np.arange(count),
        mask=mask,
    )


def scene_of(perception: Perception, *, stride: int = 1) -> np.ndarray:
    """`~/points` as an array of rows and columns."""
    message = CloudWriter(FileMessages(), PointsConfig(stride=stride)).scene(perception)
    assert message is not None
    assert [(f.name, f.offset, f.datatype, f.count) for f in message.fields] == [
        ("x", 0, 7, 1),
        ("y", 4, 7, 1),
        ("z", 8, 7, 1),
        ("rgb", 12, 7, 1),
    ]
    assert (message.point_step, message.row_step) == (16, 16 * message.width)
    assert not message.is_dense
    assert (message.header.frame_id, message.header.stamp.nanosec) == ("optical", 5)
    return np.frombuffer(message.data, POINT).reshape(message.height, message.width)


def objects_of(perception: Perception, *, stride: int = 1) -> np.ndarray:
    message = CloudWriter(FileMessages(), PointsConfig(stride=stride)).objects(perception)
    assert message is not None
    assert [(f.name, f.offset, f.datatype) for f in message.fields[4:]] == [
        ("id", 16, 6),
        ("class_id", 20, 6),
    ]
    assert message.is_dense
    assert message.height == 1
    points = np.frombuffer(message.data, OBJECT_POINT)
    assert len(points) == message.width
    return points


@settings(max_examples=60, deadline=None)
@given(
    lens=LENSES,
    fx=st.floats(30, 3000),
    aspect=st.floats(0.8, 1.25),
    scale=st.sampled_from([1.0, 0.5, 2.0]),
    stride=st.integers(1, 5),
    seed=st.integers(0, 2**31),
)
def test_every_point_projects_onto_its_pixel(
    lens: tuple[str, tuple[float, ...]],
    fx: float,
    aspect: float,
    scale: float,
    stride: int,
    seed: int,
) -> None:
    camera = camera_of(lens, fx=fx, fy=fx * aspect)
    height_px, width_px = int(HEIGHT_PX * scale), int(WIDTH_PX * scale)
    rng = np.random.default_rng(seed)
    depth_m = rng.uniform(0.1, 10, (height_px, width_px)).astype(np.float32)
    depth_m[rng.random(depth_m.shape) < 0.2] = np.nan
    points = scene_of(seen(depth_m, camera=camera), stride=stride)
    xyz_m = np.stack([points[name] for name in "xyz"], axis=-1).astype(np.float64)
    known = np.isfinite(xyz_m)
    assert (known.all(axis=-1) == known.any(axis=-1)).all()
    v, u = np.mgrid[0:height_px:stride, 0:width_px:stride]
    assert points.shape == u.shape
    valid = np.asarray(np.isfinite(xyz_m).all(axis=-1))
    np.testing.assert_array_equal(points["z"][valid], depth_m[::stride, ::stride][valid])
    assert not valid[np.isnan(depth_m[::stride, ::stride])].any()
    view = scaled_camera(camera, width_px=width_px, height_px=height_px)
    pixel_px = project(xyz_m[valid], camera=view)
    np.testing.assert_allclose(pixel_px, np.stack([u, v], -1)[valid], atol=1e-3, rtol=0)
    if lens[1] == () or fx > 500:  # a lens that has a ray for every pixel
        assert (valid == np.isfinite(depth_m[::stride, ::stride])).all()


def test_colours_are_those_of_the_pixels_and_no_float_of_them_is_nan() -> None:
    perception = seen(np.ones((HEIGHT_PX, WIDTH_PX), np.float32), camera=camera_of())
    color = scene_of(perception)["rgb"]
    assert not np.isnan(color).any()  # readers that skip NaN look at all fields
    bits = color.view("<u4")
    rgb = np.stack([bits >> 16, bits >> 8 & 255, bits & 255], axis=-1)
    np.testing.assert_array_equal(rgb, perception.frame.rgb)


def test_depth_of_half_the_size_takes_the_colour_in_the_middle_of_its_cells() -> None:
    perception = seen(np.ones((HEIGHT_PX // 4, WIDTH_PX // 4), np.float32), camera=camera_of())
    red = scene_of(perception, stride=2)["rgb"].view("<u4") >> 16
    middle = perception.frame.rgb[1::8, 1::8, 0], perception.frame.rgb[2::8, 2::8, 0]
    assert ((red == middle[0]) | (red == middle[1])).all()


def test_guessed_depth_makes_no_points() -> None:
    depth_m = np.ones((HEIGHT_PX, WIDTH_PX), np.float32)
    confidence = np.ones_like(depth_m)
    confidence[:, 10:] = 0.9
    points = scene_of(seen(depth_m, camera=camera_of(), confidence=confidence))
    assert np.isfinite(points["z"][:, :10]).all()
    assert np.isnan(points["z"][:, 10:]).all()


@pytest.mark.parametrize("missing", ["depth", "camera"])
def test_without_depth_or_intrinsics_there_is_no_cloud(missing: str) -> None:
    perception = seen(np.ones((HEIGHT_PX, WIDTH_PX), np.float32), camera=camera_of())
    if missing == "depth":
        perception = replace(perception, depth=None)
    else:
        perception = replace(perception, frame=replace(perception.frame, camera=None))
    writer = CloudWriter(FileMessages(), PointsConfig())
    assert writer.scene(perception) is None
    assert writer.objects(perception) is None


def test_another_camera_or_size_is_taken_up() -> None:
    writer = CloudWriter(FileMessages(), PointsConfig())
    for size, camera in ((1, camera_of()), (1, camera_of(fx=200.0)), (2, camera_of(fx=200.0))):
        depth_m = np.ones((HEIGHT_PX // size, WIDTH_PX // size), np.float32)
        message = writer.scene(seen(depth_m, camera=camera))
        assert message is not None
        points = np.frombuffer(message.data, POINT).reshape(depth_m.shape)
        view = scaled_camera(camera, width_px=WIDTH_PX // size, height_px=HEIGHT_PX // size)
        assert points["x"][0, 0] == pytest.approx(-view.cx_px / view.fx_px)


def test_points_of_an_object_lie_under_its_mask() -> None:
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), 2.0, np.float32)
    depth_m[10, 10] = np.nan
    masks = np.zeros((2, HEIGHT_PX // 4, WIDTH_PX // 4), bool)
    masks[0, 2:4, 2:5] = True  # rows 8 to 15, columns 8 to 19
    masks[1, 2:4, 4:6] = True
    found = boxes(np.array([[8, 8, 20, 16], [16, 8, 24, 16]]), masks)
    states = (TrackState.CONFIRMED, TrackState.CONFIRMED)
    points = objects_of(seen(depth_m, camera=camera_of(), detections=found, states=states))
    assert np.count_nonzero(points["id"] == 7) == 8 * 12 - 1
    assert np.count_nonzero(points["id"] == 8) == 8 * 8
    assert set(points["class_id"][points["id"] == 8]) == {1}
    pixel_px = project(
        np.stack([points[name] for name in "xyz"], -1).astype(np.float64), camera=camera_of()
    )
    first = np.round(pixel_px[points["id"] == 7])
    assert (first.min(axis=0).tolist(), first.max(axis=0).tolist()) == ([8, 8], [19, 15])


def test_without_a_mask_they_are_those_of_the_box_at_the_depth_of_the_object() -> None:
    depth_m = np.full((HEIGHT_PX, WIDTH_PX), 2.0, np.float32)
    depth_m[20:30, 40:60] = 1.0
    found = boxes(np.array([[36, 18, 64, 32]]))
    perception = seen(
        depth_m,
        camera=camera_of(),
        detections=found,
        states=(TrackState.CONFIRMED,),
        lifted_z_m=1.0,
    )
    assert len(objects_of(perception)) == 10 * 20
    assert len(objects_of(perception, stride=2)) == 5 * 10
    unknown = replace(perception, lifted=None)
    assert len(objects_of(unknown)) == 0


@pytest.mark.parametrize("state", [TrackState.TENTATIVE, TrackState.COASTING])
def test_only_confirmed_objects_that_were_seen_have_points(state: TrackState) -> None:
    depth_m = np.ones((HEIGHT_PX, WIDTH_PX), np.float32)
    whole = boxes(np.array([[0, 0, WIDTH_PX, HEIGHT_PX]]))
    perception = seen(
        depth_m, camera=camera_of(), detections=whole, states=(state,), lifted_z_m=1.0
    )
    assert len(objects_of(perception)) == 0
    confirmed = replace(
        perception, tracks=replace(perception.tracks, state=np.array([TrackState.CONFIRMED]))
    )
    assert len(objects_of(confirmed)) == depth_m.size
    unseen = replace(confirmed, tracks=replace(confirmed.tracks, detection_index=np.array([-1])))
    assert len(objects_of(unseen)) == 0
