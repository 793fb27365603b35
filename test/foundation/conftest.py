"""Bundles of tiny foundation models, each made once, by the command that gets the real ones."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from foundation_kit import CAMERA_PX, MODELS, MORE_MODELS, OPTIONS
from typer.testing import CliRunner

from robot_vision.commands.models import app
from robot_vision.model_store.store import Bundle, find_bundle


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a tiny model as `save_pretrained` writes it."""
    root = tmp_path_factory.mktemp("foundation")

    @cache
    def folder(name: str) -> Path:
        {**MODELS, **MORE_MODELS}[name](root / name)
        return root / name

    return folder


@pytest.fixture(scope="session")
def got(
    tiny_folder: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Bundle]:
    """The bundle that `robot-vision models get FOLDER` makes of it."""
    root = tmp_path_factory.mktemp("bundles")

    @cache
    def bundle(name: str) -> Bundle:
        size, out = "x".join(map(str, CAMERA_PX)), root / name
        given = ["--camera", size, "--out", str(out), "--name", "tiny", *OPTIONS.get(name, [])]
        result = CliRunner().invoke(app, ["get", str(tiny_folder(name)), *given])
        assert result.exit_code == 0, f"{result.output}\n{result.exception!r}"
        return find_bundle(str(out))

    return bundle
