"""Untrusted input: paths that stay below a root; text, JSON and YAML read within limits."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from robot_vision.core.errors import ForeignFileError

MOST_TEXT_BYTES = 64 * 2**20
# PyYAML is pure Python: a megabyte takes seconds.
MOST_YAML_BYTES = 1 * 2**20
LONGEST_LINE = 500
_LONGEST_QUOTE = 200
# Characters that terminals interpret (controls including ESC, except line ends and tabs),
# text-direction overrides, and non-UTF-8 bytes of file names, which no stream accepts.
_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_LONGEST_NUMBER = 100
_NUMBERS = ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")


def inside(root: Path, name: str) -> Path:
    """Return `root / name` if it lies below `root` after resolving links and `..`.

    Raises `ForeignFileError` if it does not: an untrusted file must not name yours.
    """
    try:
        path = (root / name).resolve()
        is_inside = path.is_relative_to(root.resolve()) and path != root.resolve()
    except (
        OSError,
        RuntimeError,
        ValueError,
    ):  # a loop of links, a NUL byte, or a name that is too long
        is_inside = False
    if not is_inside:
        raise ForeignFileError(f"{quoted(name)} is not a file below {root}, so it was not opened")
    return root / name


def is_git_lfs_pointer(path: Path) -> bool:
    """Whether the file is only Git LFS's reference to the content, which was not fetched."""
    try:
        with path.open("rb") as file:
            return file.read(len(_LFS_POINTER)) == _LFS_POINTER
    except OSError:
        return False


def quoted(text: object) -> str:
    """Untrusted text as one line of bounded length, safe to log: controls are escaped."""
    shown = repr(str(text)[: _LONGEST_QUOTE + 1])
    return shown if len(str(text)) <= _LONGEST_QUOTE else f"{shown[:_LONGEST_QUOTE]}…'"


def plain(text: object) -> str:
    """Untrusted text, safe to show and store anywhere: control characters are escaped."""
    return _OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def brief(text: object, *, most: int = _LONGEST_QUOTE) -> str:
    """`plain` text as one line of at most `most` characters, for a table or a sentence."""
    line = plain(str(text)[: most + 1]).replace("\n", "\\n").replace("\t", "\\t")
    return line if len(line) <= most else f"{line[: most - 1]}…"


def read_text(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> str:
    """UTF-8 text of at most `most_bytes`; raises `ForeignFileError` naming the file and the
    fault."""
    try:
        if path.exists() and not path.is_file():  # reading a pipe may never end
            raise ForeignFileError(f"{path} is not a regular file, so it was not opened")
        with path.open("rb") as file:
            content = file.read(most_bytes + 1)
    except ForeignFileError:
        raise
    except (OSError, ValueError) as error:
        raise ForeignFileError(f"cannot read {path}: {error}") from error
    if len(content) > most_bytes:
        raise ForeignFileError(
            f"{path} is larger than {most_bytes} bytes, the largest size that is read"
        )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ForeignFileError(f"{path} is not UTF-8 text: {error}") from error


def parse_json(text: str | bytes, *, what: str) -> Any:
    """Untrusted JSON; raises `ForeignFileError` naming `what` and the fault."""
    try:
        return json.loads(text)
    except RecursionError:
        raise ForeignFileError(f"{what}: JSON is nested too deeply") from None
    except ValueError as error:  # syntax errors, bytes that are not UTF-8, numbers of 5000 digits
        raise ForeignFileError(f"{what}: expected JSON, but {error}") from error


def read_json(path: Path, *, most_bytes: int = MOST_TEXT_BYTES) -> Any:
    """An untrusted JSON file; raises `ForeignFileError`."""
    return parse_json(read_text(path, most_bytes=most_bytes), what=str(path))


def parse_yaml(text: str, *, what: str) -> Any:
    """Plain YAML without aliases, with which a short text can expand to gigabytes."""
    if len(text.encode()) > MOST_YAML_BYTES:
        raise ForeignFileError(f"{what} is longer than {MOST_YAML_BYTES} bytes of YAML")
    try:
        return yaml.load(text, Loader=_PlainLoader)  # noqa: S506 - a yaml.SafeLoader
    except RecursionError:
        raise ForeignFileError(f"{what}: YAML is nested too deeply") from None
    except Exception as error:  # PyYAML raises whatever it runs into: a missing key, for example
        raise ForeignFileError(f"{what}: expected YAML, but {error}") from error


def read_yaml(path: Path) -> Any:
    """An untrusted YAML file; raises `ForeignFileError`."""
    return parse_yaml(read_text(path, most_bytes=MOST_YAML_BYTES), what=str(path))


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark
            raise yaml.YAMLError(f"it uses an alias (line {mark.line + 1}); write the value out")
        node = super().compose_node(parent, index)
        # 1:1:1:… is a base-60 number: a megabyte of it takes a minute.
        if node is not None and node.tag in _NUMBERS and len(node.value) > _LONGEST_NUMBER:
            raise yaml.YAMLError(
                f"it has a number of {len(node.value)} characters "
                f"(line {node.start_mark.line + 1}); expected at most {_LONGEST_NUMBER}"
            )
        return node
