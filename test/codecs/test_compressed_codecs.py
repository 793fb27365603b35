"""JPEG, PNG and compressedDepth, whole and damaged."""

import struct
from contextlib import suppress
from typing import Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.codecs.compressed import (
    decode_compressed,
    decode_compressed_depth,
    is_depth_format,
)
from robot_vision.codecs.layout import UnsupportedEncodingError
from robot_vision.core.errors import EncodingError

SCENE = cv2.GaussianBlur(
    np.random.default_rng(3).integers(0, 256, (48, 64, 3), dtype=np.uint8), (0, 0), 5
)


def encoded(kind: Literal["jpg", "png"], rgb: np.ndarray) -> bytes:
    return cv2.imencode(f".{kind}", rgb[..., ::-1])[1].tobytes()


def depth_message(raw: np.ndarray, *, quant_a: float = 0.0, quant_b: float = 0.0) -> bytes:
    return struct.pack("<iff", 0, quant_a, quant_b) + cv2.imencode(".png", raw)[1].tobytes()


@pytest.mark.parametrize("name", ["jpeg", "jpg", "bgr8; jpeg compressed bgr8", "JPEG"])
def test_jpeg_by_any_of_its_names(name: str) -> None:
    rgb = decode_compressed(encoded("jpg", SCENE), format=name)
    assert np.abs(rgb.astype(int) - SCENE).mean() < 3


@pytest.mark.parametrize("name", ["png", "rgb8; png compressed bgr8"])
def test_png_is_exact(name: str) -> None:
    assert np.array_equal(decode_compressed(encoded("png", SCENE), format=name), SCENE)


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_that_ends_early_is_refused(kind: Literal["jpg", "png"], share: float) -> None:
    data = encoded(kind, SCENE)
    with pytest.raises(EncodingError, match="truncated"):
        decode_compressed(data[: int(len(data) * share)], format=kind)


@pytest.mark.parametrize("name", ["h264", "", "16UC1; compressedDepth png"])
def test_other_formats_are_named_with_those_supported(name: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match=f"{name!r}.*jpeg, png"):
        decode_compressed(b"1234", format=name)


@given(arrays(np.uint16, (3, 4)))
def test_compressed_16_bit_depth_is_exact(raw: np.ndarray) -> None:
    data = depth_message(raw)
    for name in ("16UC1; compressedDepth png", "16UC1; compressedDepth"):
        depth_m = decode_compressed_depth(data, format=name, raw_unit_m=0.002)
        valid = (raw > 0) & (raw < 65535)
        assert np.array_equal(np.isfinite(depth_m), valid)
        assert np.allclose(depth_m[valid], raw[valid] * 0.002, rtol=1e-6)


@given(arrays(np.float32, (3, 4), elements=st.floats(0.25, 9.5, width=32)))
def test_compressed_float_depth_comes_back_to_its_quantisation(depth_m: np.ndarray) -> None:
    # As compressed_depth_image_transport stores it: inverse depth in 16 bits, 0 for none.
    quantisation, max_m = 100.0, 10.0
    quant_a = quantisation * (quantisation + 1)
    quant_b = 1 - quant_a / max_m
    raw = np.round(quant_a / depth_m + quant_b).astype(np.uint16)
    raw[0, 0] = 0
    found = decode_compressed_depth(
        depth_message(raw, quant_a=quant_a, quant_b=quant_b), format="32FC1; compressedDepth png"
    )
    assert np.isnan(found[0, 0])
    step_m = depth_m**2 / quant_a
    close = np.abs(found - depth_m) <= 0.51 * step_m * 1.1 + 1e-5
    assert close.ravel()[1:].all()


def test_depth_with_a_header_that_makes_no_sense_is_invalid_not_wrong() -> None:
    raw = np.full((2, 2), 7, np.uint16)
    for quant_a, quant_b in [(0.0, 7.0), (float("nan"), 0.0), (-5.0, 0.0)]:
        data = depth_message(raw, quant_a=quant_a, quant_b=quant_b)
        assert np.isnan(decode_compressed_depth(data, format="32FC1; compressedDepth")).all()


@pytest.mark.parametrize("name", ["16UC1; compressedDepth jxl", "jpeg", "8UC1; compressedDepth"])
def test_other_depth_formats_are_named_with_those_supported(name: str) -> None:
    with pytest.raises(UnsupportedEncodingError, match="16UC1; compressedDepth png"):
        decode_compressed_depth(b"\0" * 40, format=name)


def test_depth_png_must_have_16_bits() -> None:
    data = depth_message(np.zeros((2, 2), np.uint8))
    with pytest.raises(EncodingError, match="uint8"):
        decode_compressed_depth(data, format="16UC1; compressedDepth png")


damaged = st.tuples(
    st.sampled_from([encoded("jpg", SCENE), encoded("png", SCENE), depth_message(SCENE[..., 0])]),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=20),
)


@given(damaged | st.binary(max_size=80).map(lambda data: (data, [])))
def test_damaged_data_decodes_or_raises_encoding_error(
    case: tuple[bytes, list[tuple[int, int]]],
) -> None:
    data = bytearray(case[0])
    for position, value in case[1]:
        if data:
            data[position % len(data)] = value
    for name in ("jpeg", "png"):
        with suppress(EncodingError):
            assert decode_compressed(bytes(data), format=name).ndim == 3
    with suppress(EncodingError):
        depth_m = decode_compressed_depth(bytes(data), format="16UC1; compressedDepth png")
        assert depth_m.dtype == np.float32


@given(arrays(np.uint16, (3, 4)))
def test_a_plain_png_of_16_bits_is_depth(raw: np.ndarray) -> None:
    data = cv2.imencode(".png", raw)[1].tobytes()
    for name in ("16UC1; png compressed ", "mono16; png compressed", "png"):
        depth_m = decode_compressed_depth(data, format=name)
        valid = (raw > 0) & (raw < 65535)
        assert np.array_equal(np.isfinite(depth_m), valid)
        assert np.allclose(depth_m[valid], raw[valid] * 0.001)


def test_depth_in_8_bits_or_as_jpeg_is_refused() -> None:
    png = cv2.imencode(".png", np.zeros((2, 2), np.uint8))[1].tobytes()
    with pytest.raises(EncodingError, match=r"depth PNG of uint8.*expected uint16"):
        decode_compressed_depth(png, format="16UC1; png compressed")
    with pytest.raises(UnsupportedEncodingError, match=r"jpeg compressed.*16UC1; png compressed"):
        decode_compressed_depth(encoded("jpg", SCENE), format="16UC1; jpeg compressed")


@pytest.mark.parametrize(
    ("name", "is_depth"),
    [
        ("16UC1; compressedDepth rvl", True),
        ("32FC1; compressedDepth", True),
        ("16UC1; png compressed ", True),
        ("mono16; png compressed", False),  # a thermal camera's
        ("rgb8; png compressed bgr8", False),
        ("jpeg", False),
    ],
)
def test_the_format_says_whether_it_is_depth(name: str, is_depth: bool) -> None:
    assert is_depth_format(name) is is_depth
