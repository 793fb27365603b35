"""The dotted names of a recipe: known ones, unknown ones, and the nearest match."""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_args

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.params import Params

# Names below a group; a plain value has none below it.
Tree = dict[str, "Tree"]


def tree_of(kind: type[Params]) -> Tree:
    """The names of a group of parameters and of the groups in it, in lists too."""
    return {name: _below(field.annotation) for name, field in kind.model_fields.items()}


def _below(annotation: Any) -> Tree:
    for candidate in (annotation, *get_args(annotation)):
        if isinstance(candidate, type) and issubclass(candidate, Params):
            return tree_of(candidate)
    return {}


def dotted(tree: Tree, prefix: str = "") -> Iterator[str]:
    """All names of a tree, groups before what is in them."""
    for name, below in tree.items():
        yield f"{prefix}{name}"
        yield from dotted(below, f"{prefix}{name}.")


def unknown_names(values: Mapping[str, Any], tree: Tree, prefix: str = "") -> Iterator[str]:
    """Dotted names of values that are not in the tree."""
    for name, value in values.items():
        if name not in tree:
            yield f"{prefix}{name}"
        elif tree[name]:
            for group in value if isinstance(value, list) else [value]:
                if isinstance(group, Mapping):
                    yield from unknown_names(group, tree[name], f"{prefix}{name}.")


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name probably meant, by its last words or its spelling; else empty."""
    known = list(known)
    best = max(known, key=lambda other: _common_end(name, other), default="")
    if best and _common_end(name, best):
        return best
    by_letters = get_close_matches(name, known, n=1)
    if by_letters:
        return by_letters[0]
    last = {other.rpartition(".")[2]: other for other in reversed(known)}
    found = get_close_matches(name.rpartition(".")[2], last, n=1)
    return last[found[0]] if found else ""


def _common_end(name: str, other: str) -> int:
    """The number of words both end with; 0 unless the last one matches fully."""
    count = 0
    pairs = zip(reversed(name.split(".")), reversed(other.split(".")), strict=False)
    for one, two in pairs:
        if one != two:
            break
        count += 1
    return count


def place(values: dict[str, Any], name: str, value: Any, tree: Tree) -> None:
    """Set a dotted name in nested values, creating its groups.

    Below a plain mapping, the rest of the name is one key: `optimizer.rates.encoder.*`.
    Raises `ConfigError` for a name within a list.
    """
    head, _, rest = name.partition(".")
    if not rest or head not in tree:
        values[name] = value
        return
    inner = values.get(head) or {}
    if isinstance(inner, Params):
        inner = inner.model_dump()
    if not isinstance(inner, dict):
        raise ConfigError(f"{name!r}: {head!r} holds {inner!r}, whose entries no name can reach")
    values[head] = inner = dict(inner)
    if tree[head]:
        place(inner, rest, value, tree[head])
    else:
        inner[rest] = value
