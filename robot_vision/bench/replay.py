"""Replay of a long recording: speed, and growth of memory.

`python -m robot_vision.bench.replay BAG --minutes 20` loops BAG into one recording of that
length, replays it as `robot-vision replay` would, and prints JSON.
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import psutil
import typer

from robot_vision.core.clock import NS_PER_S
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import with_values
from robot_vision.machine import describe_machine
from robot_vision.replay.jobs.job import Job, run_job
from robot_vision.replay.reading.messages import Problems, RawMessage, typestore
from robot_vision.replay.reading.recording import Recording
from robot_vision.replay.writing.rotating import RecordedTopic, RotatingRecording

STEP_NS = 33_333_333
SETTLED_SHARE = 0.2
_NO_LIMIT = 1 << 50


def write_loop(bag: Path, folder: Path, *, minutes: float) -> Path:
    """Repeat `bag` in a new recording with continuing stamps."""
    messages = list(Recording(bag).messages(Problems()))
    first_ns, last_ns = messages[0].log_ns, messages[-1].log_ns
    period_ns = last_ns - first_ns + STEP_NS
    loop = RotatingRecording(folder, split_bytes=_NO_LIMIT // 4, max_bytes=_NO_LIMIT)
    for turn in range(max(round(minutes * 60 * NS_PER_S / period_ns), 1)):
        for message in messages:
            loop.write(
                RecordedTopic(name=message.topic, type_name=message.msgtype),
                log_ns=message.log_ns + turn * period_ns,
                data=_shifted(message, turn * period_ns),
            )
    loop.close()
    return folder


def _shifted(message: RawMessage, by_ns: int) -> bytes:
    """The message with its stamps moved; transforms have one each."""
    store = typestore(is_ros1=False)
    content: Any = store.deserialize_cdr(message.data, message.msgtype)
    stamped = getattr(content, "transforms", [content])
    for item in stamped:
        stamp = item.header.stamp
        seconds, nanoseconds = divmod(stamp.sec * NS_PER_S + stamp.nanosec + by_ns, NS_PER_S)
        item.header.stamp = type(stamp)(sec=seconds, nanosec=nanoseconds)
    return bytes(store.serialize_cdr(content, message.msgtype))


def measure(job: Job) -> dict[str, Any]:
    """Run `job` and monitor the memory of this process."""
    process, rss_mb, shares = psutil.Process(), [], []

    def follow(done: float, _: str) -> None:
        if not shares or done - shares[-1] > 0.01:
            rss_mb.append(process.memory_info().rss / 1e6)
            shares.append(done)

    result = run_job(job, progress=follow)
    if result["error"]:
        raise RuntimeError(result["error"])
    settled = np.array(shares) >= SETTLED_SHARE
    slope_mb = np.polyfit(np.array(shares)[settled], np.array(rss_mb)[settled], 1)[0]
    return {
        "machine": describe_machine(),
        "frames": result["figures"]["frames"],
        "recorded_s": result["figures"]["duration_s"],
        "times_real_time": result["run"]["times_real_time"],
        "rss_mb": {
            f"{share:.0%}": round(mb) for share, mb in list(zip(shares, rss_mb, strict=True))[::10]
        },
        "rss_growth_over_the_last_80_percent_mb": slope_mb * (1 - SETTLED_SHARE),
    }


def main(
    bag: Annotated[Path, typer.Argument(help="a recording to loop")],
    minutes: Annotated[float, typer.Option(help="length of the looped recording")] = 20.0,
    model: Annotated[str, typer.Option(help="bundle")] = "native-s",
    write: Annotated[bool, typer.Option(help="with report, tracks and MCAP")] = True,
) -> None:
    """Replay a looped recording; print speed and memory as JSON."""
    with TemporaryDirectory() as folder:
        loop = write_loop(bag, Path(folder) / "loop", minutes=minutes)
        job = Job(
            name="loop",
            path=loop,
            config=with_values(NodeConfig(), {"model": model}),
            out=Path(folder) / "out" if write else None,
            images="none",
        )
        typer.echo(json.dumps(measure(job), indent=1))


if __name__ == "__main__":
    typer.run(main)
