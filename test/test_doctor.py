"""The doctor finds what is wrong, and says what to do."""

from collections.abc import Callable
from importlib import metadata

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


def test_small_shared_memory_is_an_error_with_what_docker_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(doctor, "SHM_NEEDED_MB", 10**9)
    (memory,) = findings("shared memory")
    assert (memory.level, "--shm-size" in memory.advice) == ("error", True)


def test_the_command_prints_a_table() -> None:
    result = CliRunner().invoke(app, ["doctor"])
    assert "shared memory" in result.output
