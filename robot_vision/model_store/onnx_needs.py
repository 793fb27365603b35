"""What an ONNX file requires beyond itself, read from its bytes before anything loads it.

The package `onnx` is not on every robot, so the protobuf is walked here: a message is a row of
numbered fields, and only those that hold operators or name files are followed.
"""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from robot_vision.core.errors import BundleError

# As in protobuf itself: a file is at most 2 GiB, and messages nest at most a hundred deep.
_MOST_BYTES = 2**31 - 1
_MOST_DEPTH = 100
# A network has thousands; this many take some seconds to read.
_MOST_FIELDS = 5_000_000
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5

# For each kind of message, the fields to follow and the kind of message in them.
_FOLLOWED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
    "entry": {},
}
# The two texts to read: domain and name, or the key and value of external data.
_TEXTS = {"node": (7, 4), "function": (10, 1), "entry": (1, 2)}


@dataclass(kw_only=True, frozen=True)
class OnnxNeeds:
    """Everything a file names. Operators and functions are pairs of domain and name."""

    operators: set[tuple[str, str]] = field(default_factory=set)
    functions: set[tuple[str, str]] = field(default_factory=set)
    external_files: set[str] = field(default_factory=set)


def read_needs(file: Path) -> OnnxNeeds:
    """Operators, functions of its own and other files of an ONNX file; raises `BundleError`."""
    try:
        with file.open("rb") as opened:
            content = memoryview(mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ))
    except (OSError, ValueError) as error:  # an empty file cannot be mapped
        raise BundleError(f"{file} is not an ONNX model: {error}") from error
    try:
        if len(content) > _MOST_BYTES:
            raise _Malformed(f"it is longer than {_MOST_BYTES} bytes")
        return _Walk().needs_of(content)
    except (_Malformed, UnicodeDecodeError) as error:
        raise BundleError(f"{file} is not an ONNX model: {error}") from error


class _Malformed(ValueError):
    """The bytes are not a protobuf message, or not one of ONNX."""


class _Walk:
    """One pass over a file: every field once, in order."""

    def __init__(self) -> None:
        self._needs = OnnxNeeds()
        self._fields_left = _MOST_FIELDS

    def needs_of(self, content: memoryview) -> OnnxNeeds:
        if not any(number == 7 for number, _ in self._fields(content)):
            raise _Malformed("it holds no graph")
        self._visit("model", content, depth=0)
        return self._needs

    def _visit(self, kind: str, message: memoryview, *, depth: int) -> None:
        if depth > _MOST_DEPTH:
            raise _Malformed(f"its graphs nest more than {_MOST_DEPTH} messages deep")
        first, second = "", ""
        first_at, second_at = _TEXTS.get(kind, (0, 0))
        for number, content in self._fields(message):
            if number == first_at:
                first = str(content, "utf-8")
            elif number == second_at:
                second = str(content, "utf-8")
            elif number in _FOLLOWED[kind]:
                self._visit(_FOLLOWED[kind][number], content, depth=depth + 1)
        if kind == "node":
            self._needs.operators.add((first, second))
        elif kind == "function":
            self._needs.functions.add((first, second))
        elif kind == "entry" and first == "location":
            self._needs.external_files.add(second)

    def _fields(self, message: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Number and content of the fields that hold bytes; others are skipped."""
        at, end = 0, len(message)
        while at < end:
            self._fields_left -= 1
            if self._fields_left < 0:
                raise _Malformed(f"it has more than {_MOST_FIELDS} fields")
            tag, at = _varint(message, at)
            number, wire = tag >> 3, tag & 7
            size = {_FIXED_64: 8, _FIXED_32: 4}.get(wire, 0)
            if wire == _BYTES:
                size, at = _varint(message, at)
            elif wire == _VARINT:
                _, at = _varint(message, at)
            elif not size:
                raise _Malformed(f"a field has the unknown type {wire}")
            if number == 0 or tag >= 2**32 or size > end - at:
                raise _Malformed("it is cut off, or no protobuf")
            if wire == _BYTES:
                yield number, message[at : at + size]
            at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """The number at `at`, seven bits per byte, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise _Malformed("it is cut off, or no protobuf")
