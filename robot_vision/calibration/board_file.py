"""A board's description as YAML: written beside its picture, read by the other commands."""

from pathlib import Path

import yaml
from pydantic import ValidationError

from robot_vision.calibration.board import Board
from robot_vision.core.calibration_config import BoardConfig
from robot_vision.core.errors import ConfigError
from robot_vision.core.foreign import brief, read_yaml


def write_board(path: Path, config: BoardConfig) -> None:
    path.write_text(yaml.safe_dump(config.model_dump(), sort_keys=False))


def read_board(path: Path) -> Board:
    """Raises `ConfigError` or `ForeignFileError` that names file, field and what was expected."""
    content = read_yaml(path)
    if not isinstance(content, dict):
        raise ConfigError(f"{path} has no fields; expected kind, columns, rows, square_m …")
    try:
        return Board(BoardConfig.model_validate(content))
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'board'}: {fault['msg']} "
            f"(it is {brief(fault['input'])})"
            for fault in error.errors()
        )
        raise ConfigError(f"{path} is no board: {faults}") from error
