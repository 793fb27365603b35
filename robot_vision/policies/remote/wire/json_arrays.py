"""JSON with arrays, as json-numpy writes them: bytes in base 64, type and shape."""

import base64
import binascii
import json
from typing import Any

import numpy as np

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import parse_json
from robot_vision.policies.remote.errors import RemoteError
from robot_vision.policies.remote.wire.arrays import array_of

_MOST_DEPTH = 20


def dump(value: Any) -> bytes:
    """JSON in which arrays are objects with `__numpy__`."""
    return json.dumps(value, default=_array_object).encode()


def load(data: bytes) -> Any:
    """The inverse; raises `RemoteError` if the bytes are not such JSON."""
    try:
        return _arrays(parse_json(data, what="the answer"), _MOST_DEPTH)
    except ForeignFileError as error:
        raise RemoteError(str(error)) from error


def _array_object(value: Any) -> dict[str, Any]:
    if not isinstance(value, np.ndarray) or value.dtype.kind in "VOc":
        raise TypeError(f"values of type {type(value).__name__} cannot be sent")
    data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
    return {"__numpy__": data, "dtype": value.dtype.str, "shape": list(value.shape)}


def _arrays(value: Any, depth: int) -> Any:
    if depth == 0:
        raise RemoteError(f"the answer is nested deeper than {_MOST_DEPTH} levels")
    if isinstance(value, list):
        return [_arrays(item, depth - 1) for item in value]
    if not isinstance(value, dict):
        return value
    if "__numpy__" not in value:
        return {key: _arrays(item, depth - 1) for key, item in value.items()}
    try:
        data = base64.b64decode(value["__numpy__"], validate=True)
    except (binascii.Error, TypeError, ValueError) as error:
        raise RemoteError(f"an array is not valid base 64: {error}") from error
    return array_of(data, value.get("dtype"), value.get("shape"))
