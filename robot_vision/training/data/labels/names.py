"""Class names as users write them: a line each, a list, or a mapping from ids."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.files.foreign import brief, inside, plain, quoted, read_json, read_text

CLASSES_FILE = "classes.txt"
LABELS_FILE = "labels.json"
_LONGEST_NAME = 200
_MOST_CLASSES = 65_536
_MOST_BYTES = 2**22


def checked_name(text: object) -> str:
    """The name of a class or a colour, safe to draw, print and write to files."""
    if not isinstance(text, str) or not text or len(text) > _LONGEST_NAME:
        raise ConfigError(f"a name is {quoted(text)}, expected 1 to {_LONGEST_NAME} letters")
    return plain(text)


def names_by_id(names: Any, *, what: object) -> tuple[str, ...]:
    """Names from a list, or from a mapping of ids (also as text) to names or the reverse.

    Raises `ConfigError` unless ids count from 0 without a gap.
    """
    if isinstance(names, dict):
        names = _in_order(names, what)
    if not isinstance(names, list) or not 0 < len(names) <= _MOST_CLASSES:
        raise ConfigError(
            f"{what}: names are {quoted(names)}; expected a list of 1 to {_MOST_CLASSES} names, "
            "or a mapping from ids to names"
        )
    # YAML reads names such as 1, 2.5 and no as other types.
    plain_values = [str(name) if isinstance(name, int | float) else name for name in names]
    return tuple(checked_name(name) for name in plain_values)


def in_words(names: Sequence[str]) -> str:
    """Names as a list for messages, truncated if long."""
    return brief(", ".join(names) or "none")


def check_same_classes(held_out: str, found: tuple[str, ...], wanted: tuple[str, ...]) -> None:
    """Raise `ConfigError` if the classes of a held-out set are not those of the training set."""
    if found == wanted:
        return
    differs = [
        f"{what} {in_words(names)}"
        for what, names in (
            ("it lacks", tuple(name for name in wanted if name not in found)),
            ("it alone has", tuple(name for name in found if name not in wanted)),
        )
        if names
    ]
    raise ConfigError(
        f"{held_out} has the classes {in_words(found)}; expected those of the training set, in "
        f"order: {in_words(wanted)} ({'; '.join(differs) or 'the same in another order'})"
    )


def names_in_file(root: Path) -> tuple[str, ...]:
    """Names in `classes.txt` (one per line) or `labels.json` of a folder; none if it has neither.

    Raises `ConfigError` or `ForeignFileError` if they cannot be read.
    """
    if (root / CLASSES_FILE).is_file():
        lines = read_text(inside(root, CLASSES_FILE), most_bytes=_MOST_BYTES).splitlines()
        while lines and not lines[-1].strip():
            lines.pop()
        return names_by_id([line.strip() for line in lines], what=root / CLASSES_FILE)
    if (root / LABELS_FILE).is_file():
        file = inside(root, LABELS_FILE)
        return names_by_id(read_json(file, most_bytes=_MOST_BYTES), what=file)
    return ()


def _in_order(names: dict[Any, Any], what: object) -> list[Any]:
    by_name = bool(names) and all(isinstance(value, int) for value in names.values())
    pairs = [(v, k) for k, v in names.items()] if by_name else list(names.items())
    try:
        by_id = {int(key): name for key, name in pairs}
    except (TypeError, ValueError):
        raise ConfigError(f"{what}: names are {quoted(names)}; expected ids 0, 1, 2 …") from None
    if sorted(by_id) != list(range(len(pairs))):
        raise ConfigError(
            f"{what}: ids of names are {quoted(sorted(by_id))}; expected 0 to {len(pairs) - 1}, "
            "each once"
        )
    return [by_id[key] for key in range(len(pairs))]
