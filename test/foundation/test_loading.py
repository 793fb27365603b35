"""Weights are taken whole and as numbers alone; nothing needs torchvision."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from robot_vision.commands.models import app
from robot_vision.core.errors import ConfigError
from robot_vision.foundation.convert import convert
from robot_vision.foundation.family import Asked
from robot_vision.foundation.library import load
from robot_vision.foundation.model_folder import read_folder
from robot_vision.model_store.store import Bundle

ROOT = Path(__file__).parents[2]
Folder = Callable[[str], Path]


@pytest.fixture
def copy(tiny_folder: Folder, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_folder("dinov2"), tmp_path / "copy"))


def as_pickle(folder: Path, **more: object) -> None:
    file = folder / "model.safetensors"
    torch.save({**load_file(file), **more}, folder / "pytorch_model.bin")
    file.unlink()


def test_torchs_own_file_gives_the_same_numbers(copy: Path) -> None:
    expected = load(read_folder(copy), "Dinov2Model").state_dict()
    as_pickle(copy)
    found = load(read_folder(copy), "Dinov2Model").state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in expected.items())


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("trap",)


def test_a_pickle_that_runs_code_is_refused(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    as_pickle(copy, trap=Trap())
    with pytest.raises(ConfigError, match="as tensors alone"):
        load(read_folder(copy), "Dinov2Model")
    assert not (copy / "trap").exists()


def test_code_beside_the_weights_is_not_run(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "modeling_evil.Evil"}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "modeling_evil.py").write_text("raise SystemExit('ran')")
    assert load(read_folder(copy), "Dinov2Model").config.hidden_size == 32


@pytest.mark.parametrize("fault", ["missing", "reshaped"])
def test_weights_that_are_not_whole_are_refused(copy: Path, fault: str) -> None:
    """What is missing would be random numbers, and nobody would see it."""
    as_pickle(copy)
    file = copy / "pytorch_model.bin"
    tensors = torch.load(file, weights_only=True)
    name = "encoder.layer.0.mlp.fc1.weight"
    taken = tensors.pop(name)
    if fault == "reshaped":
        tensors[name] = taken[:3]
    torch.save(tensors, file)
    with pytest.raises(ConfigError, match=r"encoder\.layer\.0\.mlp"):
        load(read_folder(copy), "Dinov2Model")


def test_what_published_weights_lack_and_nothing_needs_may_be_missing(
    tiny_folder: Folder, tmp_path: Path
) -> None:
    """DPT's first layer that joins maps has one map; its other branch is never run."""
    folder = Path(shutil.copytree(tiny_folder("dpt"), tmp_path / "dpt"))
    file = folder / "model.safetensors"
    tensors, branch = load_file(file), "neck.fusion_stage.layers.0.residual_layer1."
    kept = {name: tensor for name, tensor in tensors.items() if not name.startswith(branch)}
    assert 0 < len(kept) < len(tensors)
    save_file(kept, file, metadata={"format": "pt"})
    load(read_folder(folder), "DPTForDepthEstimation", unused=branch)
    with pytest.raises(ConfigError, match=r"residual_layer1\.convolution"):
        load(read_folder(folder), "DPTForDepthEstimation")


def test_a_folder_without_weights_says_which_it_wants(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match=r"expected model\.safetensors"):
        load(read_folder(copy), "Dinov2Model")


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        ("---\nlicense: mit\n---\n# x\n", "mit"),
        (
            "---\nlicense: other\nlicense_name: apple-ascl\nlicense_link: LICENSE\n---\n",
            "other: apple-ascl LICENSE",
        ),
        ("# no head\nlicense: mit\n", "unknown"),
        ("---\n- a list\n---\n", "unknown"),
        ("---\nlicense: [\n---\n", "unknown"),
        ("", "unknown"),
    ],
)
def test_the_licence_is_that_of_the_card(card: str, licence: str, tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(card)
    assert read_folder(tmp_path).licence == licence


def test_a_bundle_says_where_it_is_from_and_that_it_was_not_measured(
    got: Callable[[str], Bundle], tiny_folder: Folder
) -> None:
    manifest = got("dinov2").manifest
    assert manifest.description == f"dinov2, from {tiny_folder('dinov2')}"
    assert manifest.licence == "unknown"
    assert "not measured here" in manifest.limits


def test_options_of_another_family_are_refused(tiny_folder: Folder, tmp_path: Path) -> None:
    folder = str(tiny_folder("dinov2"))
    given = ["get", folder, "--words", "a,b", "--out", str(tmp_path / "x")]
    result = CliRunner().invoke(app, given)
    assert isinstance(result.exception, ConfigError)
    assert "family 'dinov2', which takes size, camera, embedding" in str(result.exception)


@pytest.mark.parametrize(
    ("words", "template", "said"),
    [
        (("cup",), "a {}", "two or more different ones"),
        (("cup", "cup"), "a {}", "two or more different ones"),
        (("cup", "bowl"), "a thing", "expected one {} for the word"),
        (("cup", "a very long word " * 20), "a {}", "tokens; expected 77"),
    ],
)
def test_words_that_cannot_be_classes(
    words: tuple[str, ...], template: str, said: str, tiny_folder: Folder, tmp_path: Path
) -> None:
    asked = Asked(name="x", words=words, template=template)
    with pytest.raises(ConfigError, match=said):
        convert(read_folder(tiny_folder("clip")), asked, tmp_path / "x", source="here")


_GET = """
import sys
{before}
import warnings
warnings.simplefilter("error")
from robot_vision.cli import main
sys.argv = ["robot-vision", "models", "get", *sys.argv[1:], "--camera", "64x56"]
main()
"""
_ABSENT = 'sys.modules["torchvision"] = None'


@pytest.mark.parametrize("is_broken", [False, True])
def test_nothing_needs_torchvision(is_broken: bool, tiny_folder: Folder, tmp_path: Path) -> None:
    """Neither one that is absent, nor one of another build than torch, which is hidden."""
    broken = tmp_path / "broken" / "torchvision" / "__init__.py"
    broken.parent.mkdir(parents=True)
    broken.write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    before = f"sys.path.insert(0, {str(broken.parents[1])!r})" if is_broken else _ABSENT
    folder, out = str(tiny_folder("dinov2")), str(tmp_path / "out")
    done = subprocess.run(
        [sys.executable, "-c", _GET.format(before=before), folder, "--out", out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "-p feature_model:=" in done.stdout
