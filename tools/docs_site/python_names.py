"""The page of `import robot_vision as rv`: every public name with its signature and docstring."""

import ast
import dataclasses
import inspect
import textwrap
from typing import Any

import robot_vision as rv

_HEAD = """\
# Python

Every name of `import robot_vision as rv`. With examples: [From Python](../python.md).
"""


def python_page() -> str:
    return "\n\n".join([_HEAD.rstrip(), *(_entry(name) for name in rv.__all__)]) + "\n"


def _entry(name: str) -> str:
    value = getattr(rv, name)
    if inspect.ismodule(value):  # rv.replay: a package that can be called
        value = inspect.unwrap(value.__call__) if hasattr(value, "__call__") else value
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
    arguments = ast.unparse(tree.args).removeprefix("self, ").removeprefix("self")
    returns = f" -> {ast.unparse(tree.returns)}" if tree.returns else ""
    line = f"{name}({arguments}){returns}"
    if len(line) > 88:
        parts = [ast.unparse(part) for part in _as_parameters(tree.args)]
        line = f"{name}(\n" + "".join(f"    {part},\n" for part in parts) + f"){returns}"
    return f"```python\n{line}\n```"


def _as_parameters(given: ast.arguments) -> list[ast.arguments]:
    """Each parameter as a list of its own, so that it can be written with its default."""
    empty = {"posonlyargs": [], "kwonlyargs": [], "kw_defaults": [], "defaults": []}
    plain = [argument for argument in given.args if argument.arg != "self"]
    defaults = [None] * (len(plain) - len(given.defaults)) + list(given.defaults)
    parts = [
        ast.arguments(**{**empty, "args": [argument], "defaults": [default] if default else []})
        for argument, default in zip(plain, defaults[-len(plain) or None :], strict=False)
    ]
    if given.kwonlyargs:
        parts.append(ast.arguments(**empty, args=[], vararg=ast.arg("")))
    parts += [
        ast.arguments(**{**empty, "args": [argument], "defaults": [default] if default else []})
        for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)
    ]
    return parts


def _fields(value: Any) -> str:
    tree = ast.parse(textwrap.dedent(inspect.getsource(value))).body[0]
    assert isinstance(tree, ast.ClassDef)
    rows = [
        f"| `{node.target.id}` | `{ast.unparse(node.annotation)}` | "
        f"{f'`{ast.unparse(node.value)}`' if node.value else ''} |".replace("'", '"')
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
