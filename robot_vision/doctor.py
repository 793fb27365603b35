"""Checks of this machine: what is installed, what is wrong, and how to fix it."""

import os
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module, metadata
from pathlib import Path
from shutil import which
from typing import Literal

from robot_vision.bridge_trial import ADVICE, BridgeTrial, is_installed
from robot_vision.core.errors import RobotVisionError

Level = Literal["ok", "warn", "error"]

SHM_NEEDED_MB = 256
# Cyclone DDS recommends 8 MB; a socket buffer smaller than a few images loses parts of them.
RECEIVE_BUFFER_NEEDED = 8_388_608
RECEIVE_BUFFER_LIMIT = Path("/proc/sys/net/core/rmem_max")
# The variable that configures each middleware, and the file in `config/` suited to images.
_CONFIGURED_BY = {
    "rmw_cyclonedds_cpp": ("CYCLONEDDS_URI", "config/cyclonedds_images.xml"),
    "rmw_zenoh_cpp": ("ZENOH_SESSION_CONFIG_URI", "config/zenoh_session.json5"),
}
PYTHON_OLDEST, PYTHON_NEWEST = (3, 10), (3, 13)
# Pairs of packages that overwrite each other's files.
RIVALS = (
    ("opencv-python", "opencv-python-headless"),
    ("opencv-contrib-python", "opencv-python-headless"),
    ("onnxruntime", "onnxruntime-gpu"),
)
ROS_PACKAGES = ("vision_msgs", "tf2_ros")
# Modules of Python packages whose names differ.
APT_NAMES = {"tf2_ros": "tf2-ros-py"}
WHEELS = {"jazzy": "ros-jazzy-rclpy", "kilted": "ros-kilted-rclpy"}


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One checked item; `advice` says what to do about it."""

    subject: str
    level: Level
    found: str
    advice: str = ""


def examine() -> Iterator[Finding]:
    """Run every check. An `error` prevents the service from working."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python,
        _rival_packages,
        _ros,
        _middleware,
        _shared_memory,
        _providers,
        _models,
    )
    for check in checks:
        yield from check()


def _python() -> Iterator[Finding]:
    version = sys.version_info[:2]
    fits = PYTHON_OLDEST <= version <= PYTHON_NEWEST
    yield Finding(
        subject="Python",
        level="ok" if fits else "warn",
        found=f"{platform.python_version()} on {platform.machine()}, {os.cpu_count()} cores",
        advice="" if fits else "tested with 3.10 to 3.13",
    )


def _rival_packages() -> Iterator[Finding]:
    clashes = [pair for pair in RIVALS if all(map(_version, pair))]
    for first, second in clashes:
        yield Finding(
            subject="packages",
            level="error",
            found=f"{first} and {second} are both installed and overwrite each other",
            advice=f"pip uninstall -y {first} {second} && pip install {second}",
        )
    if not clashes:
        yield Finding(subject="packages", level="ok", found="no conflicting packages")


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _ros() -> Iterator[Finding]:
    distro = os.environ.get("ROS_DISTRO", "")
    wheels = {name: _version(package) for name, package in WHEELS.items() if _version(package)}
    of_wheels = ", ".join(f"{name}, wheels of rclpy {number}" for name, number in wheels.items())
    if distro and wheels:
        yield Finding(
            subject="ROS 2",
            level="error",
            found=f"ROS 2 {distro} is sourced, but its packages are also installed as wheels: "
            f"{of_wheels}",
            advice=f"pip uninstall {' '.join(WHEELS[name] for name in wheels)} "
            "ros-common-interfaces, or use another venv",
        )
    try:
        import_module("rclpy")
    except (ImportError, OSError) as error:
        advice = "source /opt/ros/<distro>/setup.bash, or pip install 'robot_vision[ros]'"
        if os.environ.get("_ROS_WHEELS_BOOTSTRAP_COMPLETE") and "libr" in str(error):
            advice = "unset _ROS_WHEELS_BOOTSTRAP_COMPLETE, which was set without LD_LIBRARY_PATH"
        yield Finding(
            subject="ROS 2",
            level="warn",
            found=f"rclpy cannot be imported: {error}",
            advice=advice,
        )
        return
    yield Finding(
        subject="ROS 2",
        level="ok",
        found=distro or of_wheels or "rclpy",
        advice="" if which("ros2") else "without the command ros2: see docs/simulated_robot.md",
    )
    for package in ROS_PACKAGES:
        yield _optional_ros_package(package)
    yield _cv_bridge()


def _optional_ros_package(package: str) -> Finding:
    without = {
        "vision_msgs": "no ~/detections and ~/objects; use ~/objects/json and markers",
        "tf2_ros": "target_frame cannot be set",
    }
    try:
        import_module(package)
    except (ImportError, OSError):
        return _absent(package, without[package])
    return Finding(subject=package, level="ok", found="installed")


def _cv_bridge() -> Finding:
    """Tried in a child process, as in the nodes: it can crash the process that imports it."""
    if not is_installed():
        return _absent("cv_bridge", "only natively supported encodings (docs/cameras.md)")
    verdict = BridgeTrial().wait()
    if verdict.is_usable:
        return Finding(subject="cv_bridge", level="ok", found="installed, converts an image")
    found = f"{verdict.problem}; encodings without native support are rejected"
    return Finding(subject="cv_bridge", level="warn", found=found, advice=ADVICE)


def _absent(package: str, consequence: str) -> Finding:
    name = APT_NAMES.get(package, package.replace("_", "-"))
    advice = f"apt install ros-$ROS_DISTRO-{name} on a system ROS 2"
    return Finding(subject=package, level="warn", found=f"absent: {consequence}", advice=advice)


def _middleware() -> Iterator[Finding]:
    rmw = os.environ.get("RMW_IMPLEMENTATION", "rmw_fastrtps_cpp")
    if rmw != "rmw_fastrtps_cpp":
        yield _other_middleware(rmw)
        if rmw == "rmw_cyclonedds_cpp":
            yield from _receive_buffer()
        return
    profile = os.environ.get("FASTRTPS_DEFAULT_PROFILES_FILE", "")
    if not profile:
        found = "rmw_fastrtps_cpp; robot-vision and its launch files set config/fastdds_shm.xml"
        advice = "also set FASTRTPS_DEFAULT_PROFILES_FILE to it for the camera driver"
        yield Finding(subject="middleware", level="ok", found=found, advice=advice)
    elif not Path(profile).is_file():
        found = f"FASTRTPS_DEFAULT_PROFILES_FILE is {profile}, which does not exist"
        yield Finding(
            subject="middleware", level="error", found=found, advice="unset or correct it"
        )
    else:
        yield Finding(subject="middleware", level="ok", found=f"rmw_fastrtps_cpp with {profile}")


def _other_middleware(rmw: str) -> Finding:
    if rmw not in _CONFIGURED_BY:
        advice = f"use rmw_fastrtps_cpp or one of {', '.join(_CONFIGURED_BY)}: docs/middlewares.md"
        found = f"{rmw}, which is untested"
        return Finding(subject="middleware", level="warn", found=found, advice=advice)
    variable, file = _CONFIGURED_BY[rmw]
    configured = os.environ.get(variable, "")
    if not configured:
        found = f"{rmw} with its defaults, which do not suit images"
        advice = f"set {variable} to {file}, also for the camera driver: docs/middlewares.md"
        return Finding(subject="middleware", level="warn", found=found, advice=advice)
    path = configured.removeprefix("file://").partition(",")[0]
    if path.startswith("/") and not Path(path).is_file():
        found = f"{variable} is {configured}, which does not exist"
        return Finding(
            subject="middleware", level="error", found=found, advice="unset or correct it"
        )
    return Finding(subject="middleware", level="ok", found=f"{rmw} with {configured}")


def _receive_buffer() -> Iterator[Finding]:
    try:
        limit = int(RECEIVE_BUFFER_LIMIT.read_text())
    except (OSError, ValueError):  # not Linux: there is nothing to compare
        return
    low = limit < RECEIVE_BUFFER_NEEDED
    yield Finding(
        subject="receive buffers",
        level="warn" if low else "ok",
        found=f"net.core.rmem_max is {limit} bytes",
        advice=f"sudo sysctl -w net.core.rmem_max={2 * RECEIVE_BUFFER_NEEDED}: or images are lost"
        if low
        else "",
    )


def _shared_memory() -> Iterator[Finding]:
    try:
        status = os.statvfs("/dev/shm")
    except OSError as error:
        yield Finding(subject="shared memory", level="error", found=f"/dev/shm: {error}")
        return
    size_mb = status.f_blocks * status.f_frsize / 2**20
    free_mb = status.f_bavail * status.f_frsize / 2**20
    low = free_mb < SHM_NEEDED_MB
    yield Finding(
        subject="shared memory",
        level="error" if low else "ok",
        found=f"/dev/shm has {free_mb:.0f} of {size_mb:.0f} MB free",
        advice=f"{SHM_NEEDED_MB} MB are needed: docker run --shm-size=1g, or --ipc=host"
        if low
        else "",
    )


def _providers() -> Iterator[Finding]:
    try:
        runtime = import_module("onnxruntime")
    except ImportError as error:
        advice = "pip install onnxruntime, or onnxruntime-gpu on a machine with CUDA"
        yield Finding(subject="ONNX Runtime", level="error", found=str(error), advice=advice)
        return
    providers = ", ".join(name.removesuffix("ExecutionProvider") for name in _available(runtime))
    has_gpu = Path("/dev/nvidia0").exists() or Path("/dev/nvhost-gpu").exists()
    idle_gpu = has_gpu and "CUDA" not in providers
    yield Finding(
        subject="ONNX Runtime",
        level="warn" if idle_gpu else "ok",
        found=f"{runtime.__version__} with {providers}"
        + ("; there is a GPU, but it is not used" if idle_gpu else ""),
        advice="pip uninstall -y onnxruntime && pip install 'robot_vision[gpu]'"
        if idle_gpu
        else "",
    )


def _available(runtime: object) -> list[str]:
    return runtime.get_available_providers()  # pyright: ignore[reportAttributeAccessIssue]


def _models() -> Iterator[Finding]:
    from robot_vision.core.parameters.config import ServiceConfig
    from robot_vision.model_store.store import list_bundles, verify_bundle

    default = ServiceConfig().model
    try:
        bundles = list_bundles()
        for bundle in bundles:
            verify_bundle(bundle)
    except RobotVisionError as error:
        advice = "restore the bundle, or remove its folder"
        yield Finding(subject="models", level="error", found=str(error), advice=advice)
        return
    names = [bundle.manifest.name for bundle in bundles]
    missing = default not in names
    yield Finding(
        subject="models",
        level="warn" if missing else "ok",
        found=", ".join(names) or "none in the store",
        advice=f"the default model {default!r} is missing: set the parameter model to a bundle"
        if missing
        else "",
    )
