"""RVL: what Wilson's encoder writes is read exactly, and damage is refused."""

import struct
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from robot_vision.codecs.compressed import decode_compressed_depth
from robot_vision.codecs.rvl import decode_rvl
from robot_vision.core.errors import EncodingError

DEPTHS = st.one_of(
    st.sampled_from([0, 0, 0, 1000, 1001, 65535]), st.integers(0, 65535)
)  # holes, smooth and wild


def packed(image: np.ndarray) -> bytes:
    """The encoder as the paper prints it, a number at a time, with the transport's size before."""
    nibbles: list[int] = []

    def put(value: int) -> None:
        while value > 7:
            nibbles.append((value & 7) | 8)
            value >>= 3
        nibbles.append(value)

    pixels, at, before = image.ravel().tolist(), 0, 0
    while at < len(pixels):
        end = at
        while end < len(pixels) and pixels[end] == 0:
            end += 1
        put(end - at)
        at = end
        while end < len(pixels) and pixels[end] != 0:
            end += 1
        put(end - at)
        for value in pixels[at:end]:
            step = value - before
            put((step << 1) ^ (step >> 31))
            before = value
        at = end
    nibbles += [0] * (-len(nibbles) % 8)
    words = [
        sum(nibble << (28 - 4 * i) for i, nibble in enumerate(nibbles[w : w + 8]))
        for w in range(0, len(nibbles), 8)
    ]
    height, width = image.shape
    return struct.pack("<II", width, height) + struct.pack(f"<{len(words)}I", *words)


@given(arrays(np.uint16, (5, 7), elements=DEPTHS))
def test_depth_is_read_exactly(image: np.ndarray) -> None:
    assert np.array_equal(decode_rvl(packed(image)), image)


@pytest.mark.parametrize("image", [np.zeros((3, 3), np.uint16), np.full((1, 1), 9, np.uint16)])
def test_empty_and_full_images(image: np.ndarray) -> None:
    assert np.array_equal(decode_rvl(packed(image)), image)


def test_a_message_of_the_transport_is_in_metres() -> None:
    image = np.array([[0, 1500], [2000, 65535]], np.uint16)
    data = struct.pack("<iff", 0, 0, 0) + packed(image)
    depth_m = decode_compressed_depth(data, format="16UC1; compressedDepth rvl")
    np.testing.assert_allclose(depth_m, [[np.nan, 1.5], [2.0, np.nan]])
    data = struct.pack("<iff", 0, 100.0, 1.0) + packed(np.array([[51, 0]], np.uint16))
    depth_m = decode_compressed_depth(data, format="32FC1; compressedDepth rvl")
    np.testing.assert_allclose(depth_m, [[2.0, np.nan]])


@given(arrays(np.uint16, (5, 7), elements=DEPTHS), st.integers(0, 60), st.binary(max_size=8))
def test_damage_is_refused_or_read_as_depth(image: np.ndarray, at: int, garbage: bytes) -> None:
    data = packed(image)
    with suppress(EncodingError):
        found = decode_rvl(data[:at] + garbage + data[at + len(garbage) :])
        assert found.dtype == np.uint16


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"1234", "RVL of 4 bytes"),
        (struct.pack("<II", 0, 5), "0×5 px"),
        (struct.pack("<II", 2**31, 2**31), "expected sides"),
        (struct.pack("<II", 9, 9), "ends after 0 of 81 pixels"),
        (struct.pack("<II", 9, 9) + b"\xff" * 80 + bytes(4), "more than 32 bits"),
    ],
)
def test_damage_is_named(data: bytes, words: str) -> None:
    with pytest.raises(EncodingError, match=words):
        decode_rvl(data)
