"""Letterboxing of any aspect ratio, and boxes back where they came from."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_vision.core.cameras.placement import place
from robot_vision.core.manifests.manifest import ModelInput
from robot_vision.core.types import Camera
from robot_vision.perception.preprocess import Preprocessor

RESIZES = ("letterbox", "letterbox_topleft", "stretch")


def spec(**changes: object) -> ModelInput:
    return ModelInput.model_validate({"name": "x", "width_px": 64, "height_px": 48} | changes)


@given(
    st.sampled_from(RESIZES),
    st.integers(1, 4000),
    st.integers(1, 4000),
    st.tuples(*[st.floats(0, 1)] * 4),
)
def test_boxes_come_back_from_the_input(
    resize: str, width: int, height: int, corners: tuple[float, float, float, float]
) -> None:
    placement = place(spec(resize=resize), width_px=width, height_px=height)
    x = np.sort(np.array(corners[:2])) * width
    y = np.sort(np.array(corners[2:])) * height
    box = np.array([[x[0], y[0], x[1], y[1]]])
    scale = np.array([placement.width_px / width, placement.height_px / height] * 2)
    offset = np.array([placement.left_px, placement.top_px] * 2)
    in_input = (box * scale + offset).astype(np.float32)
    assert np.allclose(placement.boxes_in_view(in_input), box, atol=2e-4 * max(width, height))


@given(st.sampled_from(RESIZES), st.integers(1, 4000), st.integers(1, 4000))
def test_the_view_lies_inside_the_input_and_keeps_its_ratio(
    resize: str, width: int, height: int
) -> None:
    placement = place(spec(resize=resize), width_px=width, height_px=height)
    assert placement.left_px >= 0
    assert placement.top_px >= 0
    assert placement.left_px + placement.width_px <= 64
    assert placement.top_px + placement.height_px <= 48
    assert 64 in (placement.width_px, placement.width_px + placement.left_px * 2) or (
        placement.height_px == 48
    )
    if resize != "stretch":
        # To the rounding of a pixel, and never thinner than one.
        ratio = min(64 / width, 48 / height)
        assert abs(placement.width_px - max(1.0, width * ratio)) <= 0.5
        assert abs(placement.height_px - max(1.0, height * ratio)) <= 0.5


def test_boxes_are_clipped_to_the_view() -> None:
    placement = place(spec(), width_px=640, height_px=480)
    box = placement.boxes_in_view(np.array([[-9.0, -9.0, 99.0, 99.0]], np.float32))
    assert box.tolist() == [[0, 0, 640, 480]]


@pytest.mark.parametrize("resize", RESIZES)
def test_a_marker_ends_up_where_the_placement_says(resize: str) -> None:
    rgb = np.zeros((100, 300, 3), np.uint8)
    rgb[20:60, 120:210] = 255
    inputs, placement = Preprocessor(spec(resize=resize, scale=1.0, pad_value=0))(rgb)
    bright = inputs["x"][0, 0] > 127
    y, x = np.nonzero(bright)
    found = np.array([[x.min(), y.min(), x.max() + 1, y.max() + 1]], np.float32)
    tolerance_px = max(300 / placement.width_px, 100 / placement.height_px)
    assert np.abs(placement.boxes_in_view(found) - [[120, 20, 210, 60]]).max() <= tolerance_px


def test_pixels_are_normalised_in_the_models_colour_order() -> None:
    rgb = np.full((48, 64, 3), (10, 20, 30), np.uint8)
    mean, std = (1.0, 2.0, 3.0), (0.5, 2.0, 4.0)
    given_spec = spec(color="bgr", scale=0.5, mean=mean, std=std)
    tensor = Preprocessor(given_spec)(rgb)[0]["x"]
    expected = (np.array([30, 20, 10]) * 0.5 - mean) / std
    assert tensor.shape == (1, 3, 48, 64)
    assert np.allclose(tensor[0].mean(axis=(1, 2)), expected, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16", "uint8"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("color", ["rgb", "bgr"])
def test_every_layout_and_type_holds_the_same_pixels(dtype: str, layout: str, color: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    given_spec = spec(dtype=dtype, layout=layout, color=color, scale=1.0)
    tensor = Preprocessor(given_spec)(rgb)[0]["x"]
    assert str(tensor.dtype) == dtype
    assert tensor.flags.c_contiguous
    pixels = tensor[0].transpose(1, 2, 0) if layout == "nchw" else tensor[0]
    assert np.array_equal(pixels if color == "rgb" else pixels[..., ::-1], rgb)


def test_padding_is_restored_when_the_camera_changes() -> None:
    preprocess = Preprocessor(spec(scale=1.0, depth_name="d"))
    preprocess(np.full((48, 64, 3), 9, np.uint8), np.ones((48, 64), np.float32))
    inputs, placement = preprocess(np.full((100, 10, 3), 9, np.uint8), np.ones((5, 5), np.float32))
    inside = np.zeros((48, 64), bool)
    inside[placement.window] = True
    assert set(inputs["x"][0][:, ~inside].ravel()) == {114}
    assert set(inputs["d"][0, 0][~inside].ravel()) == {0}


def test_depth_follows_the_image_with_0_for_unknown() -> None:
    preprocess = Preprocessor(spec(depth_name="d"))
    rgb = np.zeros((96, 128, 3), np.uint8)
    depth_m = np.full((24, 32), 2.0, np.float32)  # of another size, of the same view
    depth_m[:12] = np.nan
    depth = preprocess(rgb, depth_m)[0]["d"]
    assert depth.shape == (1, 1, 48, 64)
    assert set(depth[0, 0, :23].ravel()) == {0}
    assert set(depth[0, 0, 25:].ravel()) == {2}
    assert not preprocess(rgb)[0]["d"].any()


def test_the_focal_length_is_given_in_pixels_of_the_input() -> None:
    preprocess = Preprocessor(spec(focal_name="f"))
    rgb = np.zeros((240, 320, 3), np.uint8)
    intrinsics = np.array([[600.0, 0, 320], [0, 600, 240], [0, 0, 1]])
    camera = Camera(frame_id="c", width_px=640, height_px=480, intrinsics_px=intrinsics)
    inputs, placement = preprocess(rgb, None, camera)
    assert inputs["f"].dtype == np.float32
    assert inputs["f"].tolist() == [[pytest.approx(600 * placement.width_px / 640)]]
    unknown, _ = preprocess(rgb)
    assert unknown["f"].tolist() == [[0.0]]


def test_the_size_given_to_a_graph_is_that_of_its_input() -> None:
    inputs, _ = Preprocessor(spec(size_name="s"))(np.zeros((10, 10, 3), np.uint8))
    assert inputs["s"].tolist() == [[64, 48]]


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1), (2160, 3840)])
@pytest.mark.parametrize("resize", RESIZES)
def test_images_of_any_size(size: tuple[int, int], resize: str) -> None:
    rgb = np.full((*size, 3), 7, np.uint8)
    inputs, placement = Preprocessor(spec(resize=resize, scale=1.0))(rgb)
    assert set(inputs["x"][0][(slice(None), *placement.window)].ravel()) == {7}


def test_grids_are_cropped_to_the_view() -> None:
    placement = place(spec(), width_px=64, height_px=24)  # 12 px of padding above and below
    grid = np.arange(12 * 16, dtype=np.float32).reshape(1, 12, 16)
    view = placement.crop(grid, input_width_px=64)
    assert view.shape == (1, 6, 16)
    assert view[0, 0, 0] == grid[0, 3, 0]


def test_padded_rows_of_a_camera_are_read_in_place() -> None:
    memory = np.random.default_rng(2).integers(0, 256, (48, 70, 3), dtype=np.uint8)
    view = memory[:, :64]
    tensor = Preprocessor(spec(dtype="uint8", layout="nhwc"))(view)[0]["x"]
    assert np.array_equal(tensor[0], cv2.resize(view.copy(), (64, 48)))
