"""Launch files run by the real `launch`; programs below a prefix write down what they get."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = """
import sys
from launch import LaunchDescription, LaunchService
from launch.actions import IncludeLaunchDescription
from launch.launch_description_sources import PythonLaunchDescriptionSource
given = [tuple(argument.split(":=", 1)) for argument in sys.argv[2:]]
source = PythonLaunchDescriptionSource(sys.argv[1])
service = LaunchService()
service.include_launch_description(
    LaunchDescription([IncludeLaunchDescription(source, launch_arguments=given)])
)
sys.exit(service.run())
"""


def install_package(prefix: Path) -> None:
    """The package below `prefix` as colcon installs it, but for its programs."""
    share = prefix / "share"
    index = share / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True)
    (index / "robot_vision").touch()
    (share / "robot_vision").mkdir()
    for name in ("launch", "config", "package.xml"):
        (share / "robot_vision" / name).symlink_to(ROOT / name)


def launch(prefix: Path, file: Path, *arguments: str) -> tuple[list[dict[str, Any]], str]:
    """What ran, as it wrote that to a file in $SEEN; the launch's output where it failed.

    Skips the test where `launch` is not installed.
    """
    pytest.importorskip("launch", reason="launch comes with a ROS installation")
    pytest.importorskip("launch_ros", reason="launch_ros comes with a ROS installation")
    seen = prefix / "seen"
    seen.mkdir()
    known = {k: v for k, v in os.environ.items() if k != "FASTRTPS_DEFAULT_PROFILES_FILE"}

    def after(first: Path, name: str) -> str:
        return os.pathsep.join([str(first), *filter(None, [known.get(name)])])

    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(file), *arguments],
        env=known
        | {
            "SEEN": str(seen),
            "AMENT_PREFIX_PATH": after(prefix, "AMENT_PREFIX_PATH"),
            "PATH": after(prefix / "bin", "PATH"),
            "PYTHONPATH": after(ROOT, "PYTHONPATH"),
            "ROS_LOG_DIR": str(prefix / "log"),
        },
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    ran = [json.loads(written.read_text()) for written in seen.iterdir()]
    return ran, done.stdout + done.stderr if done.returncode else ""
