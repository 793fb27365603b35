"""The nodes' parameter files, written from their schemas.

`python -m robot_vision.ros.tools.parameter_file NODE > config/NODE.yaml`; a test compares the two.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from robot_vision.core.parameters.config import NodeConfig, Params
from robot_vision.core.parameters.demonstration_config import DemonstrationConfig
from robot_vision.core.parameters.robot_config import PolicyNodeConfig, RobotSimConfig
from robot_vision.ros.common.params import describe_parameter

_HEAD = """\
# Parameters of the node {node} with their defaults, from robot_vision/core/.
# Written by: python -m robot_vision.ros.tools.parameter_file {node} > config/{node}.yaml
# /**/ matches the node in every namespace.
/**/{node}:
  ros__parameters:
"""
DEFAULTS: dict[str, Params] = {
    "perception": NodeConfig(),
    "policy": PolicyNodeConfig(),
    "robot_sim": RobotSimConfig(),
    "demonstrations": DemonstrationConfig(),
}


def parameter_file(node: str) -> str:
    """YAML with every parameter of a node, its description, unit and range above it."""
    return _HEAD.format(node=node) + "\n".join(_lines(DEFAULTS[node], indent=4)) + "\n"


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
    # JSON is YAML; ROS cannot infer the type of an empty list.
    return json.dumps([""] if value == [] else value)


if __name__ == "__main__":
    print(parameter_file(sys.argv[1]), end="")
