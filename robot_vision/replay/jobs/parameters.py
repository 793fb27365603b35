"""Parameters of a replay: the node's, from its own YAML file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import load_yaml, with_values


def node_config(path: Path | None, changes: Mapping[str, Any]) -> NodeConfig:
    """The defaults, then the file at `path` (a ROS parameter file or a plain mapping), then
    `changes`; raises `ConfigError` naming what is not accepted."""
    values = _flat(_parameters(load_yaml(path), path)) if path else {}
    return with_values(NodeConfig(), {**values, **changes})


def _parameters(data: dict[str, Any], path: Path) -> dict[str, Any]:
    nodes = [v for v in data.values() if isinstance(v, dict) and "ros__parameters" in v]
    if not nodes:
        return data
    if len(nodes) > 1:
        raise ConfigError(
            f"{path} has parameters of {', '.join(data)}; expected those of one node"
        )
    return nodes[0]["ros__parameters"] or {}


def _flat(data: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in data.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            # ROS cannot infer the type of [], so empty lists are [''] in its files.
            flat[f"{prefix}{name}"] = [item for item in value if item != ""]
        else:
            flat[f"{prefix}{name}"] = value
    return flat
