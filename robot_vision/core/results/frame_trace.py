"""`~/trace`: where one frame spent its time, from its stamp to publication."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.files.foreign import parse_json, quoted
from robot_vision.core.timing import Span

AGE = "age"
_Name = Annotated[str, Field(max_length=80)]
_Ms = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class FrameTrace:
    """`stage_ms` holds consecutive stages and the `age` they add up to.

    `spans` are (name, begin, end) in milliseconds since the stamp: the stages, and parts of them.
    """

    stamp_ns: Annotated[int, Field(ge=0, lt=2**63)]
    stage_ms: Annotated[dict[_Name, _Ms], Field(max_length=100)]
    spans: Annotated[tuple[tuple[_Name, _Ms, _Ms], ...], Field(max_length=300)]

    @property
    def age_ms(self) -> float:
        """From the stamp until every output was published."""
        return self.stage_ms[AGE]

    @property
    def unaccounted_ms(self) -> float:
        """The part of the age that no stage accounts for."""
        return self.age_ms - math.fsum(ms for name, ms in self.stage_ms.items() if name != AGE)

    def as_json(self) -> str:
        return json.dumps(
            {
                "stamp_ns": self.stamp_ns,
                "stage_ms": {name: round(ms, 4) for name, ms in self.stage_ms.items()},
                "spans": [(name, round(a, 4), round(b, 4)) for name, a, b in self.spans],
            }
        )


_READER: TypeAdapter[Any] = TypeAdapter(FrameTrace)


def frame_trace(
    *, stamp_ns: int, stage_s: Mapping[str, float], spans: Sequence[Span], arrived_s: float
) -> FrameTrace:
    """The trace of a frame; `arrived_s` is when it reached the node, on `perf_counter`."""
    transport_s, wait_s = stage_s["transport"], stage_s["wait"]
    stamp_s = arrived_s - transport_s
    first = [Span("transport", stamp_s, arrived_s), Span("wait", arrived_s, arrived_s + wait_s)]
    return FrameTrace(
        stamp_ns=stamp_ns,
        stage_ms={name: seconds * 1e3 for name, seconds in stage_s.items()},
        spans=tuple(
            (one.name, (one.start_s - stamp_s) * 1e3, (one.end_s - stamp_s) * 1e3)
            for one in (*first, *spans)
        ),
    )


def read_frame_trace(text: str) -> FrameTrace:
    """Read what `as_json` wrote; raises `ForeignFileError` for anything else."""
    try:
        trace = _READER.validate_python(parse_json(text, what="~/trace"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise ForeignFileError(f"~/trace: {where or 'all'}: {first['msg']}") from error
    if AGE not in trace.stage_ms:
        raise ForeignFileError(f"~/trace: stage_ms has no {AGE}: {quoted(list(trace.stage_ms))}")
    return trace
