"""Frames of a running node on one time line, as Perfetto reads them."""

from pathlib import Path

from trace_events import process_names, read_trace

from robot_vision.core.results.frame_trace import AGE, FrameTrace
from robot_vision.profiling.live import write_live_trace

MS_NS = 1_000_000


def frame(stamp_ms: float, *, begun_ms: float) -> FrameTrace:
    """A frame that waited until `begun_ms` after its stamp, then took 6 ms."""
    spans = (
        ("transport", 0.0, 2.0),
        ("wait", 2.0, begun_ms),
        ("inference", begun_ms, begun_ms + 4),
        ("publish", begun_ms + 4, begun_ms + 6),
        ("~/objects", begun_ms + 5, begun_ms + 6),
    )
    stages = {name: end - begin for name, begin, end in spans[:4]}
    return FrameTrace(
        stamp_ns=round(stamp_ms * MS_NS),
        stage_ms={**stages, AGE: begun_ms + 6},
        spans=spans,
    )


def test_frames_that_overlap_have_lanes_of_their_own_until_the_worker(tmp_path: Path) -> None:
    # The second arrives while the first waits; the third when both are gone.
    frames = [frame(0, begun_ms=10), frame(5, begun_ms=11), frame(40, begun_ms=3)]
    write_live_trace(tmp_path / "live.json", frames, node="/perception")
    events = read_trace(tmp_path / "live.json")
    assert process_names(events) == {0: "/perception"}
    slices = [event for event in events if event["ph"] == "X"]
    lanes = {
        name: {event["tid"] for event in slices if event["name"] == name}
        for name in ("transport", "wait", "inference", "publish", "~/objects")
    }
    assert lanes["transport"] == lanes["wait"] == {1, 2}
    assert lanes["inference"] == lanes["publish"] == lanes["~/objects"] == {0}
    named = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert named == {0: "worker", 1: "on the way 1", 2: "on the way 2"}
