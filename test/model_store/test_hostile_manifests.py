"""A `model.yaml` or `policy.yaml` of a stranger costs bounded time and ends in words."""

import os
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

import pytest
import yaml
from typer.testing import CliRunner

from robot_vision.cli import app
from robot_vision.core.errors import BundleError, RobotVisionError
from robot_vision.model_store.policies import find_policy
from robot_vision.model_store.store import SEARCH_PATH_VARIABLE, find_bundle, list_bundles

LIMIT_S = 20.0
ALIASES = "a0: &a0 [x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
TEXTS: dict[str, bytes] = {
    "aliases": ALIASES.encode(),
    "deep flow": b"a: " + b"[" * 500_000,
    "deep blocks": b"- " * 400_000 + b"x",
    "giant": b"name: " + b"x" * (2 * 2**20),
    "a number to the base of 60": b"version: " + b"1:" * 500_000 + b"1",
    "the same, named": b"version: !!float " + b"1:" * 500_000 + b"1",
    "not UTF-8": b"name: \xff\xfe\xfa",
    "zeros": bytes(1000),
    "not a mapping": b"- a\n- b\n",
    "not a time": b"name: !!timestamp now\n",
    "not a truth": b"name: !!bool perhaps\n",
    "no number": b"name: !!int ''\n",
    "an object": b"!!python/object/apply:os.system ['true']\n",
    "many unknown fields": b"".join(b"field%d: 1\n" % n for n in range(5000)),
    "odd names": b'"[/red]\\n\\e[31m": 1\n7: 8\n',
    "a long value": b"task: " + b"x" * 500_000,
    "empty": b"",
}


@pytest.mark.parametrize("find", [find_bundle, find_policy], ids=["model", "policy"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_hostile_manifest_is_refused_in_time_and_in_words(
    tmp_path: Path, find: Callable[[Path], object], text: bytes
) -> None:
    for name in ("model.yaml", "policy.yaml"):
        (tmp_path / name).write_bytes(text)
    begin_s = monotonic()
    with pytest.raises(BundleError) as refused:
        find(tmp_path)
    assert monotonic() - begin_s < LIMIT_S
    assert len(str(refused.value)) < 4000


@pytest.mark.parametrize("find", [find_bundle, find_policy], ids=["model", "policy"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_input_that_is_not_a_file_is_not_opened(
    tmp_path: Path, find: Callable[[Path], object], make: Callable[[Path], None]
) -> None:
    for name in ("model.yaml", "policy.yaml"):
        make(tmp_path / name)
    with pytest.raises(BundleError, match=r"not a (model|policy) bundle"):
        find(tmp_path)


@pytest.mark.parametrize("name", ["x" * 5000, "~nobody-of-that-name", "a\0b", ""])
def test_a_name_of_no_folder_is_an_unknown_name(name: str) -> None:
    with pytest.raises(BundleError, match="no model bundle"):
        find_bundle(name)


def test_a_hostile_bundle_in_the_store_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEARCH_PATH_VARIABLE, str(tmp_path))
    for name in ("aliases", "not UTF-8", "not a mapping", "not a time", "odd names", "empty"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.yaml").write_bytes(TEXTS[name])
    assert "native-s" in [bundle.manifest.name for bundle in list_bundles()]


@pytest.mark.parametrize(
    ("perception", "message"),
    [
        ({"model": "/tmp/other"}, "must not set model"),
        ({"engine_cache_dir": "/tmp/engines"}, "must not set engine_cache_dir"),
        ({"autostart": False}, "unknown parameter 'autostart'"),
        ({"nothing.like_it": 1}, "unknown parameter 'nothing.like_it'"),
        ({"detector.score_threshold": 7}, "detector.score_threshold = 7"),
    ],
)
def test_a_policy_sets_no_files_of_the_service(
    tmp_path: Path, perception: dict[str, object], message: str
) -> None:
    described = find_policy("policy-s").manifest.model_dump(mode="json")
    text = yaml.safe_dump(described | {"perception": perception})
    (tmp_path / "policy.yaml").write_text(text)
    with pytest.raises(BundleError, match=re.escape(message)):
        find_policy(tmp_path)


@pytest.mark.skipif(find_spec("torch") is None, reason="train needs torch")
@pytest.mark.parametrize("value", ["&a [*a]", "1:" * 200_000 + "1", "!!timestamp x", "[" * 9999])
def test_values_on_a_command_line_are_read_as_carefully(tmp_path: Path, value: str) -> None:
    for command in (
        ["replay", str(tmp_path), "--param", f"threads={value}"],
        ["train", str(tmp_path), "--out", str(tmp_path), "--set", f"run.seed={value}"],
    ):
        result = CliRunner().invoke(app, command)
        assert isinstance(result.exception, RobotVisionError), result.exception
