"""Loss and age of images by ROS 2, or by Cyclone DDS and Zenoh where their ROS packages lack.

Two processes on one machine; a camera of 640×480 colour and 16-bit depth at 30 Hz, reliable, five
kept. `ros` uses the middleware named in RMW_IMPLEMENTATION, configured by its own variable. The
others need `pip install cyclonedds eclipse-zenoh` in a separate environment:

    python tools/bench_middlewares.py ros
    python tools/bench_middlewares.py cyclone --config config/cyclonedds_images.xml
    python tools/bench_middlewares.py zenoh --config config/zenoh_session.json5

Without `--config` these use their defaults, and lack ROS's message copies.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SIZES = {"rgb": 640 * 480 * 3, "depth": 640 * 480 * 2}
RATE_HZ = 30
STAMP_BYTES = 20
PATIENCE_S = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("middleware", choices=["ros", "cyclone", "zenoh"])
    parser.add_argument("--config", type=Path)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--camera", action="store_true", help="be the process that publishes")
    args = parser.parse_args()
    if args.middleware == "cyclone" and args.config:
        os.environ["CYCLONEDDS_URI"] = args.config.resolve().as_uri()
    join = {"ros": join_ros, "cyclone": join_cyclone, "zenoh": join_zenoh}[args.middleware]
    if args.camera:
        publish(join(None, args), seconds=args.seconds)
    else:
        listen(join, args)


def publish(send: Callable[[str, bytes], None], *, seconds: float) -> None:
    """Images at the rate, each led by the time of its sending; prints how many of a kind."""
    bodies = {name: b"0" * (size - STAMP_BYTES) for name, size in SIZES.items()}
    time.sleep(PATIENCE_S)
    begin_s, count = time.monotonic(), round(seconds * RATE_HZ)
    for number in range(count):
        time.sleep(max(begin_s + number / RATE_HZ - time.monotonic(), 0))
        for name, body in bodies.items():
            send(name, str(time.time_ns()).zfill(STAMP_BYTES).encode() + body)
    print(count)
    time.sleep(2.0)
    sys.stdout.flush()
    os._exit(0)  # a middleware's own threads may block forever at the end


def listen(join: Callable[..., Any], args: argparse.Namespace) -> None:
    """Print received of sent and percentiles of age, by kind of image."""
    ages_ms: dict[str, list[float]] = {name: [] for name in SIZES}

    def hear(name: str, data: Any) -> None:
        sent_ns = int(bytes(data[:STAMP_BYTES]))
        ages_ms[name].append((time.time_ns() - sent_ns) / 1e6)

    member = join(hear, args)
    command = [sys.executable, __file__, *sys.argv[1:], "--camera"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as camera:
        sent = int(camera.communicate()[0].split()[-1])
    result = {
        name: {
            "sent": sent,
            "received": len(ages),
            **{f"p{share}_ms": percentile(ages, share) for share in (50, 95, 99)},
        }
        for name, ages in ages_ms.items()
    }
    load = os.getloadavg()[0]
    print(json.dumps({"config": str(args.config), "load_1min": round(load, 1), **result}))
    sys.stdout.flush()
    del member
    os._exit(0)


def percentile(values: list[float], share: int) -> float | None:
    ranked = sorted(values)
    return round(ranked[(len(ranked) - 1) * share // 100], 1) if ranked else None


def join_ros(hear: Callable[[str, Any], None] | None, _: argparse.Namespace) -> Any:
    from array import array
    from threading import Thread

    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import Image

    rclpy.init()
    node = rclpy.create_node("bench_camera" if hear is None else "bench_ear")
    quality = QoSProfile(depth=5, reliability=ReliabilityPolicy.RELIABLE)
    if hear is None:
        publishers = {name: node.create_publisher(Image, name, quality) for name in SIZES}
        return lambda name, data: publishers[name].publish(Image(data=array("B", data)))
    for name in SIZES:

        def heard(message: Any, name: str = name) -> None:
            hear(name, message.data)

        node.create_subscription(Image, name, heard, quality)
    Thread(target=rclpy.spin, args=(node,), daemon=True).start()
    return node


def join_cyclone(hear: Callable[[str, Any], None] | None, _: argparse.Namespace) -> Any:
    from dataclasses import dataclass

    from cyclonedds.core import Listener, Policy, Qos
    from cyclonedds.domain import DomainParticipant
    from cyclonedds.idl import IdlStruct
    from cyclonedds.pub import DataWriter
    from cyclonedds.sub import DataReader
    from cyclonedds.topic import Topic

    @dataclass
    class Words(IdlStruct, typename="Words"):  # pyright: ignore
        data: str  # Python's Cyclone DDS packs sequences number by number: for seconds

    quality = Qos(
        Policy.Reliability.Reliable(max_blocking_time=100_000_000), Policy.History.KeepLast(5)
    )
    participant = DomainParticipant(int(os.environ.get("ROS_DOMAIN_ID", "0")))
    topics = {name: Topic(participant, name, Words) for name in SIZES}
    if hear is None:
        writers = {name: DataWriter(participant, topics[name], quality) for name in SIZES}
        return lambda name, data: writers[name].write(Words(data=data.decode()))

    class Ear(Listener):
        def __init__(self, name: str) -> None:
            super().__init__()
            self._name = name

        def on_data_available(self, reader: Any) -> None:
            for sample in reader.take(8):
                hear(self._name, sample.data[:STAMP_BYTES].encode())

    return [DataReader(participant, topics[name], quality, listener=Ear(name)) for name in SIZES]


def join_zenoh(hear: Callable[[str, Any], None] | None, args: argparse.Namespace) -> Any:
    import zenoh

    config = zenoh.Config.from_file(str(args.config)) if args.config else zenoh.Config()
    # As rmw_zenohd does, on the machine of both.
    router = {"mode": '"router"', "listen/endpoints": '["tcp/localhost:7447"]'}
    kept = [open_with(zenoh, router)] if hear is not None else []
    kept.append(zenoh.open(config))
    session = kept[-1]
    if hear is None:
        publishers = {
            name: session.declare_publisher(name, congestion_control=zenoh.CongestionControl.BLOCK)
            for name in SIZES
        }
        # A session that nothing names is closed.
        return lambda name, data, _kept=kept: publishers[name].put(data)
    for name in SIZES:

        def heard(sample: Any, name: str = name) -> None:
            hear(name, sample.payload.to_bytes()[:STAMP_BYTES])

        kept.append(session.declare_subscriber(name, heard))
    return kept


def open_with(zenoh: Any, values: dict[str, str]) -> Any:
    config = zenoh.Config()
    for name, value in values.items():
        config.insert_json5(name, value)
    return zenoh.open(config)


if __name__ == "__main__":
    main()
