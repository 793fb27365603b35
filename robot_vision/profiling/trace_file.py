"""Traces as Chrome and Perfetto read them: chrome://tracing, https://ui.perfetto.dev."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

_US_PER_S = 1e6


def slice_event(
    name: str, *, start_s: float, end_s: float, lane: int, args: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """An event from `start_s` to `end_s`; events of a lane are nested or disjoint."""
    return {
        "name": name,
        "ph": "X",
        "pid": 0,
        "tid": lane,
        "ts": start_s * _US_PER_S,
        "dur": (end_s - start_s) * _US_PER_S,
        "args": dict(args or {}),
    }


def write_trace(
    file: Path,
    events: Iterable[Mapping[str, Any]],
    *,
    names: Mapping[int, str] | None = None,
    lanes: Mapping[int, str] | None = None,
) -> None:
    """Write events in the Trace Event Format; `names` are processes, `lanes` threads."""
    called = [_called("process_name", pid, 0, name) for pid, name in (names or {}).items()]
    called += [_called("thread_name", 0, lane, name) for lane, name in (lanes or {}).items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    content = {"traceEvents": [*called, *events], "displayTimeUnit": "ms"}
    file.write_text(json.dumps(content), encoding="utf-8")


def _called(what: str, process: int, lane: int, name: str) -> dict[str, Any]:
    return {"name": what, "ph": "M", "pid": process, "tid": lane, "args": {"name": name}}
