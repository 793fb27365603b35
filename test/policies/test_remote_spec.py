"""What a remote bundle has to say, and what of it is checked before anything is sent."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from remote_bundle import mapping, options, remote_bundle

from robot_vision.core.errors import BundleError
from robot_vision.model_store.policies import find_policy
from robot_vision.policies.remote.address import address_of
from robot_vision.policies.remote.clients.client import CLIENTS
from robot_vision.policies.remote.spec import ServerAddress, remote_spec

URL = "ws://127.0.0.1:1"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples/remote"


def changed(path: str, value: Any, protocol: str = "openpi") -> dict[str, Any]:
    """A mapping of which one part is another, or is gone where `value` is `...`."""
    made = mapping(protocol)
    *parts, last = path.split(".")
    place: Any = made
    for part in parts:
        place = place[int(part) if part.isdigit() else part]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return {"mapping": made}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (changed("action.meaning.gripper", ...), "gripper"),
        (changed("action.statistics", ...), "statistics"),
        (changed("action.statistics", {"kind": "mean_std"}), "need mean and std, got none"),
        (changed("action.meaning.tool.position_unit", ...), "position_unit"),
        (changed("state.0.gripper", ...), "expected each column exactly once"),
        (changed("state.0.width", 9), "expected each column exactly once"),
        (changed("cameras.0.crop", ...), "crop"),
        (changed("cameras.0.crop", [0.5, 0, 0.4, 1]), "left must be below right"),
        (
            changed("cameras.0.camera", "wrist"),
            "must list each camera of `observation` exactly once",
        ),
        (changed("prompt_key", ...), "prompt_key"),
        ({"mapping": None}, "needs `mapping`"),
        ({"server": {"url": URL, "limit_s": 2.0}}, "a chunk lasts 0.8 s"),
        ({"surver": {}}, "surver"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_said_is_not_assumed(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    bundle = remote_bundle(tmp_path / "mine", "openpi", URL, changes=changes)
    with pytest.raises(BundleError, match=words):
        remote_spec(bundle.manifest)


def test_statistics_have_a_number_a_column(tmp_path: Path) -> None:
    statistics = {"kind": "quantiles", "q01": [0.0] * 6, "q99": [1.0] * 6}
    changes = changed("action.statistics", statistics)
    bundle = remote_bundle(tmp_path / "mine", "openpi", URL, changes=changes)
    with pytest.raises(BundleError, match="statistics have 6 and 6 numbers, expected 7"):
        remote_spec(bundle.manifest)


@pytest.mark.parametrize("protocol", ["openvla", "lerobot"])
def test_options_of_a_protocol_have_no_defaults(protocol: str, tmp_path: Path) -> None:
    bundle = remote_bundle(tmp_path / "mine", protocol, URL, changes={"options": {}})
    with pytest.raises(BundleError, match="Field required"):
        CLIENTS.get(protocol)(remote_spec(bundle.manifest), bundle.manifest)
    assert options(protocol)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://10.0.0.1:8000", "scheme 'http'; expected ws://host:port or wss://host:port"),
        ("ws://10.0.0.1", "lacks a host or port"),
        ("ws://:8000", "lacks a host or port"),
        ("ws://me:secret-7@10.0.0.1:8000", "contains a password"),
        ("ws://10.0.0.1:99999", "Port out of range"),
        ("ws://10.0.0.1:8000/?key=1", "query"),
        ("ws://10.0. 0.1:8000", "spaces"),
        ("file:///etc/passwd", "scheme 'file'"),
    ],
)
def test_addresses_are_checked(url: str, words: str) -> None:
    with pytest.raises(BundleError, match=words) as caught:
        address_of(ServerAddress(url=url), schemes=("ws", "wss"), default_path="")
    assert "secret-7" not in str(caught.value)


def test_the_identity_is_of_what_is_meant_not_of_where_the_server_is(tmp_path: Path) -> None:
    here = remote_bundle(tmp_path / "mine", "openpi", URL)
    there = remote_bundle(tmp_path / "there" / "mine", "openpi", "ws://10.1.2.3:8000")
    other = changed("action.meaning.gripper.closed", 2.0)
    another = remote_bundle(tmp_path / "another" / "mine", "openpi", URL, changes=other)
    assert here.manifest.identity == there.manifest.identity
    assert here.manifest.identity != another.manifest.identity
    assert find_policy(here.path).manifest == here.manifest


def test_a_part_that_was_changed_by_hand_is_another_policy(tmp_path: Path) -> None:
    path = remote_bundle(tmp_path / "mine", "openpi", URL).path / "policy.yaml"
    said = yaml.safe_load(path.read_text())
    said["remote"]["mapping"]["action"]["meaning"]["gripper"]["closed"] = 0.5
    path.write_text(yaml.safe_dump(said))
    with pytest.raises(BundleError, match="the file was changed after its export"):
        find_policy(path.parent)


@pytest.mark.parametrize("kind", ["pixels", "tokens"])
def test_no_other_kind_has_a_server_for_its_networks_would_go_unchecked(
    kind: str, tmp_path: Path
) -> None:
    with pytest.raises(ValidationError, match="must be set for kind remote and no other"):
        remote_bundle(tmp_path / "mine", "openpi", URL, kind=kind)


@pytest.mark.parametrize("folder", sorted(EXAMPLES.iterdir()), ids=lambda folder: folder.name)
def test_examples_are_whole(folder: Path) -> None:
    manifest = find_policy(folder).manifest
    spec = remote_spec(manifest)
    client = CLIENTS.get(spec.protocol)(spec, manifest)
    assert "192.168.1.20" in str(client.address)
