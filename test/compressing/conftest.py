"""A set of shapes, made once."""

from pathlib import Path

import pytest
from shapes_set import write_shapes_set


@pytest.fixture(scope="session")
def shapes_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_set(tmp_path_factory.mktemp("sets") / "shapes", images=8)
