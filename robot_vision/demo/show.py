"""Starts node and player, listens, and writes a video and a plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from rich.live import Live

from robot_vision.core.clock import seconds_between
from robot_vision.core.files.code_permission import code_arguments
from robot_vision.demo.age_plot import age_plot
from robot_vision.demo.display import live_view, objects_seen
from robot_vision.demo.inputs import DemoError, find_model, find_recording, node_arguments
from robot_vision.demo.video import VideoFile
from robot_vision.demo.web import console_options, console_words
from robot_vision.replay.reading.discovery import Topics, find_topics
from robot_vision.replay.reading.recording import Recording
from robot_vision.ros.middleware.dds_profile import use_shared_memory_profile
from robot_vision.ros.tools.monitor import Monitor, stages_of
from robot_vision.ros.tools.processes import child, use_private_domain
from robot_vision.terminal import Screen

_START_S = 120.0
_END_S = 1.0
_REFRESH_S = 0.25


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What to show. Empty names mean the shipped files."""

    recording: Path | None
    model: str
    seconds: float
    out: Path
    node_args: Sequence[str] = ()


def show(demo: Demo, console: Screen) -> None:
    """Run the demo. Raises `DemoError` if the node gave no results."""
    domain = use_private_domain()
    use_shared_memory_profile()
    demo.out.mkdir(parents=True, exist_ok=True)
    recording = demo.recording or find_recording()
    topics = find_topics(Recording(recording), wanted=Topics())
    with TemporaryDirectory() as work:
        model = demo.model or find_model(Path(work))
        console.print(f"recording {recording}\nmodel {model}\nROS_DOMAIN_ID={domain}")
        node_log, player_log = demo.out / "node.log", demo.out / "player.log"
        video = VideoFile(demo.out / "overlay.mp4")
        monitor = Monitor(all_outputs=True, on_overlay=video.add)
        arguments = [*node_arguments(topics, model=model), *demo.node_args]
        service = ["run", "--no-policy", *code_arguments(), *console_options()]
        with child("robot_vision", *service, *arguments, log=str(node_log)) as node:
            _wait_until_active(monitor, node, node_log)
            console.print(console_words(node_log))
            with child(
                "robot_vision.ros.tools.player", str(recording), "--loops=0", log=str(player_log)
            ):
                _watch(monitor, console, seconds=demo.seconds)
            monitor.spin(_END_S)
        video.close()
        monitor.close()
    _conclude(monitor.heard.results, video, demo.out, console)


def _wait_until_active(monitor: Monitor, node: Any, log: Path) -> None:
    def outputs_or_dead() -> bool:
        active = any(name.endswith(": outputs") for name in monitor.heard.status)
        return active or node.poll() is not None

    if not monitor.spin_until(outputs_or_dead, timeout_s=_START_S) or node.poll() is not None:
        raise DemoError(f"the node did not start: {log.read_text(errors='replace')[-2000:]}")


def _watch(monitor: Monitor, console: Screen, *, seconds: float) -> None:
    """Show results for `seconds` from the first one on."""
    heard = monitor.heard
    monitor.spin_until(lambda: bool(heard.results), timeout_s=_START_S)
    until_s = monotonic() + seconds
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while monotonic() < until_s:
            monitor.spin(_REFRESH_S)
            stages = [stages_of(result) for result in heard.results]
            live.update(live_view(heard.results, stages, heard.status), refresh=True)


def _conclude(
    results: Sequence[dict[str, Any]], video: VideoFile, out: Path, console: Screen
) -> None:
    if not results or not video.frames:
        raise DemoError(f"no results from the node; see {out / 'node.log'}")
    stages = [stages_of(result) for result in results]
    plot = out / "ages.svg"
    times_s = [seconds_between(results[0]["stamp_ns"], r["stamp_ns"]) for r in results]
    plot.write_text(age_plot(times_s, stages, f"Age of results, {results[-1]['model']}"))
    console.print(live_view(results, stages, {}))
    console.print(objects_seen(results))
    console.print(f"video {video.path} ({video.frames} frames)\nplot  {plot}", style="bold")
