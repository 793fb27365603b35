"""No parameter, launch argument or variable of the environment lets a node load code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hostile_files import DETECTOR, bundle_around, hostile_program

pytestmark = pytest.mark.ros
pytest.importorskip("torch", reason="torch is for training and this back-end only")


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (["robot_vision", "run", "--no-policy"], "can run any code when it is loaded"),
        (["robot_vision.ros.run", "--ros-args"], "can run any code when it is loaded"),
        # As `ros2 run … --allow-code`: no argument of ROS.
        (["robot_vision.ros.run", "--allow-code", "--ros-args"], "expected ROS's own arguments"),
    ],
)
def test_a_node_refuses_a_program_whatever_ros_says(
    tmp_path: Path, command: list[str], says: str
) -> None:
    marker = tmp_path / "code_has_run"
    program = hostile_program(tmp_path / "m.pt2", marker)
    evil = bundle_around(program, tmp_path / "evil", manifest=DETECTOR)
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(f"/**:\n  ros__parameters:\n    model: {evil}\n    allow_code: true\n")
    more = ["--params-file", str(parameters), "-p", "allow_code:=true"]
    node = subprocess.run(
        [sys.executable, "-m", *command, *more],
        env=os.environ | {"ALLOW_CODE": "1", "ROBOT_VISION_ALLOW_CODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert node.returncode == 2, node.stderr
    assert says in node.stderr
    assert "Traceback" not in node.stderr
    assert not marker.exists()
