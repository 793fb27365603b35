"""`~/trace` of the running node: stages add up to the age; nothing while nobody listens."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import jaxtyping
import numpy as np
import pytest
from ros_harness import Rig, rig, wait_for_readers
from sensor_msgs.msg import Image

from robot_vision.core.errors import ConfigError
from robot_vision.core.results.frame_trace import FrameTrace
from robot_vision.profiling.live import summarise, write_live_trace
from robot_vision.ros.tools.trace_reader import read_traces

pytestmark = pytest.mark.ros
FRAMES = 12


@pytest.fixture(autouse=True)
def as_shipped() -> Iterator[None]:
    """Checks of types take time between the stages, which no stage has."""
    before = jaxtyping.config.jaxtyping_disable
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", before)


def traced(r: Rig, frames: int) -> tuple[list[FrameTrace], list[int]]:
    """Traces of so many frames, and the stamps that the camera gave them."""
    found: list[FrameTrace] = []
    reader = threading.Thread(
        target=lambda: found.extend(read_traces("/perception", frames=frames, timeout_s=30))
    )
    reader.start()
    stamps = []
    r.wait_for(lambda: r.node.count_subscribers("/perception/trace") == 1)
    sleep(0.5)
    while reader.is_alive():
        stamps.append(r.camera.send())
        r.monitor.spin(0.15)
    reader.join()
    return found, stamps


def test_stages_add_up_to_the_age_by_stamps(tmp_path: Path) -> None:
    with rig(model="native-s", threads=1) as r:
        wait_for_readers(r)
        r.result_of()
        overlays: list[Image] = []
        r.monitor.node.create_subscription(Image, "/perception/overlay", overlays.append, 5)
        r.wait_for(lambda: r.node.count_subscribers("/perception/overlay") == 1)
        before_ns = r.camera.now_ns()
        traces, stamps = traced(r, FRAMES)
        after_ns = r.camera.now_ns()
        results = {result["stamp_ns"]: result for result in r.monitor.heard.results}
    assert len(traces) == FRAMES
    assert {trace.stamp_ns for trace in traces} <= set(stamps)
    for trace in traces:
        assert before_ns < trace.stamp_ns < trace.stamp_ns + trace.age_ms * 1e6 < after_ns
        # What was said of the frame before all was published is no older than the whole.
        if trace.stamp_ns in results:
            assert results[trace.stamp_ns]["age_ms"] <= trace.age_ms
        ordered = [name for name, _, _ in trace.spans]
        assert ordered[:3] == ["transport", "wait", "decode"]
        assert {"inference", "track", "publish", "objects/json", "overlay"} <= set(ordered)
        for _, begin_ms, end_ms in trace.spans:
            assert begin_ms - 0.01 <= end_ms <= trace.age_ms + 0.01
    live = summarise(traces)
    assert live.unaccounted_p50 < 0.05
    shares = [1 - trace.unaccounted_ms / trace.age_ms for trace in traces]
    assert np.median(shares) == pytest.approx(1, abs=0.05)
    assert max(shares) < 1.01  # no stage is counted twice

    write_live_trace(tmp_path / "live.json", traces, node="/perception")
    events = json.loads((tmp_path / "live.json").read_text())["traceEvents"]
    slices = [event for event in events if event["ph"] == "X"]
    assert len(slices) == sum(len(trace.spans) for trace in traces)
    worker = sorted((e["ts"], e["ts"] + e["dur"]) for e in slices if e["tid"] == 0)
    frames = {event["args"]["stamp_ns"] for event in slices}
    assert frames == {trace.stamp_ns for trace in traces}
    assert all(np.isfinite(worker).ravel())


def test_nothing_is_kept_or_published_while_nobody_listens(native_bundle: Path) -> None:
    with rig(model=native_bundle) as r:
        wait_for_readers(r)
        r.result_of()
        assert r.node.count_subscribers("/perception/trace") == 0
        traces, _ = traced(r, 1)
        assert len(traces) == 1
        r.wait_for(lambda: r.node.count_subscribers("/perception/trace") == 0)
        assert r.result_of()["objects"]


def test_a_node_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match=r"no frame on /nobody/trace within 1 s.*ROS_DOMAIN_ID"):
        read_traces("/nobody", frames=1, timeout_s=1)
