"""Parameters: one schema behind declarations, ranges, the file and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from robot_vision.core.errors import ConfigError
from robot_vision.core.parameters.config import NodeConfig
from robot_vision.core.parameters.values import flatten
from robot_vision.ros.common.params import declare
from robot_vision.ros.tools.parameter_file import DEFAULTS, parameter_file

CONFIG = Path(__file__).resolve().parents[2] / "config"


def declared(*arguments: str, name: str = "perception") -> tuple[Node, Any]:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node(name, context=context, cli_args=["--ros-args", *arguments])
    try:
        return node, declare(node, DEFAULTS[name])
    finally:
        node.destroy_node()
        context.try_shutdown()


def test_every_parameter_is_declared_with_description_unit_and_range() -> None:
    node, config = declared()
    assert config == NodeConfig()
    for name in flatten(config):
        assert node.describe_parameter(name).description, f"{name} has no description"
    tolerance = node.describe_parameter("sync.tolerance_s")
    assert "[s]" in tolerance.description
    assert tolerance.floating_point_range[0].to_value == 1.0
    assert node.describe_parameter("threads").integer_range[0].to_value == 256
    assert "cuda" in node.describe_parameter("device").additional_constraints


@pytest.mark.parametrize("name", DEFAULTS)
def test_the_file_is_what_the_schema_says(name: str) -> None:
    assert (CONFIG / f"{name}.yaml").read_text() == parameter_file(name), (
        f"python -m robot_vision.ros.tools.parameter_file {name} > config/{name}.yaml writes it"
    )


@pytest.mark.parametrize("name", DEFAULTS)
def test_ros_reads_the_file_back_as_the_defaults(name: str) -> None:
    _, config = declared("--params-file", str(CONFIG / f"{name}.yaml"), name=name)
    assert config == DEFAULTS[name]


def test_a_list_of_numbers_is_taken() -> None:
    given = "camera_pose.position_m:=[0.1, 0.2, 0.3]"
    _, config = declared("-p", given, name="policy")
    assert config.camera_pose.position_m == [0.1, 0.2, 0.3]


def test_values_given_are_taken() -> None:
    _, config = declared(
        "-p", "model:=mine", "-p", "detector.classes:=[cup, chair]", "-p", "sync.wait_s:=0.1"
    )
    assert (config.model, config.detector.classes, config.sync.wait_s) == (
        "mine",
        ["cup", "chair"],
        0.1,
    )


@pytest.mark.parametrize(
    "value", ["device:=tpu", "sync.tolerance_s:=7.0", "threads:=-1", "threads:=many"]
)
def test_values_that_do_not_fit_are_refused(value: str) -> None:
    with pytest.raises((ConfigError, ParameterException), match=value.split(":=")[0]):
        declared("-p", value)
