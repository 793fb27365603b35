"""One episode of RLDS: a record whose features are lists, each with a part for every step."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from jaxtyping import Float64

from robot_vision.core.errors import EncodingError
from robot_vision.core.parameters.limits_config import InputLimits
from robot_vision.datasets.errors import DatasetError
from robot_vision.datasets.rlds.example import Read, Values, numbers, parse_example
from robot_vision.datasets.rlds.features import STEPS, Feature
from robot_vision.datasets.rlds.pictures import tensor_bytes
from robot_vision.datasets.rlds.tfrecord import Record, read_record

_FLAGS = ("is_first", "is_last", "is_terminal", "reward", "discount")
_LONGEST_TEXT_BYTES = 10_000
_MOST_TEXTS = 8


@dataclass(frozen=True, kw_only=True)
class Episode:
    """The locations of an episode's values; they are read from its file on demand."""

    read: Read
    features: Mapping[str, Values]
    steps: int
    limits: InputLimits

    def texts(self, name: str) -> tuple[str, ...]:
        """The distinct texts of a feature, at most `_MOST_TEXTS`."""
        values = self.features.get(name)
        texts: dict[str, None] = {}
        for span in values.spans if values and values.kind == "bytes" else ():
            text = self.read(span.begin, min(span.size, _LONGEST_TEXT_BYTES))
            texts[text.decode(errors="replace").strip()] = None
            if len(texts) > _MOST_TEXTS:
                break
        return tuple(text for text in texts if text)

    def picture(self, feature: Feature, step: int) -> bytes:
        """The bytes of a step's picture; raises `EncodingError` unless there is one per step."""
        values = self.features.get(feature.name, Values(kind="bytes"))
        if values.kind == "float":
            return self._part_of_floats(feature, values, step)
        if values.kind != "bytes" or len(values.spans) != self.steps:
            raise EncodingError(
                f"{feature.name} has {len(values.spans)} pictures in {self.steps} steps"
            )
        span, most_bytes = values.spans[step], self.limits.encoded_bytes
        if span.size > most_bytes:
            raise EncodingError(
                f"{feature.name} has {span.size} bytes; at most {most_bytes} are decoded "
                "(limits.encoded_mb)"
            )
        return self.read(span.begin, span.size)

    def rows(self, feature: Feature) -> Float64[np.ndarray, "steps n"]:
        """The numbers of each step; raises `DatasetError` if their count differs between steps."""
        values = self.features.get(feature.name, Values(kind="float"))
        flat = self._unpacked(feature) if values.kind == "bytes" else self._flat(values)
        if flat.size % self.steps or not flat.size:
            raise DatasetError(
                f"{feature.name} has {flat.size} numbers in {self.steps} steps; expected the same "
                "number in each"
            )
        return flat.reshape(self.steps, -1).astype(np.float64)

    def number(self, name: str) -> float:
        """The number of a feature with one; NaN if there is none."""
        values = self.features.get(name)
        flat = self._flat(values) if values and values.kind != "bytes" else np.zeros(0)
        return float(flat[0]) if flat.size == 1 else float("nan")

    def _flat(self, values: Values) -> np.ndarray:
        return numbers(self.read, values, most_bytes=self.limits.chunk_bytes)

    def _unpacked(self, feature: Feature) -> np.ndarray:
        """Tensors that were written as bytes, one per step."""
        plain = bytearray()
        try:
            for step in range(self.steps):
                data = self.picture(feature, step)
                plain += tensor_bytes(data, feature, limits=self.limits)
                if len(plain) > self.limits.chunk_bytes:
                    raise EncodingError(
                        f"more than {self.limits.chunk_bytes} bytes of numbers (limits.chunk_mb)"
                    )
            return np.frombuffer(plain, np.dtype(feature.dtype).newbyteorder("<"))
        except (EncodingError, TypeError, ValueError) as error:
            raise DatasetError(f"{feature.name}: {error}") from error

    def _part_of_floats(self, feature: Feature, values: Values, step: int) -> bytes:
        size = 4 * int(np.prod(feature.shape))
        if len(values.spans) != 1 or values.spans[0].size != size * self.steps:
            raise EncodingError(
                f"{feature.name}: expected {self.steps} pictures of {feature.shape} floats"
            )
        return self.read(values.spans[0].begin + step * size, size)


def open_episode(record: Record, *, limits: InputLimits) -> Episode:
    """Locate the values; raises `DatasetError` if the record is not an episode."""
    read = partial(read_record, record)
    try:
        features = parse_example(read, record.size)
        steps = _steps(features, read, limits)
    except DatasetError as error:
        raise DatasetError(f"{record}: {error}") from error
    if steps == 0:
        some = ", ".join(sorted(features)[:5]) or "nothing"
        raise DatasetError(f"{record}: not an RLDS episode; expected steps/…, found {some}")
    return Episode(read=read, features=features, steps=steps, limits=limits)


def _steps(features: Mapping[str, Values], read: Read, limits: InputLimits) -> int:
    """The number of steps: that of flags, which every set has, else of texts or pictures."""
    for name in _FLAGS:
        values = features.get(STEPS + name)
        if values is not None and values.kind != "bytes":
            return numbers(read, values, most_bytes=limits.chunk_bytes).size
    lists = [v for name, v in features.items() if name.startswith(STEPS) and v.kind == "bytes"]
    return max((len(values.spans) for values in lists), default=0)
