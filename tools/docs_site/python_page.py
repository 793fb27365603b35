"""The page of `import robot_vision as rv`: every public name with its signature and docstring."""

import ast
import dataclasses
import inspect
import textwrap
from typing import Any

import robot_vision as rv
from robot_vision.replay.jobs.from_python import replay

_HEAD = """\
# Python

Every name of `import robot_vision as rv`. With examples: [From Python](../python.md).
"""


def python_page() -> str:
    return "\n\n".join([_HEAD.rstrip(), *(_entry(name) for name in rv.__all__)]) + "\n"


def _entry(name: str) -> str:
    value = getattr(rv, name)
    if inspect.ismodule(value):  # a package that can be called, as a function of its name
        value = replay
    parts = [f"## rv.{name}"]
    if dataclasses.is_dataclass(value):
        parts += [_doc(value), _fields(value)]
    elif inspect.isclass(value):
        parts += [_doc(value), *_methods(value)]
    else:
        parts += [_signature(f"rv.{name}", value), _doc(value)]
    return "\n\n".join(part for part in parts if part)


def _doc(value: Any) -> str:
    return inspect.cleandoc(value.__doc__ or "")


def _signature(name: str, function: Any) -> str:
    """As the source has it: types as they are written, one parameter a line where it is long."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
    assert isinstance(tree, ast.FunctionDef)
    returns = ast.unparse(tree.returns).strip("'") if tree.returns else "Any"
    parts = _parameters(tree.args)
    line = f"{name}({', '.join(parts)}) -> {returns}"
    if len(line) > 88:
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f") -> {returns}"
    return f"```python\n{line}\n```"


def _parameters(given: ast.arguments) -> list[str]:
    defaults = [None] * (len(given.args) - len(given.defaults)) + given.defaults
    plain = [p for p in zip(given.args, defaults, strict=True) if p[0].arg != "self"]
    named = list(zip(given.kwonlyargs, given.kw_defaults, strict=True))
    star = ["*"] if named else []
    return [*(_parameter(*p) for p in plain), *star, *(_parameter(*p) for p in named)]


def _parameter(argument: ast.arg, default: ast.expr | None) -> str:
    text = ast.unparse(argument)
    return f"{text} = {ast.unparse(default)}" if default else text


def _fields(value: Any) -> str:
    """A row per field: its own, then the inherited ones."""
    kinds = [kind for kind in value.__mro__ if dataclasses.is_dataclass(kind)]
    trees = [ast.parse(textwrap.dedent(inspect.getsource(kind))).body[0] for kind in kinds]
    rows = [
        f"| `{node.target.id}` | `{ast.unparse(node.annotation)}` | "
        f"{f'`{ast.unparse(node.value)}`' if node.value else ''} |".replace("'", '"')
        for tree in trees
        if isinstance(tree, ast.ClassDef)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    rows = [row.replace(" | None", " or None") for row in rows]
    return "\n".join(["| field | type | default |", "|---|---|---|", *rows])


def _methods(value: Any) -> list[str]:
    parts: list[str] = []
    for name, member in vars(value).items():
        is_shown = not name.startswith("_") or name == "__call__"
        if inspect.isfunction(member) and is_shown and member.__doc__:
            shown = f"{value.__name__.lower()}" + ("" if name == "__call__" else f".{name}")
            parts += [_signature(shown, member), _doc(member)]
    return parts
