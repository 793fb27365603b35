"""Arrays from untrusted bytes: numbers only, of the declared size, never objects."""

import ast
import io
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Shaped

from robot_vision.core.files.foreign import quoted
from robot_vision.policies.remote.errors import RemoteError

_KINDS = "biuf"
_MOST_DIMENSIONS = 8
_NPY = b"\x93NUMPY"
_MOST_HEADER_BYTES = 1000


def array_of(data: Any, dtype: Any, shape: Any) -> Shaped[np.ndarray, "..."]:
    """Raises `RemoteError` if type, shape and bytes do not fit together."""
    if isinstance(dtype, bytes):
        dtype = dtype.decode("ascii", "replace")
    try:
        kind = np.dtype(str(dtype))
    except (TypeError, ValueError, SyntaxError) as error:
        raise RemoteError(f"an array has the invalid type {quoted(dtype)}") from error
    if kind.kind not in _KINDS:
        raise RemoteError(f"an array has the type {quoted(dtype)}; expected numbers")
    if not isinstance(shape, Sequence) or isinstance(shape, str | bytes):
        raise RemoteError(f"an array has the invalid shape {quoted(shape)}")
    sizes = tuple(shape)
    if len(sizes) > _MOST_DIMENSIONS or not all(type(n) is int and n >= 0 for n in sizes):
        raise RemoteError(f"an array has the invalid shape {quoted(sizes)}")
    if not isinstance(data, bytes | bytearray | memoryview):
        raise RemoteError(f"an array holds {type(data).__name__}, expected bytes")
    expected = math.prod(sizes) * kind.itemsize
    if len(data) != expected:
        raise RemoteError(
            f"an array of shape {sizes} and type {kind} needs {expected} bytes, but has "
            f"{len(data)}"
        )
    return np.frombuffer(data, kind).reshape(sizes)


def npy_bytes(array: Shaped[np.ndarray, "..."]) -> bytes:
    """An array in the .npy format."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def npy_array(data: Any) -> Shaped[np.ndarray, "..."]:
    """The inverse; parses the header itself, because `np.load` trusts any declared size."""
    if not isinstance(data, bytes) or not data.startswith(_NPY) or len(data) < 12:
        raise RemoteError("an array is not .npy data")
    wide = data[6] > 1
    start = 12 if wide else 10
    length = int.from_bytes(data[8:start], "little")
    if length > _MOST_HEADER_BYTES or start + length > len(data):
        raise RemoteError(f"an array's .npy header is cut off; expected {length} bytes")
    try:
        header = ast.literal_eval(data[start : start + length].decode("latin-1").strip())
        dtype, shape, by_columns = (header[k] for k in ("descr", "shape", "fortran_order"))
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise RemoteError("an array has an invalid .npy header") from error
    array = array_of(data[start + length :], dtype, shape[::-1] if by_columns else shape)
    return array.T if by_columns else array
