"""Faults around the service: instructions, models, processes, the console, foreign nodes."""

import struct
import zlib
from collections.abc import Iterator
from random import Random

from robot_vision.soak.fault import Rig, fault

_LONG = 2_000_000
_MORE_THAN_PLACES = 600


@fault(0.5, 2.0)
def words_long(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """An instruction of 2 MB."""
    rig.instruct("cube " * (_LONG // 5))
    yield
    rig.instruct_task()


@fault(0.7, 2.0, must_hold=True)
def words_empty(rig: Rig, random: Random) -> Iterator[None]:
    """The instruction is withdrawn."""
    rig.instruct(random.choice(("", "   ", "\n")))
    yield
    rig.instruct_task()


@fault(0.5, 2.0)
def words_unknown(rig: Rig, random: Random) -> Iterator[None]:
    """An instruction with words unknown to the policy."""
    rig.instruct(random.choice(("frobnicate the quux", "[bold]\u202e\x00\x1b[2J", "é" * 300)))
    yield
    rig.instruct_task()


@fault(1.0, 2.0)
def words_flood(rig: Rig, random: Random) -> Iterator[None]:
    """Two hundred instructions per second."""
    texts = [f"pick up the {color} cube" for color in ("red", "green", "blue", "yellow")]
    with rig.repeating(lambda: rig.instruct(random.choice(texts)), 200):
        yield
    rig.instruct_task()


@fault(1.0, 3.0)
def model_swapped(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Perception reloads its model while running."""
    name = rig.another_name_of_the_model()
    if not rig.set_model(name):
        rig.violated("parameters", f"the model {name!r} was rejected")
    yield


@fault(0.5, 1.0)
def model_unknown(rig: Rig, random: Random) -> Iterator[None]:
    """A model that does not exist."""
    name = random.choice(("no-such-model", "/etc/passwd", "", "../../.."))
    if rig.set_model(name):
        rig.violated("parameters", f"the model {name!r} was accepted")
    yield


@fault(0.3, 3.0, stops_service=True)
def service_frozen(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """The service's process is stopped for a while."""
    with rig.frozen("service"):
        yield


@fault(8.0, 12.0)
def recorder_killed(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """A demonstration recorder starts, records, and is killed."""
    with rig.recorder():
        yield


@fault(1.0, 4.0)
def cores_busy(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Every core is busy with other work."""
    with rig.busy_cores():
        yield


@fault(1.0, 2.0, try_hold=True)
def console_hold(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Not a fault: a user presses hold in the console."""
    yield


@fault(2.0, 4.0, try_hold=True)
def console_half_requests(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """A client without the token starts more requests than there are places, and finishes none."""
    with rig.half_requests(_MORE_THAN_PLACES):
        yield


@fault(2.0, 4.0, try_hold=True)
def console_flood(rig: Rig, random: Random) -> Iterator[None]:
    """A client without the token floods the console with requests."""
    path = random.choice(("/api/state", "/login", "/api/hold", "/%0a2026 forged"))
    with rig.repeating(lambda: rig.request("POST", path, content=b"{"), 200):
        yield


@fault(2.0, 4.0, try_hold=True)
def console_picture_bombs(rig: Rig, random: Random) -> Iterator[None]:
    """Small PNG files with as many pixels as allowed, or more, with and without the token."""
    bombs = [png(side_px) for side_px in (4096, 20_000)]

    def throw() -> None:
        bomb = random.choice(bombs)
        body = {"files": [("image", ("bomb.png", bomb))], "data": {"tasks": "detection"}}
        rig.request("POST", "/api/analyze", **body)
        rig.upload(bomb)

    with rig.repeating(throw, 2):
        yield


@fault(1.0, 3.0)
def diagnostics_strange(rig: Rig, random: Random) -> Iterator[None]:
    """Other nodes' diagnostics contain non-numeric and very long values."""
    values = {
        "output_hz": random.choice(("nan", "inf", "1e999", "many", "")),
        "age_p50_ms": "<script>",
        "memory_rss_mb": "−1",
        "dropped: [bold]": "x" * 10_000,
    }
    with rig.repeating(lambda: rig.publish_diagnostics(values), 50):
        yield


@fault(1.0, 2.0)
def transforms_flood(rig: Rig, random: Random) -> Iterator[None]:  # noqa: ARG001
    """Thousands of transforms per second, some with NaN."""
    with rig.repeating(lambda: rig.publish_transforms(20), 100):
        yield


def png(side_px: int) -> bytes:
    """A valid black-and-white PNG, which compresses about a thousandfold."""
    row = b"\0" * (1 + (side_px + 7) // 8)
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    head = struct.pack(">IIBBBBB", side_px, side_px, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
