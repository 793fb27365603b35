"""What a run was made for, beside its weights: all that exporting them needs."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from robot_vision.core.action_spec import ActionStatistics
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import quoted, read_json
from robot_vision.core.policy_manifest import Vocabulary
from robot_vision.models.policies.pointer import PolicySpec
from robot_vision.rollouts.episode_files import SetDescription

RUN_FILE = "policy_run.json"


@dataclass(frozen=True, kw_only=True)
class RunDescription:
    """Sizes of the network, its words, the units of its actions, and what it was shown."""

    spec: PolicySpec
    vocabulary: Vocabulary
    statistics: ActionStatistics
    shown: SetDescription


def save_description(folder: Path, description: RunDescription) -> None:
    """Write `policy_run.json`."""
    content = {
        "spec": asdict(description.spec),
        "vocabulary": description.vocabulary.model_dump(),
        "statistics": description.statistics.model_dump(),
        "shown": description.shown.model_dump(),
    }
    (folder / RUN_FILE).write_text(json.dumps(content, indent=1))


def load_description(folder: Path) -> RunDescription:
    """Read what `save_description` wrote; raises `ConfigError` if it is not there."""
    file = folder / RUN_FILE
    if not file.is_file():
        raise ConfigError(f"{folder} is no run of `robot-vision train policy`: no {RUN_FILE}")
    content = read_json(file)
    try:
        return RunDescription(
            spec=PolicySpec(**content["spec"]),
            vocabulary=Vocabulary.model_validate(content["vocabulary"]),
            statistics=ActionStatistics.model_validate(content["statistics"]),
            shown=SetDescription.model_validate(content["shown"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"{file} describes no run: {quoted(repr(error))}") from error
