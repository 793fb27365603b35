"""Resolves the argument of `models get`: a listed name, a hub's model, a URL, a folder."""

import re
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import quoted
from robot_vision.foundation.known import KNOWN, Known

_HUB = "hf:"
_MODEL = re.compile(r"^[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}$")
_REVISION = re.compile(r"^\w[\w./-]{0,99}$")
_EXPECTED = (
    "expected a name of `robot-vision models known`, hf:ORG/MODEL (or hf:ORG/MODEL@REVISION), "
    "the URL of an ONNX file, or a folder"
)


@dataclass(frozen=True, kw_only=True)
class Reference:
    """A model's location. `place` is ORG/MODEL, a URL or a path; `known` its entry in the list."""

    kind: Literal["hub", "url", "folder"]
    place: str
    revision: str = "main"
    known: Known | None = None

    @property
    def name(self) -> str:
        """A name for the bundle."""
        if self.known is not None:
            return self.known.name
        last = {
            "hub": lambda: self.place.rpartition("/")[2],
            "url": lambda: Path(urlsplit(self.place).path).stem,
            "folder": lambda: Path(self.place).resolve().name,
        }[self.kind]()
        return re.sub(r"[^a-z0-9.-]+", "-", last.lower()).strip("-.") or "model"


def reference_of(word: str) -> Reference:
    """Raises `ConfigError` with what was expected, and the nearest name."""
    if word in KNOWN:
        known = KNOWN[word]
        model, revision = _hub_model(known.source)
        return Reference(kind="hub", place=model, revision=revision, known=known)
    if word.startswith(_HUB):
        model, revision = _hub_model(word)
        return Reference(kind="hub", place=model, revision=revision)
    if urlsplit(word).scheme in ("http", "https"):
        return Reference(kind="url", place=word)
    if word and Path(word).expanduser().is_dir():
        return Reference(kind="folder", place=str(Path(word).expanduser()))
    close = get_close_matches(word, KNOWN, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    raise ConfigError(f"no model {quoted(word)}: {_EXPECTED}{hint}")


def _hub_model(word: str) -> tuple[str, str]:
    model, _, revision = word.removeprefix(_HUB).partition("@")
    revision = revision or "main"
    if not _MODEL.match(model) or not _REVISION.match(revision) or ".." in model + revision:
        raise ConfigError(f"{quoted(word)} is not a hub's model: {_EXPECTED}")
    return model, revision
