"""Pages of the nodes' parameters, from their schemas in `robot_vision/core/`."""

import json
from collections.abc import Iterator
from typing import Any

from robot_vision.core.parameters.config import NodeConfig, Params
from robot_vision.core.parameters.console_config import ConsoleConfig
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig, RobotSimConfig
from robot_vision.core.parameters.source_config import SourceConfig

NODES: dict[str, Params] = {
    "perception": NodeConfig(),
    "policy": PolicyNodeConfig(),
    "console": ConsoleConfig(),
    "demonstrations": DemonstrationConfig(),
    "source": SourceConfig(),
    "robot_sim": RobotSimConfig(),
}
_HEAD = "| parameter | default | values | |\n|---|---|---|---|"


def parameter_pages() -> dict[str, str]:
    """A page a node, by its name."""
    return {node: _page(node, params) for node, params in NODES.items()}


def _page(node: str, params: Params) -> str:
    about = (type(params).__doc__ or "").strip()
    return f"# Parameters of `{node}`\n\n{about}\n\n" + "\n\n".join(_groups(params, "")) + "\n"


def _groups(params: Params, prefix: str) -> Iterator[str]:
    """A table of the group's own parameters, then its groups."""
    schema = type(params).model_json_schema()["properties"]
    values = {name: getattr(params, name) for name in type(params).model_fields}
    own = {name: value for name, value in values.items() if not isinstance(value, Params)}
    title = [f"## {prefix}*"] if prefix else []
    about = [(type(params).__doc__ or "").strip()] if prefix else []
    rows = [_row(f"{prefix}{name}", value, schema[name]) for name, value in own.items()]
    table = ["\n".join([_HEAD, *rows])] if rows else []
    if table:
        yield "\n\n".join([*title, *about, *table])
    for name, value in values.items():
        if isinstance(value, Params):
            yield from _groups(value, f"{prefix}{name}.")


def _row(name: str, value: Any, schema: dict[str, Any]) -> str:
    shown = f"`{json.dumps(value)}`" if value != "" else "empty"
    cells = (f"`{name}`", shown, _values(schema), schema.get("description", ""))
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(schema: dict[str, Any]) -> str:
    """Which values it takes, with the unit."""
    unit = schema.get("unit", "")
    if "enum" in schema:
        return ", ".join(f"`{choice}`" for choice in schema["enum"])
    low = _bound(schema, "minimum", "exclusiveMinimum", "≥", ">")
    high = _bound(schema, "maximum", "exclusiveMaximum", "≤", "<")
    return " ".join(part for part in (", ".join(filter(None, (low, high))), unit) if part)


def _bound(schema: dict[str, Any], closed: str, open_: str, sign: str, open_sign: str) -> str:
    if closed in schema:
        return f"{sign} {schema[closed]:g}"
    return f"{open_sign} {schema[open_]:g}" if open_ in schema else ""
