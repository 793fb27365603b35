"""Bytes of strangers: no objects, no sizes that are not there, no pickle, and words for all."""

import io
import pickle
from contextlib import suppress

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.wire import json_arrays, lerobot_bytes, packed
from robot_vision.policies.remote.wire.arrays import npy_array

ARRAY = np.arange(12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize("order", ["C", "F"])
def test_npy_is_read_as_numpy_writes_it(order: str) -> None:
    file = io.BytesIO()
    np.save(file, np.array(ARRAY, order=order))
    np.testing.assert_array_equal(npy_array(file.getvalue()), ARRAY)


def test_a_header_that_says_more_than_there_is_allocates_nothing() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"
    data = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header
    with pytest.raises(RemoteError, match="needs 8000000000000 bytes, but has 0"):
        npy_array(data)


@pytest.mark.parametrize(
    "array",
    [
        {b"dtype": "|O8", b"shape": (1,), b"data": b"12345678"},
        {b"dtype": "<f4", b"shape": (10**9,), b"data": b"1234"},
        {b"dtype": "<f4", b"shape": (-1,), b"data": b""},
        {b"dtype": "<f4", b"shape": ("a",), b"data": b""},
        {b"dtype": "<f4", b"shape": None, b"data": b""},
        {b"dtype": "f4,(1000,)i8", b"shape": (0,), b"data": b""},
        {b"dtype": "<f4", b"shape": (1,), b"data": 5},
        {},
    ],
    ids=str,
)
def test_arrays_that_are_none(array: dict[bytes, object]) -> None:
    with pytest.raises(RemoteError):
        packed.unpack(msgpack.packb({b"__ndarray__": True, **array}))


def test_pickle_is_refused_with_the_reason() -> None:
    with pytest.raises(RemoteError, match="CVE-2026-25874"):
        lerobot_bytes.decoded(pickle.dumps([1, 2]), kind="TimedActions")


@given(st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    for read in (
        packed.unpack,
        packed.unpack_npy,
        json_arrays.load,
        npy_array,
        lerobot_bytes.bytes_of,
        lambda found: lerobot_bytes.decoded(found, kind="TimedActions"),
        lambda found: npy_array(b"\x93NUMPY\x01\x00" + found),
        lambda found: lerobot_bytes.decoded(
            b"\x00\x00\x00\x18" + b'{"type": "TimedActions"}' + found, kind="TimedActions"
        ),
    ):
        with suppress(RemoteError):
            read(data)


def test_what_is_written_is_read_again() -> None:
    for write, read in (
        (packed.pack, packed.unpack),
        (packed.pack_npy, packed.unpack_npy),
        (json_arrays.dump, json_arrays.load),
    ):
        found = read(write({"a": ARRAY, "b": [1, "x", True]}))
        np.testing.assert_array_equal(found["a"], ARRAY)
        assert found["b"] == [1, "x", True]
    data = lerobot_bytes.encoded({"type": "T"}, {"a": ARRAY})
    assert lerobot_bytes.bytes_of(lerobot_bytes.message(data)) == data
    meta, tensors = lerobot_bytes.decoded(data, kind="T")
    np.testing.assert_array_equal(tensors["a"], ARRAY)
    assert meta == {"type": "T"}
