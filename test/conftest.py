"""Shared by all tests: array shapes and types are checked, and real data is found or skipped."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import settings
from jaxtyping import install_import_hook

# Before any test module imports the package: annotations become assertions.
install_import_hook("robot_vision", "type_checks.check")

# How long an example takes says how busy the machine is, not whether the code is right. Examples
# are the same in every run, so that a change is not rejected for an example that it did not touch;
# ROBOT_VISION_EXPLORE=1 draws new ones.
_EXPLORES = bool(os.environ.get("ROBOT_VISION_EXPLORE"))
settings.register_profile("robot_vision", deadline=None, derandomize=not _EXPLORES)
settings.load_profile("robot_vision")

_SLOW_TIMEOUT_S = 1800  # a busy machine is several times slower; longer ones have their own mark
_SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real recordings, images and models; they are not part of the project."""
    if not _SHARED_DATA.is_dir():
        pytest.skip(f"real data is absent: no folder {_SHARED_DATA}")
    return _SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests with real DDS, servers and browsers run alone: they are marked `real_time`.

    Slow tests get more time, because a test that times out ends its worker.
    """
    for item in items:
        folder = item.path.relative_to(Path(__file__).parent).parts[0]
        if folder in ("ros", "console") or item.get_closest_marker("ros"):
            item.add_marker(pytest.mark.real_time)
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(_SLOW_TIMEOUT_S))


def pytest_collection_finish() -> None:
    """Else every pass of the garbage collector through all that tests import stops all threads.

    It takes .3 s alone and .8 s on a busy machine: longer than what real time is asked of.
    """
    gc.collect()
    gc.freeze()
