"""Files of figures are JSON that any program reads."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from robot_vision.core.files.figures import write_figures


@dataclass(frozen=True)
class Row:
    name: str
    value: float
    file: Path


def refuse(constant: str) -> object:
    raise AssertionError(f"{constant} is not JSON")


@pytest.mark.parametrize("missing", [float("nan"), float("inf"), np.float64("nan")])
def test_numbers_that_are_not_finite_become_null(tmp_path: Path, missing: float) -> None:
    file = tmp_path / "새 폴더" / "figures.json"
    rows = (Row(name="머그", value=0.5, file=Path("a/b")), Row(name="", value=missing, file=file))
    write_figures(file, {"rows": rows, "mean": {"AP": missing}})
    found = json.loads(file.read_text("utf-8"), parse_constant=refuse)
    assert found["rows"][0] == {"name": "머그", "value": 0.5, "file": "a/b"}
    assert found["rows"][1]["value"] is None
    assert found["mean"] == {"AP": None}
