"""A meaning that the data contradict is no ground to learn on."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from demonstrations_kit import write_episodes

from robot_vision.core.errors import ConfigError
from robot_vision.training.data.demonstration_meaning import remarks_on_meaning

ENDS = {"closed": 0, "open": 1}


def meaning_of(kind: str) -> dict[str, Any]:
    tool = {"position_unit": "m", "rotation": "rotation_vector", "angle_unit": "rad"}
    return {
        "action": {"kind": kind, "axes": "base", "tool": tool, "gripper": ENDS},
        "state": {
            "tool": {"position_unit": "m"},
            "joints": {"angle_unit": "rad"},
            "gripper": ENDS,
        },
    }


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A set whose own word of its numbers is lost."""
    folder = tmp_path / "set"
    write_episodes(folder, [12, 12])
    (folder / "meta" / "robot_vision.json").unlink()
    shutil.rmtree(folder / "meta" / "robot_vision")
    return folder


def said(tmp_path: Path, kind: str) -> str:
    file = tmp_path / f"{kind}.yaml"
    file.write_text(yaml.safe_dump(meaning_of(kind)))
    return str(file)


def test_what_the_data_contradict_is_refused(foreign: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"the data contradict .*options\.check_meaning=false"):
        remarks_on_meaning([str(foreign)], said(tmp_path, "absolute"))


def test_what_they_do_not_contradict_is_learnt_from(foreign: Path, tmp_path: Path) -> None:
    for remark in remarks_on_meaning([str(foreign)], said(tmp_path, "delta")):
        assert remark.startswith(str(foreign))


def test_our_own_sets_need_no_word(tmp_path: Path) -> None:
    write_episodes(tmp_path / "ours", [3])
    assert remarks_on_meaning([str(tmp_path / "ours")], "") == ()
