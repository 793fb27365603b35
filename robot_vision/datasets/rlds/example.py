"""Reads `tf.train.Example`, a protocol buffers message, from its bytes without their library.

    message Example { Features features = 1; }
    message Features { map<string, Feature> feature = 1; }
    message Feature { oneof { BytesList bytes_list = 1; FloatList float_list = 2;
                              Int64List int64_list = 3; } }
    each list: repeated value = 1 (numbers packed or not)

Only the locations of values are read at first: pictures stay on disk until needed.
https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from jaxtyping import Float32, Int64

from robot_vision.datasets.errors import DatasetError

Kind = Literal["bytes", "float", "int"]
Read = Callable[[int, int], bytes]
"""This many bytes from a place; raises `DatasetError` if there are fewer."""

MOST_FIELDS = 1_000_000
_LONGEST_NAME = 1000
_WINDOW_BYTES = 4096
_KINDS: dict[int, Kind] = {1: "bytes", 2: "float", 3: "int"}
_VARINT, _FIXED64, _CHUNK, _FIXED32 = 0, 1, 2, 5
_LONGEST_VARINT = 10


@dataclass(frozen=True, kw_only=True)
class Span:
    begin: int
    size: int

    @property
    def end(self) -> int:
        return self.begin + self.size


@dataclass(frozen=True, kw_only=True)
class Values:
    """The locations of a feature's values: a span per bytes value, packed spans for numbers."""

    kind: Kind
    spans: list[Span] = field(default_factory=list)


def parse_example(read: Read, size: int) -> dict[str, Values]:
    """The features by name; raises `DatasetError` if the bytes are not an `Example`."""
    window = _Window(read, size)
    features: dict[str, Values] = {}
    for example in _chunks(window, Span(begin=0, size=size), 1):
        for entry in _chunks(window, example, 1):
            name, values = _entry(window, entry)
            features[name] = values
    return features


def numbers(
    read: Read, values: Values, *, most_bytes: int
) -> Float32[np.ndarray, " n"] | Int64[np.ndarray, " n"]:
    """f32 [n] of floats, i64 [n] of integers; raises `DatasetError` beyond `most_bytes`."""
    total = sum(span.size for span in values.spans)
    if total > most_bytes:
        raise DatasetError(f"{total} bytes of numbers; at most {most_bytes} (limits.chunk_mb)")
    data = b"".join(read(span.begin, span.size) for span in values.spans)
    if values.kind == "float":
        if len(data) % 4:
            raise DatasetError(f"{len(data)} bytes of floats; expected a multiple of 4")
        return np.frombuffer(data, "<f4")
    return _varints(np.frombuffer(data, np.uint8))


def _varints(data: np.ndarray) -> np.ndarray:
    """Integers of 7 bits per byte, lowest first; the last byte of each is below 128."""
    ends = np.flatnonzero(data < 0x80)
    if not data.size:
        return np.zeros(0, np.int64)
    begins = np.concatenate([[0], ends[:-1] + 1]) if ends.size else ends
    if not ends.size or ends[-1] != data.size - 1 or (ends - begins).max() >= _LONGEST_VARINT:
        raise DatasetError("integers of an example are damaged")
    places = np.arange(data.size) - np.repeat(begins, ends - begins + 1)
    bits = (data & 0x7F).astype(np.uint64) << (7 * places).astype(np.uint64)
    return np.add.reduceat(bits, begins).view(np.int64)


def _entry(window: "_Window", entry: Span) -> tuple[str, Values]:
    """One feature of the map: its name is field 1, its values field 2."""
    parts = {number: span for number, span in _fields(window, entry) if number in (1, 2)}
    name = parts.get(1, Span(begin=0, size=0))
    if name.size > _LONGEST_NAME:
        raise DatasetError(f"a feature's name of {name.size} bytes; at most {_LONGEST_NAME}")
    text = window.bytes(name.begin, name.size).decode(errors="backslashreplace")
    if 2 in parts:
        for number, body in _fields(window, parts[2]):
            if number in _KINDS:
                return text, _values(window, body, _KINDS[number])
    return text, Values(kind="bytes")


def _values(window: "_Window", body: Span, kind: Kind) -> Values:
    spans = [span for number, span in _fields(window, body) if number == 1]
    return Values(kind=kind, spans=spans)


def _chunks(window: "_Window", inside: Span, wanted: int) -> Iterator[Span]:
    return (span for number, span in _fields(window, inside) if number == wanted)


def _fields(window: "_Window", inside: Span) -> Iterator[tuple[int, Span]]:
    """Number and place of each field of a message."""
    at = inside.begin
    while at < inside.end:
        window.count_field()
        tag, at = window.varint(at)
        number, wire = tag >> 3, tag & 7
        if wire == _CHUNK:
            size, at = window.varint(at)
        elif wire == _VARINT:
            size = window.varint(at)[1] - at
        elif wire in (_FIXED32, _FIXED64):
            size = 4 if wire == _FIXED32 else 8
        else:
            raise DatasetError(f"not a tf.train.Example: a field of wire type {wire} at byte {at}")
        if at + size > inside.end:
            raise DatasetError(f"not a tf.train.Example: a field beyond its message at byte {at}")
        yield number, Span(begin=at, size=size)
        at += size


class _Window:
    """A stretch of the record, so that walking the fields takes few reads."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._begin, self._held = 0, b""
        self._fields = 0

    def count_field(self) -> None:
        """Each value becomes an object, and an empty one takes only two bytes of the file."""
        self._fields += 1
        if self._fields > MOST_FIELDS:
            raise DatasetError(f"more than {MOST_FIELDS} values in an example")

    def varint(self, at: int) -> tuple[int, int]:
        """The integer at `at`, and where it ends."""
        value = 0
        for place, byte in enumerate(self.bytes(at, min(_LONGEST_VARINT, self._size - at))):
            value |= (byte & 0x7F) << (7 * place)
            if byte < 0x80:
                return value, at + place + 1
        raise DatasetError(f"not a tf.train.Example: an integer without an end at byte {at}")

    def bytes(self, at: int, size: int) -> bytes:
        begin = at - self._begin
        if not 0 <= begin <= begin + size <= len(self._held):
            count = max(size, min(_WINDOW_BYTES, self._size - at))
            self._begin, self._held, begin = at, self._read(at, count), 0
        return self._held[begin : begin + size]
