"""Depth: metres, NaN where invalid, whatever the encoding, the padding and the byte order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.codecs.depth import DEPTH_ENCODINGS, decode_depth
from robot_vision.codecs.layout import UnsupportedEncodingError
from robot_vision.core.errors import EncodingError

sizes = st.integers(1, 10)


def decode(image: np.ndarray, encoding: str, *, padding: int = 0, big: bool = False) -> np.ndarray:
    stored = image.astype(image.dtype.newbyteorder(">" if big else "<"))
    rows = [row.tobytes() + b"\xee" * padding for row in stored]
    return decode_depth(
        b"".join(rows),
        encoding=encoding,
        width_px=image.shape[1],
        height_px=image.shape[0],
        step=len(rows[0]),
        is_bigendian=big,
        raw_unit_m=0.001,
    )


@given(st.data(), sizes, sizes, st.integers(0, 5), st.booleans())
def test_16_bit_depth_is_in_millimetres_without_0_and_65535(
    data: st.DataObject, height: int, width: int, padding: int, big: bool
) -> None:
    raw = data.draw(arrays(np.uint16, (height, width)))
    depth_m = decode(raw, "16UC1", padding=padding, big=big)
    valid = (raw > 0) & (raw < 65535)
    assert np.array_equal(np.isfinite(depth_m), valid)
    assert np.allclose(depth_m[valid], raw[valid] * 0.001, rtol=1e-6)


@given(
    st.data(),
    st.sampled_from([("32FC1", np.float32), ("64FC1", np.float64)]),
    sizes,
    sizes,
    st.integers(0, 5),
    st.booleans(),
)
def test_float_depth_keeps_what_is_finite_and_above_zero(
    data: st.DataObject,
    form: tuple[str, type],
    height: int,
    width: int,
    padding: int,
    big: bool,
) -> None:
    encoding, dtype = form
    raw = data.draw(arrays(dtype, (height, width)))
    depth_m = decode(raw, encoding, padding=padding, big=big)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = raw.astype(np.float32)
    expected[~(np.isfinite(expected) & (expected > 0))] = np.nan
    assert np.array_equal(depth_m, expected, equal_nan=True)


def test_float_depth_that_is_valid_throughout_is_not_copied() -> None:
    memory = np.full((4, 6), 1.5, np.float32)
    depth_m = decode_depth(memory, encoding="32FC1", width_px=5, height_px=4, step=24)
    assert np.shares_memory(depth_m, memory)


def test_invalid_depth_is_not_written_into_the_message() -> None:
    memory = np.zeros((2, 2), np.float32)
    depth_m = decode_depth(memory, encoding="32FC1", width_px=2, height_px=2, step=8)
    assert np.isnan(depth_m).all()
    assert not np.isnan(memory).any()


def test_an_unknown_encoding_names_those_supported() -> None:
    with pytest.raises(UnsupportedEncodingError, match=r"'rgb8'.*16UC1"):
        decode_depth(b"\0" * 3, encoding="rgb8", width_px=1, height_px=1, step=3)


@given(
    st.binary(max_size=64),
    st.sampled_from(DEPTH_ENCODINGS),
    st.integers(-1, 6),
    st.integers(-1, 6),
    st.integers(-1, 40),
    st.booleans(),
)
def test_arbitrary_bytes_decode_or_raise_encoding_error(
    data: bytes, encoding: str, width: int, height: int, step: int, big: bool
) -> None:
    try:
        depth_m = decode_depth(
            data,
            encoding=encoding,
            width_px=width,
            height_px=height,
            step=step,
            is_bigendian=big,
        )
    except EncodingError:
        return
    assert depth_m.shape == (height, width)
    assert not (depth_m <= 0).any()


def test_32_bit_depth_in_millimetres_is_in_metres_where_it_is_said() -> None:
    raw = np.array([[1500.0, 0.0, np.nan]], np.float32)
    depth_m = decode_depth(
        raw.tobytes(), encoding="32FC1", width_px=3, height_px=1, step=12, float_unit_m=0.001
    )
    np.testing.assert_allclose(depth_m, [[1.5, np.nan, np.nan]])
