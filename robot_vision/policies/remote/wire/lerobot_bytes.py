"""Messages of LeRobot's asynchronous inference without pickle.

Upstream fills `bytes data` of its gRPC messages with pickle, which can run code from untrusted
senders (CVE-2026-25874); such bytes are rejected here. This module reads and writes the encoding
proposed in its issue 3047 (pull request 3048): length of the JSON (four bytes, big endian), JSON,
safetensors.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from robot_vision.core.errors import ForeignFileError, MissingDependencyError
from robot_vision.core.files.foreign import parse_json
from robot_vision.policies.remote.errors import RemoteError

_PIECE_BYTES = 2 * 2**20
_BEGIN, _MIDDLE, _END = 1, 2, 3
_VARINT, _BYTES = 0, 2
_PICKLE = b"\x80"


def encoded(meta: Mapping[str, Any], tensors: Mapping[str, np.ndarray] | None = None) -> bytes:
    """JSON and tensors as one byte string."""
    text = json.dumps(meta).encode()
    whole = {n: np.ascontiguousarray(t) for n, t in (tensors or {}).items()}
    packed = _safetensors().save(whole) if whole else b""
    return len(text).to_bytes(4, "big") + text + packed


def decoded(data: bytes, *, kind: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The inverse, if it has that `type`; raises `RemoteError`, for pickle with the reason."""
    if data[:1] == _PICKLE:
        raise RemoteError(
            "the server sends pickle, which can run the sender's code (CVE-2026-25874): "
            "rejected. Run a LeRobot with safetensors and JSON (its pull request 3048), or serve "
            "the policy by openpi's protocol"
        )
    length = int.from_bytes(data[:4], "big")
    if len(data) < 4 or 4 + length > len(data):
        raise RemoteError(f"a message of {len(data)} bytes is not JSON with safetensors")
    try:
        meta = parse_json(data[4 : 4 + length], what="the server's message")
    except ForeignFileError as error:
        raise RemoteError(str(error)) from error
    if not isinstance(meta, dict) or meta.get("type") != kind:
        raise RemoteError(f"a message is not of type {kind}")
    return meta, _tensors(data[4 + length :])


def message(data: bytes, *, field: int = 1) -> bytes:
    """A protocol buffer whose only field is `bytes`."""
    return _tag(field, _BYTES) + _varint(len(data)) + data


def pieces(data: bytes) -> Iterator[bytes]:
    """`Observation` messages of a stream: position of the piece, and its bytes."""
    for start in range(0, max(len(data), 1), _PIECE_BYTES):
        part, is_last = data[start : start + _PIECE_BYTES], start + _PIECE_BYTES >= len(data)
        state = _END if is_last else _MIDDLE if start else _BEGIN
        yield _tag(1, _VARINT) + _varint(state) + message(part, field=2)


def bytes_of(data: bytes, *, field: int = 1) -> bytes:
    """`bytes` of a protocol buffer, empty if missing; raises `RemoteError`."""
    found, place = b"", 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        if tag & 7 == _VARINT:
            _, place = _read_varint(data, place)
            continue
        length, place = _read_varint(data, place)
        if tag & 7 != _BYTES or place + length > len(data):
            raise RemoteError("the server's message is not a complete protocol buffer")
        if tag >> 3 == field:
            found = data[place : place + length]
        place += length
    return found


def _tensors(data: bytes) -> dict[str, np.ndarray]:
    if not data:
        return {}
    try:
        return _safetensors().load(data)
    except Exception as error:  # SafetensorError, KeyError of types that NumPy lacks …
        raise RemoteError(f"tensors of the server cannot be read: {error}") from error


def _tag(field: int, kind: int) -> bytes:
    return _varint(field << 3 | kind)


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 64, 7):
        if place >= len(data):
            break
        value |= (data[place] & 127) << shift
        place += 1
        if data[place - 1] < 128:
            return value, place
    raise RemoteError("the server's message is not a complete protocol buffer")


def _safetensors() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise MissingDependencyError(
            "LeRobot's servers need safetensors: pip install 'robot_vision[remote]'"
        ) from error
    return safetensors.numpy
