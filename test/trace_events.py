"""Whether a file is a trace as Chrome and Perfetto read it.

By the Trace Event Format: docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

_PHASES = set("BEXiIbensftCMPNODRcSTpF(),v")
_CLOCK_US = 2.0  # by which ends of slices are rounded


def read_trace(file: Path) -> list[dict[str, Any]]:
    """The events; fails where a viewer would refuse or misplace one."""
    content = json.loads(file.read_text(encoding="utf-8"))
    events = content["traceEvents"]
    assert events
    lanes: dict[tuple[Any, Any], list[tuple[float, float, str]]] = defaultdict(list)
    for event in events:
        assert event["ph"] in _PHASES, event
        assert isinstance(event["name"], str), event
        if event["ph"] == "M":
            assert event["args"], event
            continue
        assert isinstance(event["ts"], int | float), event
        assert event["ts"] >= 0, event
        assert "pid" in event, event
        assert "tid" in event, event
        if event["ph"] == "X":
            assert event["dur"] >= 0, event
            span = (event["ts"], event["ts"] + event["dur"], event["name"])
            lanes[event["pid"], event["tid"]].append(span)
    for spans in lanes.values():
        _check_nested(spans)
    return events


def process_names(events: list[dict[str, Any]]) -> dict[Any, str]:
    """Of processes that have slices."""
    with_slices = {event["pid"] for event in events if event["ph"] == "X"}
    return {
        event["pid"]: event["args"]["name"]
        for event in events
        if event["ph"] == "M" and event["name"] == "process_name" and event["pid"] in with_slices
    }


def _check_nested(spans: list[tuple[float, float, str]]) -> None:
    """Slices of a thread lie within each other or apart: a viewer drops others."""
    open_until: list[tuple[float, str]] = []
    for start, end, name in sorted(spans, key=lambda one: (one[0], -one[1])):
        while open_until and open_until[-1][0] <= start + _CLOCK_US:
            open_until.pop()
        if open_until:
            outer_end, outer = open_until[-1]
            assert end <= outer_end + _CLOCK_US, f"{name} goes on beyond {outer}"
        open_until.append((end, name))
