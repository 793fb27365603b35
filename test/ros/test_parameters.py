"""Parameters: one schema behind declarations, ranges, the file and what is refused."""

from pathlib import Path

import pytest
import rclpy
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from robot_vision.core.config import NodeConfig, flatten
from robot_vision.core.errors import ConfigError
from robot_vision.ros.parameter_file import parameter_file
from robot_vision.ros.params import declare

CONFIG = Path(__file__).resolve().parents[2] / "config" / "perception.yaml"


def declared(*arguments: str) -> tuple[Node, NodeConfig]:
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("perception", context=context, cli_args=["--ros-args", *arguments])
    try:
        return node, declare(node, NodeConfig())
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


def test_the_file_is_what_the_schema_says() -> None:
    expected = parameter_file(NodeConfig())
    assert CONFIG.read_text() == expected, (
        "write it anew: python -m robot_vision.ros.parameter_file > config/perception.yaml"
    )


def test_ros_reads_the_file_back_as_the_defaults() -> None:
    _, config = declared("--params-file", str(CONFIG))
    assert config == NodeConfig()


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
