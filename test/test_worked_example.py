"""The worked example of CONTRIBUTING.md is the model that ships, and is as short as it says."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ("robot_vision/models/depth/tiny_depth.py", "config/recipes/depth/tiny-depth.yaml")
MOST_LINES = 60


def shown(name: str) -> str:
    """The block of CONTRIBUTING.md that follows the file's name."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    found = re.search(rf"`{re.escape(name)}`:?\n```\w+\n(.*?)```", text, re.DOTALL)
    assert found, f"CONTRIBUTING.md does not show {name}"
    return found[1]


@pytest.mark.parametrize("name", EXAMPLE)
def test_the_files_are_shown_as_they_are(name: str) -> None:
    assert shown(name) == (ROOT / name).read_text()


def test_the_example_is_short() -> None:
    assert sum(len(shown(name).splitlines()) for name in EXAMPLE) <= MOST_LINES
