"""Terminal display of the demo: rates, ages and objects, live and at the end."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Group
from rich.table import Table
from rich.text import Text

from robot_vision.terminal import styled

_RECENT = 60
_ROWS = 12
_LEVEL_STYLE = {b"\x00": "green", b"\x01": "yellow", b"\x02": "red", b"\x03": "red"}


def live_view(
    results: Sequence[Mapping[str, Any]], stages: Sequence[Mapping[str, float]], status: Any
) -> Group:
    """Stage ages over the last frames, the objects of the last one, the node's messages."""
    parts: list[Any] = [_rate_line(results), _stage_table(stages[-_RECENT:])]
    if results:
        parts.append(_object_table(results[-1]["objects"]))
    parts += [
        styled(f"{name}: {said.message}", _LEVEL_STYLE.get(said.level, ""))
        for name, said in sorted(status.items())
    ]
    return Group(*parts)


def _rate_line(results: Sequence[Mapping[str, Any]]) -> Text:
    stamps_s = [result["stamp_ns"] / 1e9 for result in results[-_RECENT:]]
    rate_hz = (len(stamps_s) - 1) / (stamps_s[-1] - stamps_s[0]) if len(stamps_s) > 1 else 0.0
    model = results[-1]["model"] if results else ""
    return styled(f"{len(results)} frames, {rate_hz:.1f} per second  {model}", "bold")


def _stage_table(stages: Sequence[Mapping[str, float]]) -> Table:
    table = Table("stage", "p50 ms", "p95 ms", box=None, pad_edge=False)
    for name in dict.fromkeys(name for row in stages for name in row):
        values = [row[name] for row in stages if name in row]
        p50, p95 = np.percentile(values, [50, 95])
        style = "bold" if name == "age" else ""
        table.add_row(name, f"{p50:.1f}", f"{p95:.1f}", style=style)
    return table


def _object_table(objects: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("id", "class", "score", "x y z, m", "state", box=None, pad_edge=False)
    for item in sorted(objects, key=lambda o: -o["score"])[:_ROWS]:
        position = item["position_m"]
        place = " ".join(f"{value:+.2f}" for value in position) if position else "unknown"
        state = (
            item["state"] if not item["unseen_s"] else f"{item['state']} {item['unseen_s']:.1f} s"
        )
        table.add_row(str(item["id"]), item["class"], f"{item['score']:.2f}", place, state)
    return table


def objects_seen(results: Sequence[Mapping[str, Any]]) -> Table:
    """Per class: frames with a confirmed object, number of tracks, distances."""
    frames: Counter[str] = Counter()
    tracks: dict[str, set[int]] = {}
    distances_m: dict[str, list[float]] = {}
    for result in results:
        confirmed = [item for item in result["objects"] if item["state"] == "confirmed"]
        frames.update({item["class"] for item in confirmed})
        for item in confirmed:
            tracks.setdefault(item["class"], set()).add(item["id"])
            if item["position_m"]:
                distances_m.setdefault(item["class"], []).append(item["position_m"][2])
    table = Table("class", "frames", "tracks", "distance p5..p95, m", box=None, pad_edge=False)
    for name, count in frames.most_common(_ROWS):
        near, far = np.percentile(distances_m.get(name, [float("nan")]), [5, 95])
        table.add_row(name, str(count), str(len(tracks[name])), f"{near:.2f}..{far:.2f}")
    return table
