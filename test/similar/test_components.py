"""Colours of what cells differ by most: alike for like parts, in every picture."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from looking_bundle import looking_bundle
from typer.testing import CliRunner

from robot_vision.commands.similar import app
from robot_vision.core.types import Features
from robot_vision.similar.searching.components import principal_components
from robot_vision.similar.store import SimilarError


def features(parts: np.ndarray, *, noise: float = 0.02) -> Features:
    """Cells of a map of parts: each part has a direction of its own in 12 dimensions."""
    rng = np.random.default_rng(parts.sum())
    of_part = np.random.default_rng(7).normal(size=(4, 12))
    grid = of_part[parts].transpose(2, 0, 1) + noise * rng.normal(size=(12, *parts.shape))
    return Features(
        stamp_ns=0,
        grid=grid.astype(np.float32),
        stride_px=14.0,
        embedding=np.ones(12, np.float32),
        model_id="made",
    )


def test_one_part_has_one_colour_in_all_pictures() -> None:
    first, second = np.zeros((6, 8), int), np.ones((5, 5), int)
    first[:, 4:], first[4:, :4] = 1, 2
    second[2:, 2:], second[:2] = 2, 3
    maps = [features(parts) for parts in (first, second)]
    found = principal_components(maps)
    cells = np.concatenate([found.colours(each).reshape(-1, 3) for each in maps]).astype(float)
    parts = np.concatenate([first.ravel(), second.ravel()])
    means = np.array([cells[parts == part].mean(axis=0) for part in range(4)])
    within = max(cells[parts == part].std(axis=0).max() for part in range(4))
    between = min(np.abs(means[a] - means[b]).max() for a in range(4) for b in range(a))
    assert within < 15
    assert between > 60
    assert 0.95 < found.explained.sum() <= 1.0001
    assert np.all(np.diff(found.explained) <= 0)


def test_cells_that_are_all_alike_have_no_components() -> None:
    with pytest.raises(SimilarError, match="do not differ"):
        principal_components([features(np.zeros((3, 3), int), noise=0.0)])


def test_the_command_writes_each_picture_beside_its_colours(tmp_path: Path) -> None:
    bundle = looking_bundle(tmp_path / "looks")
    for name, shape in (("a", (60, 80, 3)), ("b", (40, 80, 3))):
        noise = np.random.default_rng(len(name)).integers(0, 255, shape, np.uint8)
        noise[:20] //= 4
        cv2.imwrite(str(tmp_path / f"{name}.png"), noise)
    sheet = tmp_path / "parts.jpg"
    given = [str(tmp_path / "a.png"), str(tmp_path / "b.png"), "--sheet", str(sheet)]
    result = CliRunner().invoke(app, ["pca", *given, "--model", str(bundle)])
    assert result.exit_code == 0, result.output
    assert "of the cells' variance" in result.output
    assert cv2.imread(str(sheet)).shape == (100, 160, 3)
