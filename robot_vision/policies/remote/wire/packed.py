"""msgpack with arrays: as openpi writes them, and as GR00T does."""

from collections.abc import Callable
from typing import Any

import numpy as np

from robot_vision.core.errors import MissingDependencyError
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.wire.arrays import array_of, npy_array, npy_bytes

Hook = Callable[[dict[Any, Any]], Any]


def pack(value: Any) -> bytes:
    """As openpi does: an array is its bytes, type and shape."""
    return _msgpack().packb(value, default=_openpi_of)


def unpack(data: bytes) -> Any:
    """The inverse; raises `RemoteError` if the bytes are not such a message."""
    return _unpacked(data, _openpi_array)


def pack_npy(value: Any) -> bytes:
    """As GR00T does: an array is a .npy file."""
    return _msgpack().packb(value, default=_groot_of)


def unpack_npy(data: bytes) -> Any:
    """The inverse; raises `RemoteError` if the bytes are not such a message."""
    return _unpacked(data, _groot_array)


def texts(value: Any) -> Any:
    """Convert keys and values from bytes to text: some servers pack either."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, dict):
        return {str(texts(key)): texts(item) for key, item in value.items()}
    return [texts(item) for item in value] if isinstance(value, list) else value


def _unpacked(data: bytes, hook: Hook) -> Any:
    msgpack = _msgpack()
    try:
        return msgpack.unpackb(data, object_hook=hook, raw=False, strict_map_key=False)
    except RemoteError:
        raise
    except Exception as error:  # msgpack raises errors of many kinds, UnicodeDecodeError too
        raise RemoteError(
            f"a message of {len(data)} bytes is not msgpack ({type(error).__name__}: {error})"
        ) from error


def _openpi_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "VOc":
            raise TypeError(f"arrays of {value.dtype} cannot be sent")
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"values of type {type(value).__name__} cannot be sent")


def _openpi_array(found: dict[Any, Any]) -> Any:
    for text in (lambda name: name.encode(), lambda name: name):  # bytes; some send text
        if text("__ndarray__") in found:
            parts = (found.get(text(name)) for name in ("data", "dtype", "shape"))
            return array_of(*parts)
        if text("__npgeneric__") in found:
            number = found.get(text("data"))
            if not isinstance(number, bool | int | float):
                raise RemoteError(f"a number is given as {type(number).__name__}")
            return number
    return found


def _groot_of(value: Any) -> Any:
    if isinstance(value, np.ndarray) and value.dtype.kind not in "VOc":
        return {"__ndarray_class__": True, "as_npy": npy_bytes(value)}
    raise TypeError(f"values of type {type(value).__name__} cannot be sent")


def _groot_array(found: dict[Any, Any]) -> Any:
    if "__ndarray_class__" in found:
        return npy_array(found.get("as_npy"))
    if "__ModalityConfig_class__" in found:
        return found.get("as_json")
    return found


def _msgpack() -> Any:
    try:
        import msgpack
    except ImportError as error:
        raise MissingDependencyError(
            "remote policies need msgpack: pip install 'robot_vision[remote]'"
        ) from error
    return msgpack
