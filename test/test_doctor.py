"""The doctor finds what is wrong, and says what to do."""

import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
from typer.testing import CliRunner

from robot_vision import doctor
from robot_vision.cli import app


def findings(subject: str) -> list[doctor.Finding]:
    return [finding for finding in doctor.examine() if finding.subject == subject]


def installed(*names: str) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name not in names:
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    return version


def test_every_complaint_has_an_advice() -> None:
    for finding in doctor.examine():
        assert finding.found
        assert finding.level == "ok" or finding.advice


def test_packages_that_overwrite_each_other_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", installed("onnxruntime", "onnxruntime-gpu"))
    (clash,) = findings("packages")
    assert clash.level == "error"
    assert "pip uninstall -y onnxruntime onnxruntime-gpu" in clash.advice
    assert CliRunner().invoke(app, ["doctor"]).exit_code == 1


def test_a_profile_that_does_not_exist_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/nowhere.xml")
    monkeypatch.delenv("RMW_IMPLEMENTATION", raising=False)
    (middleware,) = findings("middleware")
    assert (middleware.level, "/nowhere.xml" in middleware.found) == ("error", True)


@pytest.mark.parametrize(
    ("rmw", "variable", "file"),
    [
        ("rmw_cyclonedds_cpp", "CYCLONEDDS_URI", "cyclonedds_images.xml"),
        ("rmw_zenoh_cpp", "ZENOH_SESSION_CONFIG_URI", "zenoh_session.json5"),
    ],
)
def test_doctor_names_other_middlewares_file_for_images(
    rmw: str, variable: str, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", rmw)
    monkeypatch.delenv(variable, raising=False)
    (bare,) = findings("middleware")
    assert (bare.level, f"{variable} to config/{file}" in bare.advice) == ("warn", True)
    path = Path(__file__).parents[1] / "config" / file
    monkeypatch.setenv(variable, path.as_uri() if "CYCLONE" in variable else str(path))
    (configured,) = findings("middleware")
    assert (configured.level, rmw in configured.found) == ("ok", True)
    monkeypatch.setenv(variable, "/nowhere.xml")
    (missing,) = findings("middleware")
    assert missing.level == "error"


def test_an_unknown_middleware_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_mine_cpp")
    (middleware,) = findings("middleware")
    assert (middleware.level, "rmw_mine_cpp" in middleware.found) == ("warn", True)


@pytest.mark.parametrize(("limit", "level"), [("212992\n", "warn"), ("16777216\n", "ok")])
def test_cyclone_needs_room_for_images_in_its_sockets(
    limit: str, level: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RMW_IMPLEMENTATION", "rmw_cyclonedds_cpp")
    monkeypatch.setattr(doctor, "RECEIVE_BUFFER_LIMIT", tmp_path / "rmem_max")
    (tmp_path / "rmem_max").write_text(limit)
    (buffers,) = findings("receive buffers")
    assert (buffers.level, limit.strip() in buffers.found) == (level, True)
    assert bool(buffers.advice) == (level == "warn")


def test_small_shared_memory_is_an_error_with_what_docker_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "SHM_NEEDED_MB", 10**9)
    (memory,) = findings("shared memory")
    assert (memory.level, "--shm-size" in memory.advice) == ("error", True)


def test_the_command_prints_a_table() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert "shared memory" in result.output


def test_wheels_are_of_the_distribution_that_they_are_of(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy")
    monkeypatch.delenv("ROS_DISTRO", raising=False)
    monkeypatch.setattr(metadata, "version", installed("ros-kilted-rclpy"))
    assert [finding.found for finding in findings("ROS 2")] == ["kilted, wheels of rclpy 1.0"]
    monkeypatch.setenv("PATH", "")
    assert "without the command ros2" in findings("ROS 2")[0].advice
    monkeypatch.setenv("ROS_DISTRO", "jazzy")
    clash = findings("ROS 2")[0]
    assert clash.level == "error"
    assert "pip uninstall ros-kilted-rclpy" in clash.advice


def test_what_python_needs_of_tf2_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rclpy")
    monkeypatch.setitem(sys.modules, "tf2_ros", None)  # as if it were not installed
    assert "ros-$ROS_DISTRO-tf2-ros-py" in findings("tf2_ros")[0].advice
