"""The small sets that tests of training share."""

from pathlib import Path

import pytest
from shapes_set import write_shapes_set


@pytest.fixture(scope="session")
def shapes_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_set(tmp_path_factory.mktemp("shapes"), images=12)


@pytest.fixture(scope="session")
def boxes_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shapes_set(tmp_path_factory.mktemp("boxes"), images=6, boxes_only=True)
