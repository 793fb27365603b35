"""What strangers wrote: paths that stay below a root, text, JSON and YAML read within bounds."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from robot_vision.core.errors import ForeignFileError

MOST_TEXT_BYTES = 64 * 2**20
# PyYAML is written in Python: a megabyte takes seconds.
MOST_YAML_BYTES = 1 * 2**20
LONGEST_LINE = 500
_LONGEST_QUOTE = 200
# What a terminal obeys (controls, ESC among them, but line ends and tabs), what turns the order of
# letters, and bytes of a file name that are no UTF-8, which no stream takes.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LONGEST_NUMBER = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def inside(root: Path, name: str) -> Path:
    """`root / name`, if that lies below `root` once links and `..` are resolved.

    Raises `ForeignFileError` where it does not: a stranger's file must not name yours.
    """
    try:
        path = (root / name).resolve()
        is_inside = path.is_relative_to(root.resolve()) and path != root.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop of links, a zero byte, a name too long
        is_inside = False
    if not is_inside:
        raise ForeignFileError(f"{quoted(name)} is not a file below {root}: it was not opened")
    return root / name


def quoted(text: object) -> str:
    """A stranger's text as one line of bounded length, safe to log: controls are escaped."""
    shown = repr(str(text)[: _LONGEST_QUOTE + 1])
    return shown if len(str(text)) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}…'"


def plain(text: object) -> str:
    """A stranger's text as it can be shown and stored anywhere: what is obeyed is an escape."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def brief(text: object, *, most: int = _LONGEST_QUOTE) -> str:
    """`plain` text as one line of at most `most` letters, for a table or a sentence."""
    line = plain(str(text)[: most + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def read_text(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> str:
    """UTF-8 text of at most `most_bytes`; raises `ForeignFileError` naming file and fault."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe may never end
            raise ForeignFileError(f"{path} is no plain file: it was not opened")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except ForeignFileError:
        raise
    except (OSError, ValueError) as error:
        raise ForeignFileError(f"cannot read {path}: {error}") from error
    if len(content) > most_bytes:
        raise ForeignFileError(f"{path} is longer than {most_bytes} bytes, the most that is read")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ForeignFileError(f"{path} is not UTF-8 text: {error}") from error


def parse_json(text: str | bytes, *, what: str) -> Any:
    """JSON of a stranger; raises `ForeignFileError` that names `what` and the fault."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ForeignFileError(f"{what}: JSON is nested too deeply") from None
    except ValueError as error:  # its faults, bytes that are no UTF-8, numbers of 5000 digits
        raise ForeignFileError(f"{what}: expected JSON, but {error}") from error


def read_json(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> Any:
    """A JSON file of a stranger; raises `ForeignFileError`."""
    return parse_json(read_text(path, most_bytes=most_bytes), what=str(path))


def parse_yaml(text: str, *, what: str) -> Any:
    """Plain YAML without aliases, which let a short text stand for gigabytes."""
    if len(text.encode()) > MOST_YAML_BYTES:
        raise ForeignFileError(f"{what} is longer than {MOST_YAML_BYTES} bytes of YAML")
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a yaml.SafeLoader
    except RecursionError:
        raise ForeignFileError(f"{what}: YAML is nested too deeply") from None
    except Exception as error:  # PyYAML raises what it stumbles over: a key that is not there …
        raise ForeignFileError(f"{what}: expected YAML, but {error}") from error


def read_yaml(path: Path) -> Any:
    """A YAML file of a stranger; raises `ForeignFileError`."""
    return parse_yaml(read_text(path, most_bytes=MOST_YAML_BYTES), what=str(path))


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"it uses an alias (line {mark.line + 1}); write the value out")
        node = super().compose_node(parent, index)
        # 1:1:1:… is a number to the base of 60: a megabyte of it takes a minute.
        if node is not None and node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            raise yaml.YAMLError(
                f"it has a number of {len(node.value)} characters "
                f"(line {node.start_mark.line + 1}); expected at most {_LONGEST_NUMBER}"
            )
        return node
