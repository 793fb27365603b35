"""The node's parameter file, written from the schema: `python -m robot_vision.ros.parameter_file`.

`config/perception.yaml` is its output; a test compares the two.
"""

import json
from collections.abc import Iterator
from typing import Any

from robot_vision.core.config import NodeConfig, Params
from robot_vision.ros.params import describe_parameter

_HEAD = """\
# Parameters of the perception node with their defaults, from robot_vision/core/config.py.
# Written by: python -m robot_vision.ros.parameter_file > config/perception.yaml
# /**/ matches the node in every namespace.
/**/perception:
  ros__parameters:
"""


def parameter_file(config: NodeConfig) -> str:
    """YAML with every parameter, its description, unit and range above it."""
    return _HEAD + "\n".join(_lines(config, indent=4)) + "\n"


def _lines(params: Params, *, indent: int) -> Iterator[str]:
    pad = " " * indent
    for name, field in type(params).model_fields.items():
        value = getattr(params, name)
        if isinstance(value, Params):
            yield f"{pad}{name}:"
            yield from _lines(value, indent=indent + 2)
        else:
            yield f"{pad}# {describe_parameter(field)}"
            yield f"{pad}{name}: {_scalar(value)}"


def _scalar(value: Any) -> str:
    # JSON is YAML; ROS cannot tell the type of an empty list.
    return json.dumps([""] if value == [] else value)


if __name__ == "__main__":
    print(parameter_file(NodeConfig()), end="")
