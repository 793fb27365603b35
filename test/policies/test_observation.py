"""Tokens say where things are, how they look and what is missing."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from policy_cases import BASE_FROM_CAMERA, CAMERA, Brick, observe, robot_at

from robot_vision.core.cameras.geometry import invert_transform, project, transform_points
from robot_vision.core.cameras.rotation import original_from_rotated, rotated_camera
from robot_vision.core.types import Camera
from robot_vision.policies.observing.observation import encode_observation
from robot_vision.policies.observing.tokens import (
    MAX_OBJECTS,
    OBJECT_SLICES,
    VISUAL_SLICES,
    robot_width,
    without_depth,
)

PLACES = st.floats(-0.12, 0.12)


def field(tokens: np.ndarray, name: str) -> np.ndarray:
    return tokens[..., OBJECT_SLICES[name]]


@settings(max_examples=30)
@given(x=PLACES, y=PLACES, tool_x=PLACES, tool_z=st.floats(0.1, 0.4))
def test_an_objects_place_is_relative_to_the_tool(
    x: float, y: float, tool_x: float, tool_z: float
) -> None:
    robot = robot_at((0.5 + tool_x, 0.0, tool_z))
    tokens = encode_observation(observe([Brick(centre_m=(0.5 + x, y))], robot=robot), history=2)
    distance = np.array([x - tool_x, y, 0.05 - tool_z])
    assert field(tokens.objects[0], "centre_from_tool") == pytest.approx(distance, abs=0.006)
    in_tool = distance * (1, -1, -1)  # the tool looks down
    assert field(tokens.objects[0], "centre_in_tool") == pytest.approx(in_tool, abs=0.006)
    assert field(tokens.objects[0], "has_surface") == 1


BARREL = replace(CAMERA, distortion=np.array([-0.35, 0.12, 0.01, -0.01, 0.0]))
FISHEYE = replace(
    CAMERA, distortion=np.array([0.05, -0.02, 0.0, 0.0]), distortion_model="equidistant"
)


@pytest.mark.parametrize("rotate_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("camera", [CAMERA, BARREL, FISHEYE])
@pytest.mark.parametrize("with_depth", [True, False])
def test_places_are_the_same_through_any_lens_and_on_its_side(
    camera: Camera, rotate_deg: int, with_depth: bool
) -> None:
    observation = observe(
        [Brick(centre_m=(0.65, 0.25)), Brick(centre_m=(0.38, -0.2))],
        with_depth=with_depth,
        camera=rotated_camera(camera, rotate_deg),
        base_from_camera=BASE_FROM_CAMERA @ original_from_rotated(rotate_deg),
    )
    tokens = encode_observation(observation, history=2)
    for row, place in enumerate([(0.65, 0.25), (0.38, -0.2)]):
        assert field(tokens.objects[row], "centre")[:2] == pytest.approx(place, abs=0.012)
        lower_edge = field(tokens.objects[row], "ground_from_tool")[2:] + np.array([0.4, 0])
        assert lower_edge == pytest.approx(place, abs=0.06)
    places = tokens.visual[:, VISUAL_SLICES["place"]][:, :2]
    assert (np.abs(places).max() > 0) == with_depth


def test_cells_show_the_place_that_the_lens_sees_there() -> None:
    straight, bent = (
        encode_observation(observe([], camera=camera), history=2).visual[:, VISUAL_SLICES["place"]]
        for camera in (CAMERA, BARREL)
    )
    corner = project(
        transform_points(invert_transform(BASE_FROM_CAMERA), bent[:1].astype(float)),
        camera=BARREL,
    )
    seen = project(
        transform_points(invert_transform(BASE_FROM_CAMERA), straight[:1].astype(float)),
        camera=CAMERA,
    )
    assert corner == pytest.approx(seen, abs=0.01)


def test_what_the_lens_has_no_ray_for_has_no_token() -> None:
    folding = replace(CAMERA, distortion=np.array([-2.0, 0.0, 0.0, 0.0, 0.0]))
    observation = observe([Brick(centre_m=(0.5, 0.0)), Brick(centre_m=(0.65, 0.25))])
    perception = observation.perception
    beyond = replace(perception, frame=replace(perception.frame, camera=folding))
    tokens = encode_observation(replace(observation, perception=beyond), history=2)
    assert tokens.track_id[tokens.present].tolist() == [5]


def test_how_a_brick_lies_is_seen() -> None:
    along_x = Brick(centre_m=(0.5, 0.1), size_m=(0.12, 0.03, 0.05))
    along_y = Brick(centre_m=(0.5, -0.1), size_m=(0.03, 0.12, 0.05))
    tokens = encode_observation(observe([along_x, along_y]), history=2).objects
    assert field(tokens[0], "axis")[0] > 0.5
    assert field(tokens[1], "axis")[0] < -0.5
    for row in range(2):
        assert field(tokens[row], "extent") == pytest.approx([0.12, 0.03], abs=0.015)
        assert field(tokens[row], "top_and_low")[0] == pytest.approx(0.05, abs=0.005)


def test_colour_is_that_of_the_object() -> None:
    bricks = [
        Brick(centre_m=(0.45, 0.1), rgb=(250, 10, 20)),
        Brick(centre_m=(0.55, -0.1), rgb=(10, 30, 240)),
    ]
    tokens = encode_observation(observe(bricks), history=2).objects
    for row, brick in enumerate(bricks):
        assert field(tokens[row], "color") == pytest.approx(np.array(brick.rgb) / 255, abs=0.02)


def test_rows_past_the_tracks_are_empty_and_many_tracks_are_cut_to_the_surest() -> None:
    few = encode_observation(observe([Brick(centre_m=(0.5, 0.0))]), history=2)
    assert few.present.tolist() == [True] + [False] * (MAX_OBJECTS - 1)
    assert not few.objects[1:].any()
    assert few.track_id[0] == 5
    assert (few.track_id[1:] == -1).all()
    many = [Brick(centre_m=(0.5, 0.0), score=0.3 + 0.02 * i) for i in range(MAX_OBJECTS + 4)]
    kept = encode_observation(observe(many), history=2)
    assert kept.present.all()
    assert sorted(kept.track_id) == list(range(5 + 4, 5 + 4 + MAX_OBJECTS))


def test_nothing_in_view_gives_no_object_token() -> None:
    assert not encode_observation(observe([]), history=2).present.any()


def test_without_depth_places_come_from_the_line_of_sight() -> None:
    tokens = encode_observation(
        observe([Brick(centre_m=(0.55, 0.08))], with_depth=False), history=2
    )
    assert field(tokens.objects[0], "has_surface") == 0
    assert field(tokens.objects[0], "has_position") == 0
    assert field(tokens.objects[0], "centre")[:2] == pytest.approx([0.55, 0.08], abs=0.02)
    assert not tokens.visual[:, VISUAL_SLICES["has_place"]].any()


def test_leaving_depth_out_of_tokens_is_as_having_had_none() -> None:
    bricks = [Brick(centre_m=(0.45, 0.1)), Brick(centre_m=(0.6, -0.05), rgb=(0, 0, 255))]
    full = encode_observation(observe(bricks), history=2)
    bare = encode_observation(observe(bricks, with_depth=False), history=2)
    objects, visual = without_depth(full.objects[None], full.visual[None], full.robot[None])
    assert objects[0] == pytest.approx(bare.objects, abs=1e-5)
    assert visual[0] == pytest.approx(bare.visual, abs=1e-5)


def test_a_coasting_track_keeps_its_place_but_shows_no_surface() -> None:
    token = encode_observation(
        observe([Brick(centre_m=(0.5, 0.1))], coasting=True), history=2
    ).objects[0]
    assert field(token, "coasting") == 1
    assert field(token, "has_surface") == 0
    assert field(token, "centre")[:2] == pytest.approx([0.5, 0.1], abs=0.01)
    assert field(token, "age_and_unseen")[1] == pytest.approx(0.4)


def test_without_features_the_visual_tokens_are_marked_absent() -> None:
    tokens = encode_observation(
        observe([Brick(centre_m=(0.5, 0.0))], with_features=False), history=2
    )
    assert not tokens.has_visual
    assert not tokens.visual[:, VISUAL_SLICES["features"]].any()
    assert not field(tokens.objects[0], "appearance").any()


def test_history_shows_how_the_tool_moved_and_is_flagged_where_short() -> None:
    now, before = robot_at((0.42, 0.0, 0.3)), robot_at((0.4, 0.0, 0.3), gripper_open=0.2)
    token = encode_observation(observe([], robot=now, history=(before,)), history=2).robot
    assert token.shape == (robot_width(2),)
    first, second = token[-16:-8], token[-8:]
    assert first == pytest.approx([1, 0.02, 0, 0, 0, 0, 0, 0.2], abs=1e-6)
    assert not second.any()
