"""A detector and a recording that the replay tests share."""

from pathlib import Path

import pytest
from replay_scenes import Scene, red_square_bundle, write_mcap


@pytest.fixture(scope="session")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a bundle that finds red squares."""
    return red_square_bundle(tmp_path_factory.mktemp("models") / "red-squares")


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second of two squares, as an MCAP file."""
    return write_mcap(tmp_path_factory.mktemp("bags") / "squares.mcap", Scene().messages())
