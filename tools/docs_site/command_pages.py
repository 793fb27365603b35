"""Pages of the command line, from the commands as typer has them."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer.main

from robot_vision.cli import app

_ROOT = "robot-vision"


def command_pages() -> dict[str, str]:
    """A page for each command or group below `robot-vision`, by its name."""
    root: Any = typer.main.get_command(app)
    return {
        name: "\n\n".join([f"# {_ROOT} {name}", *_parts(command, f"{_ROOT} {name}")]) + "\n"
        for name, command in sorted(root.commands.items())
    }


def command_list() -> str:
    """Every command with the first line of its help."""
    root: Any = typer.main.get_command(app)
    rows = [
        f"| [`{path}`](commands_{top}.md{anchor}) | {_first_line(command)} |"
        for top, group in sorted(root.commands.items())
        for path, command, anchor in _leaves(top, group)
    ]
    return "\n".join(["# Commands", "", "| command | |", "|---|---|", *rows]) + "\n"


def _leaves(name: str, command: Any) -> Iterator[tuple[str, Any, str]]:
    children = getattr(command, "commands", {})
    if not children:
        yield name, command, ""
    for child_name, child in children.items():
        yield f"{name} {child_name}", child, f"#robot-vision-{name}-{child_name}"


def _parts(command: Any, path: str) -> Iterator[str]:
    yield _help(command)
    children = getattr(command, "commands", {})
    if not children or (command.callback is not None and command.params):
        yield _usage(command, path)
        yield from _tables(command)
    for name, child in children.items():
        yield f"## {path} {name}"
        yield from _parts(child, f"{path} {name}")


def _help(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\f", "")


def _first_line(command: Any) -> str:
    return _help(command).partition("\n")[0].replace("|", "\\|")


def _usage(command: Any, path: str) -> str:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    words = [f"{p.name.upper()}{'…' if p.nargs == -1 else ''}" for p in arguments]
    words = [word if p.required else f"[{word}]" for word, p in zip(words, arguments, strict=True)]
    options = " [OPTIONS]" if len(arguments) < len(command.params) else ""
    return f"```text\n{' '.join([path, *words])}{options}\n```"


def _tables(command: Any) -> Iterator[str]:
    """A table for each panel of options, the arguments first."""
    panels: dict[str, list[str]] = {}
    for parameter in command.params:
        if getattr(parameter, "hidden", False):
            continue
        is_argument = parameter.param_type_name == "argument"
        panel = getattr(parameter, "rich_help_panel", None) or (
            "Arguments" if is_argument else "Options"
        )
        panels.setdefault(panel, []).append(_row(parameter, is_argument))
    for panel, rows in panels.items():
        yield "\n".join([f"| {panel} | default | |", "|---|---|---|", *rows])


def _row(parameter: Any, is_argument: bool) -> str:
    names = (
        [parameter.name.upper()] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    )
    name = ", ".join(f"`{name}`" for name in names)
    default = parameter.default
    hidden = default is None or default == "" or callable(default) or parameter.required
    shown = "" if hidden or default == () else f"`{default}`"
    help_ = (getattr(parameter, "help", "") or "").replace("\n", " ")
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in (name, shown, help_)) + " |"
