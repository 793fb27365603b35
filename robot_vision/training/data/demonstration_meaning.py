"""What is said of the numbers of foreign sets, held against the data before training."""

from collections.abc import Sequence

from robot_vision.core.errors import ConfigError
from robot_vision.datasets.meaning.check import check_meaning
from robot_vision.training.demonstrations.sources import open_sources


def remarks_on_meaning(folders: Sequence[str], meaning: str) -> tuple[str, ...]:
    """What the data say about it; `meaning` is a YAML file, or empty. Our own sets are left out.

    Raises `ConfigError` where they contradict it: a policy would learn other motions.
    """
    sources = open_sources(folders, meaning)
    try:
        found = [
            (source.folder, finding)
            for source in sources
            if source.episodes.said_meaning is None
            for finding in check_meaning(source.episodes, source.meaning)
        ]
    finally:
        for source in sources:
            source.episodes.close()
    errors = [f"{folder}: {finding.text}" for folder, finding in found if finding.level == "error"]
    if errors:
        raise ConfigError(
            "the data contradict what their numbers are said to mean; `robot-vision "
            "demonstrations study` says more, options.check_meaning=false trains in spite of "
            f"it: {'; '.join(errors)}"
        )
    return tuple(f"{folder}: {finding.text}" for folder, finding in found)
