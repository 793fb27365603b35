"""A board's description as YAML: written beside its picture, read by the other commands."""

from pathlib import Path

import yaml

from robot_vision.calibration.boards.board import Board
from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import read_yaml
from robot_vision.core.parameters.groups.calibration_config import BoardConfig
from robot_vision.core.parameters.values import with_values


def write_board(path: Path, config: BoardConfig) -> None:
    path.write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))


def read_board(path: Path) -> Board:
    """Raises `ConfigError` or `ForeignFileError` that names file, field and what was expected."""
    content = read_yaml(path)
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise ConfigError(f"{path} has no fields; expected kind, columns, rows, square_m …")
    try:
        return Board(with_values(BoardConfig(), content))
    except ConfigError as error:
        raise ConfigError(f"{path} is not a board: {error}") from error
