"""Reads a folder written by `save_pretrained`: kind, picture preparation, names, licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError, ForeignFileError
from robot_vision.core.files.foreign import brief, parse_yaml, quoted, read_json, read_text

_FENCE = "---"
UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelFolder:
    """`config` and `processor` are config.json and the picture preparation, empty if absent."""

    path: Path
    config: Mapping[str, Any]
    processor: Mapping[str, Any]
    licence: str

    @property
    def kind(self) -> str:
        """`model_type` of the config; empty where there is none."""
        return str(self.config.get("model_type", ""))

    def has(self, *patterns: str) -> bool:
        """Whether a file of one of these names is there."""
        return any(any(self.path.glob(pattern)) for pattern in patterns)

    def classes(self) -> tuple[str, ...]:
        """Names of the classes by number; raises `ConfigError` if any is missing."""
        from robot_vision.importing.reading.class_names import names_of

        names = self.config.get("id2label")
        if not names:
            raise ConfigError(f"{self.path / 'config.json'} has no id2label: names of the classes")
        return names_of(names, what=f"id2label of {self.path / 'config.json'}")


def read_folder(path: Path) -> ModelFolder:
    """Raises `ConfigError` for a file without fields, `ForeignFileError` for an unreadable one."""
    processor = _mapping(path / "preprocessor_config.json")
    if not processor:
        processor = _mapping(path / "processor_config.json").get("image_processor") or {}
    return ModelFolder(
        path=path,
        config=_mapping(path / "config.json"),
        processor=processor,
        licence=_licence(path / "README.md"),
    )


def _mapping(file: Path) -> Mapping[str, Any]:
    if not file.is_file():
        return {}
    found = read_json(file)
    if not isinstance(found, dict):
        raise ConfigError(f"{file} holds {quoted(found)}; expected fields by name")
    return found


def _licence(card: Path) -> str:
    """`license` in a model card's front matter, with its name if it is not a standard one."""
    try:
        head = read_text(card).split(f"{_FENCE}\n", 2) if card.is_file() else []
        said = parse_yaml(head[1], what=str(card)) if len(head) == 3 and not head[0] else {}
    except ForeignFileError:
        return UNKNOWN  # a card is prose: what cannot be read is ignored
    if not isinstance(said, dict):
        return UNKNOWN
    licence = said.get("license") or UNKNOWN
    if licence == "other":
        parts = (said.get("license_name"), said.get("license_link"))
        licence = " ".join(str(part) for part in ("other:", *parts) if part)
    return brief(licence)
