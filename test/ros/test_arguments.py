"""Parameters of the command line win against every parameter file."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
import rclpy
from rclpy.node import Node
from robot_vision.ros.common.arguments import command_line_last
with command_line_last(sys.argv[1:]) as args:
    rclpy.init(args=["test", *args])
node = Node("policy", namespace="front", automatically_declare_parameters_from_overrides=True)
print(json.dumps({n: p.value for n, p in node.get_parameters_by_prefix("").items()}))
"""
PATTERNS = ("/**", "/**/policy", "/front/policy", "/*/policy")


def parameters(tmp_path: Path, patterns: tuple[str, ...], *arguments: str) -> dict[str, object]:
    files = []
    for number, pattern in enumerate(patterns):
        file = tmp_path / f"{number}.yaml"
        file.write_text(f"{pattern}:\n  ros__parameters:\n    x: '{pattern}'\n    y: file\n")
        files += ["--params-file", str(file)]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "--ros-args", *files, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("patterns", [PATTERNS, PATTERNS[::-1]])
@pytest.mark.parametrize("rule", ["x:=7", "policy:x:=7"])
def test_the_command_line_has_the_last_word(
    tmp_path: Path, patterns: tuple[str, ...], rule: str
) -> None:
    found = parameters(tmp_path, patterns, "-p", rule)
    assert (found["x"], found["y"]) == (7, "file")


def test_one_node_alone_and_values_of_all_types(tmp_path: Path) -> None:
    found = parameters(
        tmp_path,
        PATTERNS,
        *("-p", "policy:x:=[1.5, 2.0]", "-p", "other:x:=1"),
        *("--param", 'words:="12"', "-p", "a.b:=true"),
    )
    assert found["x"] == [1.5, 2.0]
    assert (found["words"], found["a.b"]) == ("12", True)
