"""msgpack with arrays: as openpi writes them, and as GR00T does."""

from collections.abc import Callable
from typing import Any

import numpy as np

from robot_vision.core.errors import MissingDependencyError
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.wire.arrays import array_of, npy_array, npy_bytes

Hook = Callable[[dict[Any, Any]], Any]


def pack(value: Any) -> bytes:
    """As openpi's clients and servers: an array is its bytes, its type and its shape."""
    return _msgpack().packb(value, default=_openpi_of)


def unpack(data: bytes) -> Any:
    """The inverse; raises `RemoteError` where the bytes are no such message."""
    return _unpacked(data, _openpi_array)


def pack_npy(value: Any) -> bytes:
    """As GR00T's: an array is a .npy file."""
    return _msgpack().packb(value, default=_groot_of)


def unpack_npy(data: bytes) -> Any:
    """The inverse; raises `RemoteError` where the bytes are no such message."""
    return _unpacked(data, _groot_array)


def texts(value: Any) -> Any:
    """Keys and values that are bytes as text: some servers pack either."""
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
            f"a message of {len(data)} bytes is no msgpack ({type(error).__name__}: {error})"
        ) from error


def _openpi_of(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "VOc":
            raise TypeError(f"arrays of {value.dtype} are not sent")
        return {
            b"__ndarray__": True,
            b"data": value.tobytes(),
            b"dtype": value.dtype.str,
            b"shape": value.shape,
        }
    if isinstance(value, np.generic):
        return {b"__npgeneric__": True, b"data": value.item(), b"dtype": value.dtype.str}
    raise TypeError(f"{type(value).__name__} is not sent")


def _openpi_array(found: dict[Any, Any]) -> Any:
    for text in (lambda name: name.encode(), lambda name: name):  # bytes, by some as text
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
    raise TypeError(f"{type(value).__name__} is not sent")


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
            "policies on a server need msgpack: pip install 'robot_vision[remote]'"
        ) from error
    return msgpack
