"""Raw images: every encoding, any step and byte order, and bytes that make no sense."""

import array

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.codecs.image import IMAGE_ENCODINGS, decode_image
from robot_vision.codecs.layout import UnsupportedEncodingError
from robot_vision.core.errors import EncodingError

sizes = st.integers(1, 12)
ORDER = {
    "rgb8": [0, 1, 2],
    "bgr8": [2, 1, 0],
    "8UC3": [2, 1, 0],
    "rgba8": [0, 1, 2, 3],
    "bgra8": [2, 1, 0, 3],
}
BAYER = {
    "bayer_rggb8": "RGGB",
    "bayer_bggr8": "BGGR",
    "bayer_gbrg8": "GBRG",
    "bayer_grbg8": "GRBG",
}


def packed(image: np.ndarray, *, padding: int, big: bool) -> tuple[bytes, int]:
    """The image's rows with `padding` bytes after each, and the step that this makes."""
    stored = image.astype(image.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xee" * padding for row in stored]
    return b"".join(rows), len(rows[0])


def decode(image: np.ndarray, encoding: str, *, padding: int = 0, big: bool = False) -> np.ndarray:
    data, step = packed(image, padding=padding, big=big)
    return decode_image(
        data,
        encoding=encoding,
        width_px=image.shape[1],
        height_px=image.shape[0],
        step=step,
        is_bigendian=big,
    )


@given(st.data(), st.sampled_from(sorted(ORDER)), sizes, sizes, st.integers(0, 7), st.booleans())
def test_colour_survives_any_order_step_and_size(
    data: st.DataObject, encoding: str, height: int, width: int, padding: int, big: bool
) -> None:
    rgba = data.draw(arrays(np.uint8, (height, width, 4)))
    stored = rgba[:, :, ORDER[encoding]]
    assert np.array_equal(decode(stored, encoding, padding=padding, big=big), rgba[:, :, :3])


@given(st.data(), sizes, sizes, st.integers(0, 7), st.booleans())
def test_gray_becomes_rgb(
    data: st.DataObject, height: int, width: int, padding: int, big: bool
) -> None:
    gray = data.draw(arrays(np.uint8, (height, width)))
    expected = np.repeat(gray[:, :, None], 3, axis=2)
    for encoding in ("mono8", "8UC1"):
        assert np.array_equal(decode(gray, encoding, padding=padding), expected)
    wide = gray.astype(np.uint16) * 257  # 8 bits spread over 16
    assert np.array_equal(decode(wide, "mono16", padding=padding, big=big), expected)


def test_rgb_is_a_view_even_with_padding() -> None:
    memory = np.arange(4 * 20, dtype=np.uint8)
    rgb = decode_image(memory, encoding="rgb8", width_px=5, height_px=4, step=20)
    assert np.shares_memory(rgb, memory)
    assert rgb[1, 0].tolist() == [20, 21, 22]


@pytest.mark.parametrize("encoding", sorted(BAYER))
@pytest.mark.parametrize("color", [(200, 0, 0), (0, 150, 0), (0, 0, 250), (30, 90, 210)])
def test_a_mosaic_of_one_colour_becomes_that_colour(
    encoding: str, color: tuple[int, int, int]
) -> None:
    pattern = [color["RGB".index(letter)] for letter in BAYER[encoding]]
    mosaic = np.tile(np.array(pattern, np.uint8).reshape(2, 2), (8, 8))
    rgb = decode(mosaic, encoding, padding=3)
    assert np.abs(rgb.astype(int) - color).max() <= 1


@pytest.mark.parametrize(
    ("encoding", "code"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
@pytest.mark.parametrize("color", [(200, 40, 60), (20, 180, 90), (90, 90, 90)])
def test_packed_yuv_of_both_orders(encoding: str, code: str, color: tuple[int, int, int]) -> None:
    red, green, blue = color
    # BT.601, limited range, as V4L2 and ROS have it.
    y = round(16 + 0.257 * red + 0.504 * green + 0.098 * blue)
    u = round(128 - 0.148 * red - 0.291 * green + 0.439 * blue)
    v = round(128 + 0.439 * red - 0.368 * green - 0.071 * blue)
    pair = [[u, y], [v, y]] if code == "uyvy" else [[y, u], [y, v]]
    image = np.tile(np.array(pair, np.uint8), (4, 3, 1))
    assert np.abs(decode(image, encoding, padding=2).astype(int) - color).max() <= 3


def test_data_of_a_message_may_be_an_array_or_a_memoryview() -> None:
    for data in (array.array("B", range(12)), memoryview(bytes(range(12))), bytearray(range(12))):
        rgb = decode_image(data, encoding="rgb8", width_px=2, height_px=2, step=6)
        assert rgb.ravel().tolist() == list(range(12))


def test_an_unknown_encoding_names_itself_and_those_supported() -> None:
    with pytest.raises(UnsupportedEncodingError, match=r"'yuv9'.*rgb8.*yuyv") as caught:
        decode_image(b"", encoding="yuv9", width_px=1, height_px=1, step=6)
    assert caught.value.encoding == "yuv9"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": bytes(59)}, r"59 bytes; step 15 × height 4 makes 60"),
        ({"data": bytes(61)}, r"61 bytes"),
        ({"step": 14}, r"step is 14 bytes.*at least 15"),
        ({"step": 0}, r"step is 0"),
        ({"step": 16}, r"60 bytes; step 16"),
        ({"width_px": 0}, r"0×4 px"),
        ({"height_px": -1}, r"5×-1 px"),
        ({"data": "text"}, r"block of bytes"),
    ],
)
def test_sizes_that_contradict_each_other_are_explained(
    change: dict[str, object], message: str
) -> None:
    call = {"data": bytes(60), "encoding": "rgb8", "width_px": 5, "height_px": 4, "step": 15}
    call |= change
    with pytest.raises(EncodingError, match=message):
        decode_image(call.pop("data"), **call)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(1, 1), (2, 2), (1, 9)])
def test_a_mosaic_too_small_to_interpolate_is_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(EncodingError, match="at least 3×3"):
        decode(np.ones(shape, np.uint8), "bayer_rggb8")


def test_packed_yuv_of_odd_width_is_refused() -> None:
    with pytest.raises(EncodingError, match="even width"):
        decode(np.ones((2, 3, 2), np.uint8), "yuv422")


@given(
    st.binary(max_size=64),
    st.sampled_from(IMAGE_ENCODINGS),
    st.integers(-1, 8),
    st.integers(-1, 8),
    st.integers(-1, 40),
    st.booleans(),
)
def test_arbitrary_bytes_decode_or_raise_encoding_error(
    data: bytes, encoding: str, width: int, height: int, step: int, big: bool
) -> None:
    try:
        rgb = decode_image(
            data,
            encoding=encoding,
            width_px=width,
            height_px=height,
            step=step,
            is_bigendian=big,
        )
    except EncodingError:
        return
    assert rgb.shape == (height, width, 3)


def test_a_4k_image_decodes() -> None:
    image = np.zeros((2160, 3840, 3), np.uint8)
    image[-1, -1] = (1, 2, 3)
    assert decode(image, "bgr8")[-1, -1].tolist() == [3, 2, 1]
    assert np.array_equal(decode(image, "rgb8"), cv2.cvtColor(image[..., ::-1].copy(), 4))


WIDE_ORDER = {
    "rgb16": [0, 1, 2],
    "bgr16": [2, 1, 0],
    "rgba16": [0, 1, 2, 3],
    "bgra16": [2, 1, 0, 3],
    "16UC3": [2, 1, 0],
    "16UC4": [2, 1, 0, 3],
}


@given(st.data(), st.sampled_from(sorted(WIDE_ORDER)), sizes, sizes, st.booleans())
def test_16_bits_of_colour_become_8(
    data: st.DataObject, encoding: str, height: int, width: int, big: bool
) -> None:
    rgba = data.draw(arrays(np.uint16, (height, width, 4)))
    found = decode(rgba[:, :, WIDE_ORDER[encoding]], encoding, padding=3, big=big)
    expected = rgba[:, :, :3] * (255 / 65535)  # as cv_bridge scales them
    assert np.abs(found - expected).max() <= 0.51


def test_8uc4_is_in_opencv_s_order() -> None:
    assert decode(np.array([[[1, 2, 3, 4]]], np.uint8), "8UC4").ravel().tolist() == [3, 2, 1]


@pytest.mark.parametrize("encoding", sorted(BAYER))
def test_a_mosaic_of_16_bits_is_that_of_8(encoding: str) -> None:
    mosaic = np.random.default_rng(0).integers(0, 256, (12, 14), np.uint8)
    wide = decode(mosaic.astype(np.uint16) * 257, encoding.replace("8", "16"), padding=2)
    assert np.abs(wide.astype(int) - decode(mosaic, encoding)).max() <= 1


# With the encodings of depth: every name of sensor_msgs/image_encodings.hpp.
BAYER_NAMES = {
    f"bayer_{order}{bits}" for order in ("rggb", "bggr", "gbrg", "grbg") for bits in (8, 16)
}
COLOURS = BAYER_NAMES | {
    *("rgb8", "rgba8", "rgb16", "rgba16", "bgr8", "bgra8", "bgr16", "bgra16", "mono8", "mono16"),
    *("8UC1", "8UC3", "8UC4", "16UC3", "16UC4"),
    *("uyvy", "yuv422", "yuyv", "yuv422_yuy2", "nv21", "nv24"),
}
OPENCV_TYPES = {
    f"{t}C{n}" for t in ("8U", "8S", "16U", "16S", "32S", "32F", "64F") for n in range(1, 5)
}
NO_COLOURS = sorted(OPENCV_TYPES - COLOURS - {"16UC1", "32FC1", "64FC1"})


def test_every_encoding_of_ros_that_means_colours_has_a_path() -> None:
    assert set(COLOURS) <= set(IMAGE_ENCODINGS)


@pytest.mark.parametrize("encoding", NO_COLOURS)
def test_an_encoding_that_means_no_colours_is_refused_without_asking_cv_bridge(
    encoding: str,
) -> None:
    with pytest.raises(EncodingError, match=f"{encoding!r} does not say which colours") as caught:
        decode_image(b"", encoding=encoding, width_px=1, height_px=1, step=1)
    assert not isinstance(caught.value, UnsupportedEncodingError)


@pytest.mark.parametrize("encoding", ["16UC1", "32FC1", "64FC1"])
def test_depth_in_place_of_colour_is_said_to_be_depth(encoding: str) -> None:
    with pytest.raises(EncodingError, match="is rgb remapped to a depth topic") as caught:
        decode_image(b"", encoding=encoding, width_px=1, height_px=1, step=1)
    assert not isinstance(caught.value, UnsupportedEncodingError)


@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 5), st.integers(0, 2**32 - 1))
def test_planes_of_full_colour_keep_each_pixel_s_own(
    height: int, width: int, padding: int, seed: int
) -> None:
    rgb = np.random.default_rng(seed).integers(16, 240, (height, width, 3)).astype(np.float64)
    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    y = np.round(16 + 0.257 * red + 0.504 * green + 0.098 * blue).astype(np.uint8)
    u = np.round(128 - 0.148 * red - 0.291 * green + 0.439 * blue).astype(np.uint8)
    v = np.round(128 + 0.439 * red - 0.368 * green - 0.071 * blue).astype(np.uint8)
    colours, _ = packed(np.dstack([u, v]), padding=2 * padding, big=False)
    brightness, step = packed(y, padding=padding, big=False)
    found = decode_image(
        brightness + colours, encoding="nv24", width_px=width, height_px=height, step=step
    )
    assert np.abs(found - rgb).max() <= 3


@pytest.mark.parametrize("encoding", ["nv12", "nv21"])
@pytest.mark.parametrize("color", [(200, 40, 60), (20, 180, 90), (90, 90, 90)])
def test_planes_of_brightness_and_colour(encoding: str, color: tuple[int, int, int]) -> None:
    red, green, blue = color
    y = round(16 + 0.257 * red + 0.504 * green + 0.098 * blue)
    u = round(128 - 0.148 * red - 0.291 * green + 0.439 * blue)
    v = round(128 + 0.439 * red - 0.368 * green - 0.071 * blue)
    rows = np.full((6, 6 + 2), y, np.uint8)  # two bytes of padding
    rows[4:, :6] = np.tile([u, v] if encoding == "nv12" else [v, u], 3)
    rgb = decode_image(rows.tobytes(), encoding=encoding, width_px=6, height_px=4, step=8)
    assert rgb.shape == (4, 6, 3)
    assert np.abs(rgb.astype(int) - color).max() <= 3
    for width_px, height_px, words in ((5, 4, "even width"), (6, 5, "even height")):
        with pytest.raises(EncodingError, match=words):
            decode_image(
                rows[:, :5].tobytes() if width_px == 5 else b"",
                encoding=encoding,
                width_px=width_px,
                height_px=height_px,
                step=width_px,
            )
