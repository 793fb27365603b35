"""A frame's trace: what is written is read back, and what others wrote is checked."""

import json

import pytest

from robot_vision.core.errors import ForeignFileError
from robot_vision.core.results.frame_trace import FrameTrace, frame_trace, read_frame_trace
from robot_vision.core.timing import Span
from robot_vision.profiling.live import summarise

STAGES_S = {"transport": 0.002, "wait": 0.001, "inference": 0.006, "age": 0.010}


def trace_of(**changed: float) -> FrameTrace:
    return frame_trace(
        stamp_ns=5,
        stage_s=STAGES_S | changed,
        spans=[Span("inference", 100.0015, 100.0075)],
        arrived_s=100.0,
    )


def test_spans_count_from_the_stamp_and_what_no_stage_has_is_known() -> None:
    trace = trace_of()
    assert read_frame_trace(trace.as_json()).spans == (
        ("transport", 0.0, 2.0),
        ("wait", 2.0, 3.0),
        ("inference", 3.5, 9.5),
    )
    assert trace.age_ms == pytest.approx(10)
    assert trace.unaccounted_ms == pytest.approx(1)
    live = summarise([trace, trace_of(age=0.009)])
    assert [stage.name for stage in live.stages] == ["transport", "wait", "inference"]
    assert live.unaccounted_p50 == pytest.approx(0.05)
    assert live.stages[2].share == pytest.approx(12 / 19)


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"stamp_ns": -1}, "stamp_ns"),
        ({"stage_ms": {"wait": 1}}, "stage_ms has no age"),
        ({"stage_ms": {"age": "soon"}}, "stage_ms"),
        ({"spans": [["x" * 200, 0, 1]]}, "spans"),
        ({"spans": [["wait", 0, 1]] * 301}, "spans"),
    ],
)
def test_what_others_wrote_is_refused_with_the_reason(changed: dict, why: str) -> None:
    text = json.dumps(json.loads(trace_of().as_json()) | changed)
    with pytest.raises(ForeignFileError, match=why):
        read_frame_trace(text)
    with pytest.raises(ForeignFileError, match="expected JSON"):
        read_frame_trace(text[:-5])
