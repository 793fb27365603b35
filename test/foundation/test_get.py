"""Models by name from a hub on loopback, a mirror on disk, a URL: whole, or refused."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hub_server import COMMIT, Served, digest, serving
from onnx_models import save_model
from typer.testing import CliRunner

from robot_vision.commands.models import app
from robot_vision.core.errors import ConfigError
from robot_vision.foundation.download import CACHE_VARIABLE, DownloadError, download
from robot_vision.foundation.get import Brought, bring_model
from robot_vision.foundation.hub import HubOptions
from robot_vision.foundation.known import KNOWN
from robot_vision.foundation.reference import reference_of
from robot_vision.model_store.store import find_bundle

constants = pytest.importorskip("huggingface_hub.constants")

MODEL = "maker/tiny"
WEIGHTS = np.random.default_rng(0).bytes(300_000)
CARD = "---\nlicense: apache-2.0\ntags: [vision]\n---\n# Tiny\n"


def write_model(folder: Path, *, weights: str = "model.safetensors", kind: str = "dinov2") -> Path:
    """A folder whose weights are only carried, never read."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"model_type": kind}))
    (folder / "README.md").write_text(CARD)
    (folder / weights).write_bytes(WEIGHTS)
    for name in ("modeling_tiny.py", "training_args.bin", "optimizer.pt"):
        (folder / name).write_bytes(b"never to be fetched")
    return folder


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)  # what it keeps when cut off
    write_model(tmp_path / "hub" / MODEL)
    with serving(tmp_path / "hub") as served:
        yield served


def bring(word: str, hub: str = "", *, offline: bool = False, **more: str) -> Brought:
    return bring_model(reference_of(word), HubOptions(hub=hub, offline=offline), **more)


def test_a_hubs_model_comes_with_its_licence_and_nothing_that_runs(hub: Served) -> None:
    brought = bring(f"hf:{MODEL}", hub.url)
    path = brought.folder.path
    assert (path / "model.safetensors").read_bytes() == WEIGHTS
    assert (brought.licence, brought.source) == ("apache-2.0", f"{MODEL}@{COMMIT}")
    names = {file.name for file in path.iterdir()}
    assert names == {"config.json", "README.md", "model.safetensors"}
    assert not [path for _, path, _ in hub.asked if path.endswith((".py", ".bin", ".pt"))]


def test_what_is_in_the_cache_serves_without_a_network(hub: Served) -> None:
    first = bring(f"hf:{MODEL}", hub.url)
    asked = len(hub.asked)
    again = bring(f"hf:{MODEL}", hub.url, offline=True)
    assert again.folder.path == first.folder.path
    assert len(hub.asked) == asked
    gone = bring(f"hf:{MODEL}", "http://127.0.0.1:9")  # where nobody listens
    assert gone.folder.path == first.folder.path


def test_offline_without_a_cache_says_what_to_do(hub: Served) -> None:
    with pytest.raises(DownloadError, match="--hub with a mirror"):
        bring(f"hf:{MODEL}", hub.url, offline=True)


def test_a_broken_download_goes_on_where_it_was(hub: Served) -> None:
    """Its client tries again by itself; where it gave up, the next call goes on."""
    hub.cut["model.safetensors"] = 100_000
    with suppress(DownloadError):
        bring(f"hf:{MODEL}", hub.url)
    brought = bring(f"hf:{MODEL}", hub.url)
    assert (brought.folder.path / "model.safetensors").read_bytes() == WEIGHTS
    ranges = hub.fetched("model.safetensors")
    assert ranges[0] in ("", "bytes=0-")
    assert any(got.startswith("bytes=100000-") for got in ranges[1:])


def test_a_file_that_is_not_what_the_hub_names_is_refused(hub: Served) -> None:
    file = bring(f"hf:{MODEL}", hub.url).folder.path / "model.safetensors"
    damaged = bytearray(WEIGHTS)
    damaged[1000] ^= 1
    file.resolve().write_bytes(damaged)
    with pytest.raises(DownloadError, match="is damaged"):
        bring(f"hf:{MODEL}", hub.url)


def test_a_model_that_asks_for_consent_says_so(hub: Served) -> None:
    hub.gated = True
    with pytest.raises(DownloadError, match="requires consent"):
        bring(f"hf:{MODEL}", hub.url)


def test_a_model_that_is_not_there_says_so(hub: Served) -> None:
    with pytest.raises(DownloadError, match="Check the name"):
        bring("hf:maker/tin", hub.url)


def test_pickles_are_fetched_only_where_there_is_nothing_better(
    hub: Served, tmp_path: Path
) -> None:
    write_model(tmp_path / "hub" / "maker" / "old", weights="pytorch_model.bin")
    path = bring("hf:maker/old", hub.url).folder.path
    assert (path / "pytorch_model.bin").is_file()
    assert not (path / "training_args.bin").exists()


def test_a_model_of_no_family_is_refused_before_its_weights_come(
    hub: Served, tmp_path: Path
) -> None:
    write_model(tmp_path / "hub" / "maker" / "words", kind="llama")
    with pytest.raises(ConfigError, match="'llama'; expected one of clip: clip; depth"):
        bring("hf:maker/words", hub.url)
    assert hub.fetched("model.safetensors") == []


@pytest.mark.parametrize("shape", ["plain", "cache"])
def test_a_mirror_on_disk_has_one_of_two_shapes(shape: str, tmp_path: Path) -> None:
    root = tmp_path / "mirror"
    cached = root / "models--maker--tiny"
    folder = write_model(root / MODEL if shape == "plain" else cached / "snapshots" / COMMIT)
    if shape == "cache":
        (cached / "refs").mkdir()
        (cached / "refs" / "main").write_text(COMMIT)
    assert bring(f"hf:{MODEL}", str(root)).folder.path == folder
    with pytest.raises(DownloadError, match="has neither maker/other"):
        bring("hf:maker/other", str(root))


@pytest.fixture
def net(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    (tmp_path / "site").mkdir()
    return save_model(
        tmp_path / "site" / "net.onnx",
        inputs={"images": ((1, 3, 8, 8), np.float32)},
        constants={"features": np.random.default_rng(0).random((1, 8, 4, 4), np.float32)},
    )


def test_a_url_is_fetched_once_and_goes_on_where_it_broke_off(net: Path) -> None:
    with serving(net.parent) as site:
        url, sha256 = f"{site.url}/net.onnx?download=1", digest(net)
        site.cut["net.onnx"] = 60
        with pytest.raises(DownloadError, match="60 bytes are kept"):
            download(url, sha256=sha256)
        seen: list[tuple[int, int]] = []
        file = download(url, sha256=sha256, progress=lambda *now: seen.append(now))
        assert file.read_bytes() == net.read_bytes()
        assert seen[-1] == (net.stat().st_size,) * 2
        assert site.fetched("net.onnx") == ["", "bytes=60-"]
        assert download(url, sha256=sha256) == file
        assert len(site.asked) == 2


def test_another_file_than_was_asked_for_is_not_kept(net: Path) -> None:
    with serving(net.parent) as site:
        with pytest.raises(DownloadError, match=f"has the sha256 {digest(net)}"):
            download(f"{site.url}/net.onnx", sha256="0" * 64)
        with pytest.raises(DownloadError, match="404"):
            download(f"{site.url}/other.onnx", sha256="0" * 64)
    assert not list((net.parents[1] / "cache").rglob("*.onnx"))
    assert not list((net.parents[1] / "cache").rglob("*.partial"))


def test_an_onnx_file_from_a_url_becomes_a_bundle(net: Path, tmp_path: Path) -> None:
    with serving(net.parent) as site:
        given = ["get", f"{site.url}/net.onnx", "--licence", "mit", "--out", str(tmp_path / "out")]
        refused = CliRunner().invoke(app, given)
        assert "nothing is fetched without" in str(refused.exception)
        assert site.asked == []
        result = CliRunner().invoke(app, [*given, "--sha256", digest(net)])
    assert result.exit_code == 0, result.output
    manifest = find_bundle(str(tmp_path / "out")).manifest
    assert (manifest.format, manifest.licence) == ("features", "mit")
    assert "licence mit" in result.output


def test_a_file_that_cannot_be_found_out_is_kept_for_the_import(net: Path) -> None:
    numbers = {"numbers": np.full((1, 4), 0.25, np.float32)}
    other = save_model(
        net.with_name("other.onnx"), inputs={"x": ((1, 3, 8, 8), np.float32)}, constants=numbers
    )
    with serving(net.parent) as site:
        given = ["get", f"{site.url}/other.onnx", "--sha256", digest(other)]
        result = CliRunner().invoke(app, given)
    said = str(result.exception)
    file = said.partition("robot-vision models import ")[2].partition("`")[0]
    assert Path(file).read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("dinov2-smal", "did you mean 'dinov2-small'"),
        ("hf:only-a-name", "is not a hub's model"),
        ("hf:../..", "is not a hub's model"),
        ("hf:maker/tiny@../main", "is not a hub's model"),
        ("ftp://host/net.onnx", "expected a name"),
        ("", "expected a name"),
    ],
)
def test_words_that_name_no_model(word: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        reference_of(word)


def test_a_url_of_weights_alone_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"without their config\.json"):
        bring("https://host/model.safetensors", sha256="0" * 64)


def test_every_name_of_the_list_has_a_place_a_licence_and_a_use() -> None:
    for name, known in KNOWN.items():
        reference = reference_of(name)
        assert (reference.kind, reference.name) == ("hub", name)
        assert known.licence
        assert known.megabytes > 0
    shown = CliRunner().invoke(app, ["known"], env={"COLUMNS": "250"}).output
    assert all(name in shown and known.licence in shown for name, known in KNOWN.items())
