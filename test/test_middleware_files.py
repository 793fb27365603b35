"""Configurations of other middlewares parse, fit images, and use keys that these know.

The public schemas are read where their repositories lie; nothing of them is in this one.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

CONFIG = Path(__file__).parents[1] / "config"
MIRROR = Path("/work/.mirror")
COLOR_BYTES = 640 * 480 * 3
CDDS, XSD = "{https://cdds.io/config}", "{http://www.w3.org/2001/XMLSchema}"


def cyclone() -> ElementTree.Element:
    return tree((CONFIG / "cyclonedds_images.xml").read_text())


def tree(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314  our own file, and a schema for a test


def json5(text: str) -> Any:
    """JSON with comments, bare keys and trailing commas, which is all of JSON5 that is used."""
    kept = re.sub(r'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/', r"\1", text, flags=re.DOTALL)
    quoted = re.sub(r'("(?:\\.|[^"\\])*")|([A-Za-z_]\w*)(?=\s*:)', _quoted, kept)
    return json.loads(re.sub(r",(\s*[}\]])", r"\1", quoted))


def _quoted(found: re.Match[str]) -> str:
    return found[1] or f'"{found[2]}"'


def zenoh() -> dict[str, Any]:
    return json5((CONFIG / "zenoh_session.json5").read_text())


def of_repository(name: str, path: str, revision: str = "HEAD") -> str:
    """A file of a fetched public repository; the test is skipped without it."""
    command = ["git", "-C", str(MIRROR / name / "repo"), "show", f"{revision}:{path}"]
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    if shown.returncode:
        pytest.skip(f"{name} at {revision} is not in {MIRROR}: fetch it to check against it")
    return shown.stdout


def size_bytes(text: str) -> int:
    number, unit = re.fullmatch(r"(\d+)(B|kB|MiB)", text or "").groups()  # pyright: ignore
    return int(number) * {"B": 1, "kB": 1000, "MiB": 2**20}[unit]


def test_cyclone_has_room_for_images() -> None:
    (buffers,) = cyclone().iter(f"{CDDS}SocketReceiveBufferSize")
    (kept,) = cyclone().iter(f"{CDDS}WhcHigh")
    (packet,) = cyclone().iter(f"{CDDS}MaxMessageSize")
    (part,) = cyclone().iter(f"{CDDS}FragmentSize")
    assert "min" not in buffers.attrib, "a minimum that is not granted keeps nodes from starting"
    assert size_bytes(buffers.attrib["max"]) > 4 * COLOR_BYTES
    assert size_bytes(kept.text or "") > 4 * COLOR_BYTES
    assert size_bytes(part.text or "") < size_bytes(packet.text or "") <= 65507  # of UDP


@pytest.mark.parametrize("revision", ["0.10.5", "HEAD"])
def test_cyclone_knows_every_key(revision: str) -> None:
    text = of_repository("eclipse-cyclonedds+cyclonedds", "etc/cyclonedds.xsd", revision)
    schema = {element.get("name"): element for element in tree(text)}
    for parent in cyclone().iter():
        name = parent.tag.removeprefix(CDDS)
        known = schema[name]
        inside = {part.get("ref") for part in known.iter(f"{XSD}element")}
        assert {child.tag.replace(CDDS, "config:") for child in parent} <= inside
        assert set(parent.attrib) <= {
            attribute.get("name") for attribute in known.iter(f"{XSD}attribute")
        }


def test_zenoh_sends_images_through_memory_that_holds_many() -> None:
    shared = zenoh()["transport"]["shared_memory"]
    assert shared["enabled"]
    optimization = shared["transport_optimization"]
    assert optimization["pool_size"] > 30 * COLOR_BYTES
    assert 0 < optimization["message_size_threshold"] < 640 * 480


def test_zenoh_knows_every_key() -> None:
    default = json5(of_repository("eclipse-zenoh+zenoh", "DEFAULT_CONFIG.json5"))
    assert unknown(zenoh(), default) == []


def test_zenoh_finds_the_router_as_rmw_zenoh_does() -> None:
    path = "rmw_zenoh_cpp/config/DEFAULT_RMW_ZENOH_SESSION_CONFIG.json5"
    theirs, ours = json5(of_repository("ros2+rmw_zenoh", path)), zenoh()
    for key in ("mode", "connect", "listen", "timestamping"):
        assert (
            theirs[key] | ours[key] == theirs[key]
            if isinstance(ours[key], dict)
            else (theirs[key] == ours[key])
        )
    assert theirs["scouting"]["multicast"]["enabled"] == ours["scouting"]["multicast"]["enabled"]


def unknown(ours: dict[str, Any], known: dict[str, Any], path: str = "") -> list[str]:
    """Keys of `ours` that `known` lacks. Where values differ by mode there are keys of modes."""
    modes = {"router", "peer", "client"}
    missing = [f"{path}/{key}" for key in ours if key not in known and key not in modes]
    for key, value in ours.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            missing += unknown(value, known[key], f"{path}/{key}")
    return missing
