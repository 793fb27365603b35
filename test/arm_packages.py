"""Public packages of arms, as an installation made of sources that somebody fetched.

None of it is in this repository: ROBOT_VISION_ROS_SOURCES names a folder with a bare clone of each
repository in `owner+name/repo`. Tests that need a package that is not there are skipped.
"""

import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import pytest

SOURCES = Path(os.environ.get("ROBOT_VISION_ROS_SOURCES", "/work/.mirror"))


class Source(NamedTuple):
    """Where a package is: repository, branch, folder in it."""

    repository: str
    branch: str
    folder: str


_UR, _FRANKA = "UniversalRobots+Universal_Robots_ROS2_Driver", "frankarobotics+franka_ros2"
_XSARMS = "Interbotix+interbotix_ros_manipulators"
PACKAGES = {
    "ur_description": Source("UniversalRobots+Universal_Robots_ROS2_Description", "rolling", ""),
    "ur_robot_driver": Source(_UR, "jazzy", "ur_robot_driver"),
    "ur_moveit_config": Source(_UR, "jazzy", "ur_moveit_config"),
    "franka_description": Source("frankarobotics+franka_description", "main", ""),
    "franka_bringup": Source(_FRANKA, "jazzy", "franka_bringup"),
    "franka_gripper": Source(_FRANKA, "jazzy", "franka_gripper"),
    "franka_hardware": Source(_FRANKA, "jazzy", "franka_hardware"),
    "so_arm101_description": Source("JafarAbdi+ros2_so_arm100", "main", "so_arm101_description"),
    **{
        name: Source(_XSARMS, "jazzy", f"interbotix_ros_xsarms/{name}")
        for name in (
            "interbotix_xsarm_control",
            "interbotix_xsarm_descriptions",
            "interbotix_xsarm_ros_control",
        )
    },
}
PYTHON = {
    "xacro": Source("ros+xacro", "ros2", "xacro"),
    "interbotix_xs_modules": Source(
        "Interbotix+interbotix_ros_toolboxes",
        "jazzy",
        "interbotix_xs_toolbox/interbotix_xs_modules/interbotix_xs_modules",
    ),
}
# Stands for ament's index of what is installed, where ament itself is not.
_AMENT = """
import os
PackageNotFoundError = LookupError
def get_package_share_directory(name, **_):
    for prefix in os.environ["AMENT_PREFIX_PATH"].split(os.pathsep):
        if os.path.isdir(found := os.path.join(prefix, "share", name)):
            return found
    raise PackageNotFoundError(name)
"""


def text_of(source: Source) -> str:
    """A file of a repository; skips the test without it."""
    return _git(source.repository, "show", f"{source.branch}:{source.folder}").decode()


def _git(repository: str, *command: str, given: str = "") -> bytes:
    folder = SOURCES / repository / "repo"
    if not folder.is_dir():
        pytest.skip(f"{repository} is not in {SOURCES}: set ROBOT_VISION_ROS_SOURCES")
    done = subprocess.run(
        ["git", f"--git-dir={folder}", *command],
        input=given.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"{repository} has no {command[-1]}: {done.stderr.decode().strip()}")
    return done.stdout


def install(prefix: Path, *names: str) -> None:
    """Put packages into `prefix` as colcon would; skips the test where one is not there."""
    index = prefix / "share" / "ament_index" / "resource_index" / "packages"
    index.mkdir(parents=True, exist_ok=True)
    for name in names:
        _unpack(PACKAGES[name], prefix / "share" / name)
        (index / name).touch()
    (prefix / "python" / "ament_index_python").mkdir(parents=True, exist_ok=True)
    for name, source in PYTHON.items():
        _unpack(source, prefix / "python" / name)


def _unpack(source: Source, folder: Path) -> None:
    """What is only drawn is left out: it is large, and a snapshot may lack it."""
    listed = _git(
        source.repository, "ls-tree", "-r", "--name-only", f"{source.branch}:{source.folder}"
    )
    names = [n for n in listed.decode().splitlines() if "/visual/" not in n]
    inside = "" if not source.folder else f"{source.folder}/"
    asked = "".join(f"{source.branch}:{inside}{name}\n" for name in names)
    blobs = BytesIO(_git(source.repository, "cat-file", "--batch", given=asked))
    for name in names:
        head = blobs.readline().split()
        if head[-1] == b"missing":
            continue
        content = blobs.read(int(head[-1]))
        blobs.readline()
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def urdf_by_xacro(prefix: Path, file: str, **arguments: str) -> str:
    """The URDF of a xacro file below `prefix`/share."""
    (prefix / "python" / "ament_index_python" / "packages.py").write_text(_AMENT)
    (prefix / "python" / "ament_index_python" / "__init__.py").write_text(_AMENT)
    code = "import sys, xacro; print(xacro.process_file(sys.argv[1], mappings=dict("
    code += "a.split(':=', 1) for a in sys.argv[2:])).toxml())"
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            str(prefix / "share" / file),
            *(f"{name}:={value}" for name, value in arguments.items()),
        ],
        env=os.environ | {"AMENT_PREFIX_PATH": str(prefix), "PYTHONPATH": str(prefix / "python")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
