"""The package installs as pip and colcon would install it, complete and light."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[1]
MAX_PACKAGE_BYTES = 25_000_000


@pytest.fixture(scope="module")
def clean_tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What git tracks, as a clone would have it."""
    tree = tmp_path_factory.mktemp("ws") / "src" / "robot_vision"
    names = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, tree / name)
    return tree


@pytest.fixture(scope="module")
def wheel(clean_tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(out), str(clean_tree)],
        check=True,
        capture_output=True,
    )
    return next(out.glob("*.whl"))


def test_the_wheel_holds_launch_files_parameters_and_every_module(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    shared = [n.split("/share/robot_vision/")[1] for n in names if "/share/robot_vision/" in n]
    for expected in ("package.xml", "launch/perception.launch.py", "config/perception.yaml"):
        assert expected in shared
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "robot_vision").rglob("*.py")}
    assert modules <= set(names)
    assert not any("/data/bin/" in name for name in names), "pip makes robot-vision itself"


def test_the_wheel_is_small(wheel: Path) -> None:
    assert wheel.stat().st_size <= MAX_PACKAGE_BYTES


def test_the_default_install_is_light(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    metadata = next(n for n in archive.namelist() if n.endswith("METADATA"))
    required = [
        line.split(":")[1].strip()
        for line in archive.read(metadata).decode().splitlines()
        if line.startswith("Requires-Dist") and "extra ==" not in line
    ]
    for heavy in ("torch", "mujoco", "ros-jazzy", "matplotlib", "onnxruntime-gpu"):
        assert not any(name.startswith(heavy) for name in required), heavy


@pytest.mark.parametrize("more", [[], ["--symlink-install"]])
def test_colcon_builds_it_as_a_ros_package(clean_tree: Path, more: list[str]) -> None:
    colcon = shutil.which("colcon", path=str(Path(sys.executable).parent)) or shutil.which(
        "colcon"
    )
    if colcon is None:
        pytest.skip("colcon is not installed: pip install colcon-ros")
    workspace = clean_tree.parents[1]
    for folder in ("build", "install"):
        shutil.rmtree(workspace / folder, ignore_errors=True)
    build = [colcon, "build", "--merge-install", *more]
    subprocess.run(build, cwd=workspace, check=True, capture_output=True)
    installed = workspace / "install"
    assert (installed / "lib/robot_vision/perception_node").is_file()
    ament_hook = installed / "share/robot_vision/hook/ament_prefix_path.dsv"
    assert ament_hook.is_file(), "colcon took it for a plain Python package"
    assert (installed / "share/robot_vision/launch/perception.launch.py").is_file()
    assert (installed / "share/ament_index/resource_index/packages/robot_vision").is_file()
    sourced = subprocess.run(
        [
            "sh",
            "-c",
            f". {installed}/local_setup.sh; command -v robot-vision; robot-vision --help",
        ],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")},
        cwd=workspace,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert sourced.startswith(f"{installed}/bin/robot-vision\n")
    assert "doctor" in sourced


def test_nothing_committed_is_a_link() -> None:
    """A link to a place on one developer's machine leads nowhere on any other."""
    listed = ["git", "ls-files", "--stage"]
    entries = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line for line in entries.splitlines() if line.startswith("120000")] == []


def test_package_xml_names_what_ros_must_bring() -> None:
    package = ElementTree.parse(ROOT / "package.xml").getroot()  # noqa: S314 - our own file
    assert package.get("format") == "3"
    dependencies = {element.text for element in package.findall("exec_depend")}
    assert {"rclpy", "vision_msgs", "cv_bridge", "tf2_ros_py", "launch_ros"} <= dependencies
    maintainer = package.find("maintainer")
    assert maintainer is not None
    assert "@" in maintainer.get("email", "")
